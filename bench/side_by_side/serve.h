// One side of a comparison: a program that answers compare.py, a line of JSON for each line read.
//   values NAME      makes the workload and gives numbers to compare with the other sides'
//   time NAME N      runs N iterations and gives microseconds an iteration
//   free             lets go of everything made so far
// The first line says what this program is.
#pragma once

#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace gradus::bench {

/// What is measured; making it has already computed `values`.
struct Workload {
  std::function<void()> step;
  std::vector<double> values;
};
using Make = std::function<Workload(const std::string& name)>;

/// Text within a JSON string.
inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + '"';
}

inline double microseconds(const std::function<void()>& step, long iterations) {
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < iterations; ++i) step();
  const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - begin;
  return taken.count() / static_cast<double>(iterations);
}

inline void answer(const std::string& line, std::map<std::string, Workload>& ready,
                   const Make& make) {
  std::istringstream words(line);
  std::string what, name;
  long iterations = 1;
  words >> what >> name >> iterations;
  if (what == "free") {
    ready.clear();
    std::printf("{\"freed\": true}\n");
    return;
  }
  if (ready.count(name) == 0) ready[name] = make(name);
  const Workload& workload = ready[name];
  if (what == "time") {
    std::printf("{\"us\": %.9g}\n", microseconds(workload.step, iterations));
    return;
  }
  std::printf("{\"values\": [");
  for (std::size_t i = 0; i < workload.values.size(); ++i)
    std::printf("%s%.17g", i == 0 ? "" : ", ", workload.values[i]);
  std::printf("]}\n");
}

/// Answers until the input ends. `about`: the first line's JSON object.
inline int serve(const std::string& about, const Make& make) {
  std::printf("%s\n", about.c_str());
  std::fflush(stdout);
  std::map<std::string, Workload> ready;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      answer(line, ready, make);
    } catch (const std::exception& error) {
      std::printf("{\"error\": %s}\n", quoted(error.what()).c_str());
    }
    std::fflush(stdout);
  }
  return 0;
}

/// "sgemm_nt_64x128x784": which operand is transposed in memory, then m, n, k. False if it is not
/// one.
struct Product {
  bool turn_a = false, turn_b = false;
  int m = 0, n = 0, k = 0;
  static bool parse(const std::string& name, Product& p) {
    char a = 0, b = 0;
    if (std::sscanf(name.c_str(), "sgemm_%c%c_%dx%dx%d", &a, &b, &p.m, &p.n, &p.k) != 5)
      return false;
    p.turn_a = a == 't', p.turn_b = b == 't';
    return true;
  }
};

}  // namespace gradus::bench
