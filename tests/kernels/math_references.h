// What kernels/math should return, by the plain formulas in a wider type: double for the float
// functions, long double for the double ones. `f_terms` is the size of the terms whose sum f is.
#pragma once

#include <cmath>

namespace gradus::reference {

/// v factor, with the limit 0 where an infinite v meets a factor that has vanished.
template <class T>
T limit(T v, T factor) {
  return factor == 0 ? std::copysign(T(0), v) : v * factor;
}

template <class T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}
template <class T>
T silu(T x) {
  return limit(x, sigmoid(x));
}
template <class T>
T sigmoid_slope(T x) {
  return sigmoid(x) * sigmoid(-x);
}
template <class T>
T silu_dx(T x) {
  return sigmoid(x) + limit(x, sigmoid_slope(x));
}
template <class T>
T silu_dx_terms(T x) {
  return sigmoid(x) + std::fabs(limit(x, sigmoid_slope(x)));
}
template <class T>
T softplus(T x) {
  return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x)));
}
/// PyTorch's default threshold: x itself above 20.
template <class T>
T softplus_20(T x) {
  return x > 20 ? x : softplus(x);
}
template <class T>
T logsigmoid(T x) {
  return -softplus(-x);
}

template <class T>
T mish_factor(T x) {
  return std::tanh(softplus(x));
}
/// d tanh(softplus(x)) / dx = 4 w (1 + w) / d^2, with w = e^-|x| so that nothing overflows.
template <class T>
T mish_slope(T x) {
  const T w = std::exp(-std::fabs(x)), d = x < 0 ? w * (2 + w) + 2 : 1 + 2 * w + 2 * w * w;
  return 4 * w * (1 + w) / (d * d) * (x < 0 ? 1 : w);
}
template <class T>
T mish(T x) {
  return limit(x, mish_factor(x));
}
template <class T>
T mish_dx(T x) {
  return mish_factor(x) + limit(x, mish_slope(x));
}
template <class T>
T mish_dx_terms(T x) {
  return mish_factor(x) + std::fabs(limit(x, mish_slope(x)));
}

constexpr long double pi = 3.14159265358979323846264338327950288L;
template <class T>
T normal_cdf(T x) {
  return std::erfc(-x * T(0.707106781186547524400844362104849039L)) / 2;
}
template <class T>
T normal_density(T x) {
  return T(0.398942280401432677939946059934381868L) * std::exp(-x * x / 2);
}
template <class T>
T gelu(T x) {
  return limit(x, normal_cdf(x));
}
template <class T>
T gelu_dx(T x) {
  return normal_cdf(x) + limit(x, normal_density(x));
}
template <class T>
T gelu_dx_terms(T x) {
  return normal_cdf(x) + std::fabs(limit(x, normal_density(x)));
}

/// gelu_tanh(x) = x sigmoid(z), z = 2 sqrt(2 / pi) (x + 0.044715 x^3).
template <class T>
T tanh_z(T x) {
  return 2 * std::sqrt(2 / T(pi)) * (x + T(0.044715L) * x * x * x);
}
template <class T>
T tanh_slope(T x) {
  const T dz = 2 * std::sqrt(2 / T(pi)) * (1 + 3 * T(0.044715L) * x * x);
  const T s = sigmoid_slope(tanh_z(x));
  return s == 0 ? s : s * dz;
}
template <class T>
T gelu_tanh(T x) {
  return limit(x, sigmoid(tanh_z(x)));
}
template <class T>
T gelu_tanh_dx(T x) {
  return sigmoid(tanh_z(x)) + limit(x, tanh_slope(x));
}
template <class T>
T gelu_tanh_dx_terms(T x) {
  return sigmoid(tanh_z(x)) + std::fabs(limit(x, tanh_slope(x)));
}

}  // namespace gradus::reference
