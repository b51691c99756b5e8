// Small helpers for tests of ops: random tensors, exact comparison, the same result for any number
// of threads.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/parallel.h"

namespace gradus::testing {

/// Uniform numbers in [low, high), the same for the same seed.
inline Tensor uniform(const Shape& shape, std::uint64_t seed, double low = -2, double high = 2,
                      Dtype dtype = Dtype::f32) {
  Tensor t = empty(shape, {Dtype::f64});
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double u = static_cast<double>(state >> 11) * 0x1p-53;
    t.data<double>()[i] = low + (high - low) * u;
  }
  return as_dtype(t, dtype);
}

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
using Values = std::vector<double>;

template <class T>
Tensor tensor_of(const std::vector<T>& values, const Shape& shape) {
  return from_data(values.data(), shape, {dtype_of<T>});
}
inline Tensor floats(const std::vector<float>& values) {
  return tensor_of(values, {static_cast<std::int64_t>(values.size())});
}
inline Tensor indices(const std::vector<std::int64_t>& values) {
  return tensor_of(values, {static_cast<std::int64_t>(values.size())});
}

inline Tensor f64(const Values& v, const Shape& shape) { return tensor_of(v, shape); }
inline Tensor f64(const Values& v) { return f64(v, {static_cast<std::int64_t>(v.size())}); }
inline Tensor i64(const std::vector<std::int64_t>& v, const Shape& shape) {
  return tensor_of(v, shape);
}
inline Tensor i64(const std::vector<std::int64_t>& v) { return indices(v); }
inline Tensor u8(const std::vector<std::uint8_t>& v) {
  return tensor_of(v, {static_cast<std::int64_t>(v.size())});
}

inline Tensor leaf(const Tensor& t) {
  const Tensor x = t.detach();
  x.set_requires_grad(true);
  return x;
}

inline std::vector<double> values(const Tensor& t) { return t.detach().to_vector<double>(); }

inline void expect_same_bits(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  ASSERT_EQ(a.dtype(), b.dtype());
  const Tensor u = as_contiguous(a.detach()), v = as_contiguous(b.detach());
  EXPECT_EQ(
      std::memcmp(u.data(), v.data(), static_cast<std::size_t>(u.numel()) * size_of(u.dtype())), 0);
}

inline void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  const std::vector<double> u = values(a), v = values(b);
  for (std::size_t i = 0; i < u.size(); ++i) {
    ASSERT_NEAR(u[i], v[i], tolerance * std::max(1.0, std::abs(v[i]))) << "element " << i;
  }
}

inline void expect_values(const Tensor& a, const std::vector<double>& expected,
                          double tolerance = 1e-6) {
  ASSERT_EQ(a.numel(), static_cast<std::int64_t>(expected.size()));
  const std::vector<double> u = values(a);
  for (std::size_t i = 0; i < u.size(); ++i) {
    if (std::isnan(expected[i]))
      EXPECT_TRUE(std::isnan(u[i])) << "element " << i << " is " << u[i];
    else
      EXPECT_NEAR(u[i], expected[i], tolerance) << "element " << i;
  }
}

/// These very numbers, where NaN is any NaN.
inline void expect_exactly(const Tensor& t, const Values& expected) {
  const Values got = values(t);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(expected[i]))
      EXPECT_TRUE(std::isnan(got[i])) << "element " << i << " is " << got[i];
    else
      EXPECT_EQ(got[i], expected[i]) << "element " << i;
  }
}

/// Runs `f` with 1, 2, 3, 4 and 8 threads; every tensor it gives must have the same bits each time.
inline void expect_same_for_all_threads(const std::function<std::vector<Tensor>()>& f) {
  const int before = num_threads();
  std::vector<Tensor> first;
  for (int threads : {1, 2, 3, 4, 8}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    set_num_threads(threads);
    const std::vector<Tensor> now = f();
    if (first.empty()) first = now;
    for (std::size_t i = 0; i < now.size(); ++i) expect_same_bits(first[i], now[i]);
  }
  set_num_threads(before);
}

/// `f` must throw an Error of this kind whose text holds all of `words`.
inline void expect_error(ErrorKind kind, const std::vector<std::string>& words,
                         const std::function<void()>& f) {
  try {
    f();
    FAIL() << "no error; expected " << to_string(kind);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    for (const std::string& word : words) {
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos)
          << "\"" << e.what() << "\" does not say \"" << word << "\"";
    }
  }
}

inline void expect_error(ErrorKind kind, const std::function<void()>& f, const std::string& part) {
  expect_error(kind, std::vector<std::string>{part}, f);
}

}  // namespace gradus::testing
