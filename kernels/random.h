// Contract: random values, and the functions that make tensors of them. Element i of a tensor, in
// row-major order, gets its bits from word i % 4 of Philox block (first + i) / 4 of the draw, so
// values depend neither on strides nor on threads, and are the same on every device (f64 normal
// values excepted: those use the C library's logarithm).
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/random.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
// y is row-major and floating unless a line says otherwise.
/// Uniform on [low, high): 24 bits (f64: 53), as many as the dtype holds.
void uniform(const Draw& draw, double low, double high, const Tensor& y);
/// Box and Muller's two normal values from words (0, 1) and (2, 3) of a block.
void normal(const Draw& draw, double mean, double deviation, const Tensor& y);
/// Normal values on [low, high], by the inverse of the distribution function.
void trunc_normal(const Draw& draw, double mean, double deviation, double low, double high,
                  const Tensor& y);
/// Integers on [low, low + range), 64 bits scaled down; y of any dtype.
void integers(const Draw& draw, std::int64_t low, std::uint64_t range, const Tensor& y);
/// y = 1 with probability p[i] (row-major, floating, y's shape), else 0; y of any dtype.
void bernoulli(const Draw& draw, const Tensor& p, const Tensor& y);
/// y = x / (1 - p) with probability 1 - p, else 0 x. Same shape and dtype, any strides; y may be x.
/// Its own backward, with the same draw.
void dropout(const Draw& draw, double p, const Tensor& x, const Tensor& y);
}  // namespace cpu

namespace cuda {
void uniform(const Draw& draw, double low, double high, const Tensor& y);
void normal(const Draw& draw, double mean, double deviation, const Tensor& y);
void trunc_normal(const Draw& draw, double mean, double deviation, double low, double high,
                  const Tensor& y);
void integers(const Draw& draw, std::int64_t low, std::uint64_t range, const Tensor& y);
void bernoulli(const Draw& draw, const Tensor& p, const Tensor& y);
void dropout(const Draw& draw, double p, const Tensor& x, const Tensor& y);
}  // namespace cuda

/// Uniform on [0, 1).
Tensor rand(const Shape& shape, TensorOptions options = {});
Tensor rand(const Shape& shape, TensorOptions options, Generator& generator);
/// Normal with mean 0 and deviation 1.
Tensor randn(const Shape& shape, TensorOptions options = {});
Tensor randn(const Shape& shape, TensorOptions options, Generator& generator);
/// Integers on [low, high).
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape,
               TensorOptions options = {Dtype::i64});
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options,
               Generator& generator);
/// The integers 0 to n - 1 in random order.
Tensor randperm(std::int64_t n, TensorOptions options = {Dtype::i64});
Tensor randperm(std::int64_t n, TensorOptions options, Generator& generator);
Tensor rand_like(const Tensor& t);
Tensor randn_like(const Tensor& t);
/// 1 with probability p[i], else 0; in p's dtype.
Tensor bernoulli(const Tensor& p);
Tensor bernoulli(const Tensor& p, Generator& generator);
/// Indices drawn with the weights of each row of `weights` (N) or (B, N): (samples) or (B, samples)
/// i64. Weights need not sum to one; without replacement a row needs `samples` positive weights.
Tensor multinomial(const Tensor& weights, std::int64_t samples, bool replacement = false);
Tensor multinomial(const Tensor& weights, std::int64_t samples, bool replacement,
                   Generator& generator);

/// Not recorded, whoever wants a gradient: the forms with a check are in autograd/functions.h.
void fill_uniform(const Tensor& t, double low, double high, const Draw& draw);
void fill_normal(const Tensor& t, double mean, double deviation, const Draw& draw);
void fill_trunc_normal(const Tensor& t, double mean, double deviation, double low, double high,
                       const Draw& draw);

}  // namespace gradus
