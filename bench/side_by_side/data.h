// The numbers both sides compute on: a hash of (stream, element), so that no file is exchanged and
// no two elements are alike. torch_side.py has the same function.
#pragma once

#include <cstdint>

#include "gradus/gradus.h"

namespace gradus::bench {

inline std::uint32_t hashed(std::uint32_t stream, std::uint32_t i) {
  std::uint32_t h = i + stream * 0x9e3779b1u;
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  return h ^ (h >> 16);
}

/// Uniform in [-scale, scale), 24 bits.
inline void fill_uniform(const Tensor& t, std::uint32_t stream, double scale = 1,
                         double shift = 0) {
  float* p = t.data<float>();
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    const double u = (hashed(stream, static_cast<std::uint32_t>(i)) >> 8) / 8388608.0 - 1;
    p[i] = static_cast<float>(u * scale + shift);
  }
}

inline Tensor uniform(std::uint32_t stream, const Shape& shape) {
  const Tensor t = empty(shape);
  fill_uniform(t, stream);
  return t;
}

/// Whole numbers below `n`.
inline Tensor indices(std::uint32_t stream, const Shape& shape, std::uint32_t n) {
  const Tensor t = empty(shape, {Dtype::i64});
  for (std::int64_t i = 0; i < t.numel(); ++i)
    t.data<std::int64_t>()[i] = hashed(stream, static_cast<std::uint32_t>(i)) % n;
  return t;
}

/// Parameter k from stream 100 + k: matrices uniform within 1 / sqrt(inputs), biases within 0.1,
/// the weights of norms 1 +- 0.1.
inline void fill_parameters(const nn::Module& model) {
  std::uint32_t stream = 100;
  for (const auto& p : model.named_parameters()) {
    const double inputs = static_cast<double>(p.numel() / p.size(0));
    if (p.dim() > 1)
      fill_uniform(p, stream, 1 / std::sqrt(inputs));
    else
      fill_uniform(p, stream, 0.1, p.name.ends_with("weight") ? 1 : 0);
    ++stream;
  }
}

/// 64 elements (or all there are), evenly spaced.
inline void sample(const Tensor& t, std::vector<double>& to) {
  const Tensor flat = t.detach().reshape({-1});
  const std::int64_t n = flat.numel(), count = n < 64 ? n : 64;
  for (std::int64_t k = 0; k < count; ++k)
    to.push_back(static_cast<double>(flat.data<float>()[k * n / count]));
}

}  // namespace gradus::bench
