#include "gradus/kernels/cpu/bias_activation.h"

#include "gradus/kernels/math.h"

namespace gradus::cpu {
namespace {

/// One row: bias first, then the activation, in one pass. `b(j)` is the bias of column j.
template <class T, class Bias, class F>
void row(T* y, std::int64_t n, Bias b, F f) {
  for (std::int64_t j = 0; j < n; ++j) y[j] = f(y[j] + b(j));
}

template <class T, class F>
void tile(const BiasActivation<T>& e, T* y, std::int64_t y_row, std::int64_t i, std::int64_t j,
          std::int64_t m, std::int64_t n, F f) {
  for (std::int64_t r = 0; r < m; ++r, y += y_row) {
    if (e.bias == nullptr) {
      for (std::int64_t c = 0; c < n; ++c) y[c] = f(y[c]);
    } else if (e.bias_per_row) {
      row(
          y, n, [b = e.bias[i + r]](std::int64_t) { return b; }, f);
    } else {
      row(
          y, n, [b = e.bias + j](std::int64_t c) { return b[c]; }, f);
    }
  }
}

}  // namespace

template <class T>
void apply_bias_activation(const BiasActivation<T>& e, T* y, std::int64_t y_row, std::int64_t i,
                           std::int64_t j, std::int64_t m, std::int64_t n) {
  auto with = [&](auto f) { tile(e, y, y_row, i, j, m, n, f); };
  switch (e.activation) {
    case Activation::none: return with([](T x) { return x; });
    case Activation::relu: return with([](T x) { return x < 0 ? T(0) : x; });  // keeps NaN
    case Activation::gelu: return with([](T x) { return math::gelu(x); });
    case Activation::gelu_tanh: return with([](T x) { return math::gelu_tanh(x); });
    case Activation::silu: return with([](T x) { return math::silu(x); });
    case Activation::sigmoid: return with([](T x) { return math::sigmoid(x); });
    case Activation::tanh: return with([](T x) { return math::tanh(x); });
  }
}

template void apply_bias_activation(const BiasActivation<float>&, float*, std::int64_t,
                                    std::int64_t, std::int64_t, std::int64_t, std::int64_t);
template void apply_bias_activation(const BiasActivation<double>&, double*, std::int64_t,
                                    std::int64_t, std::int64_t, std::int64_t, std::int64_t);

}  // namespace gradus::cpu
