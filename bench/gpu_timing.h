// How bench/gpu_check's programs time a row and print it: one JSON object a line.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "gradus/gradus.h"
#include "gradus/tensor/stream.h"

namespace gradus::bench {

using Clock = std::chrono::steady_clock;

inline double microseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

/// Median of seven blocks of at least 20 ms (of one step, if that is longer), in microseconds a
/// step; a block ends with a wait.
inline double microseconds(Device device, const std::function<void()>& step) {
  const auto block = [&](int n) {
    const auto begin = Clock::now();
    for (int i = 0; i < n; ++i) step();
    synchronize(device);
    return microseconds_since(begin);
  };
  for (int i = 0; i < 3; ++i) step();
  synchronize(device);
  int n = 1;
  while (n < 10000 && block(n) < 20e3) n *= 2;
  std::vector<double> times;
  for (int i = 0; i < 7; ++i) times.push_back(block(n) / n);
  std::nth_element(times.begin(), times.begin() + 3, times.end());
  return times[3];
}

/// What the host does for a step while the device is behind: no wait within, and few enough steps
/// that the device's queue takes them all.
inline double host_microseconds(Device device, const std::function<void()>& step) {
  constexpr int steps = 20;
  std::vector<double> times;
  for (int i = 0; i < 7; ++i) {
    synchronize(device);
    const auto begin = Clock::now();
    for (int k = 0; k < steps; ++k) step();
    times.push_back(microseconds_since(begin) / steps);
  }
  synchronize(device);
  std::nth_element(times.begin(), times.begin() + 3, times.end());
  return times[3];
}

/// {"row": ..., "side": ..., "us": ..., and what `more` says}.
inline void print_row(const std::string& row, const std::string& side, double us,
                      const std::string& more) {
  fmt::print("{{\"row\": \"{}\", \"side\": \"{}\", \"us\": {:.2f}{}{}}}\n", row, side, us,
             more.empty() ? "" : ", ", more);
  std::fflush(stdout);
}

/// A row that this machine has no room for is no reason to lose those after it.
inline void print_failed(const std::string& row, const std::string& side, const std::string& why) {
  std::string line = why.substr(0, why.find('\n'));
  std::replace(line.begin(), line.end(), '"', '\'');
  fmt::print("{{\"row\": \"{}\", \"side\": \"{}\", \"error\": \"{}\"}}\n", row, side, line);
  std::fflush(stdout);
}

/// Times a step and counts what it asks of the device: kernels started, waits of the host.
inline void time_row(Device device, const std::string& row, const std::string& side, double bytes,
                     const std::function<void()>& step, const std::string& more = "") {
  step();
  synchronize(device);
  const auto launched = launches(device), waited = synchronizations(device);
  step();
  const auto launches_now = launches(device) - launched,
             waits_now = synchronizations(device) - waited;
  const double us = microseconds(device, step);
  print_row(row, side, us,
            fmt::format("\"gb_s\": {:.0f}, \"launches\": {}, \"waits\": {}{}{}", bytes / us * 1e-3,
                        launches_now, waits_now, more.empty() ? "" : ", ", more));
}

/// --small: sizes that a simulated device carries out in seconds; its times mean nothing.
inline bool is_small(int argc, char** argv) {
  return argc > 1 && std::strcmp(argv[1], "--small") == 0;
}

inline bool check_gpu(const char* program) {
  if (cuda_available()) return true;
  fmt::print(stderr, "{}: no CUDA device, or a build without CUDA\n", program);
  return false;
}

}  // namespace gradus::bench
