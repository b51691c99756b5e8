// The scenario that tests/oracle/make_optim_fixtures.py runs in PyTorch, here.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optim.h"

namespace gradus::optim_reference {

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline const std::vector<double> start_a = {0.5, -1.0, 2.0, 0.125};
inline const std::vector<double> start_b = {-0.75, 0.0625, 1.5};

inline Tensor leaf(const std::vector<double>& values, Dtype dtype = Dtype::f64) {
  const std::int64_t n = static_cast<std::int64_t>(values.size());
  return from_data(values.data(), {n}, {Dtype::f64}).to(dtype).set_requires_grad(true);
}

inline void set_gradient(const Tensor& t, const std::vector<double>& values) {
  t.set_grad(from_data(values.data(), t.shape(), {Dtype::f64}).to(t.dtype()));
}

/// Element i of the gradient at step s, for weight w.
inline double gradient(double w, int i, int s) {
  return (i + 1) / 4.0 * (w - 0.3) + ((7 * s + 3 * i) % 11 - 5) / 5.0;
}

/// Gives both tensors their gradients, elements 0..3 and 4..6.
inline void set_gradients(const Tensor& a, const Tensor& b, int s, double times = 1) {
  int i = 0;
  for (const Tensor& t : {a, b}) {
    std::vector<double> g;
    for (const double w : t.to_vector<double>()) g.push_back(times * gradient(w, i++, s));
    set_gradient(t, g);
  }
}

inline std::vector<double> values_of(const Tensor& a, const Tensor& b) {
  std::vector<double> all = a.to_vector<double>();
  for (const double v : b.to_vector<double>()) all.push_back(v);
  return all;
}

/// The fields of every line of a fixture.
inline std::vector<std::vector<std::string>> read_fixture(const std::string& name) {
  std::ifstream file(std::string(GRADUS_SOURCE_DIR) + "/tests/oracle/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(file, line);) {
    lines.emplace_back();
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) lines.back().push_back(field);
  }
  return lines;
}

}  // namespace gradus::optim_reference
