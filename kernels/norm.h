// Contract: normalisation of rows (layer norm and RMS norm), and of the channels of groups.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// Which rows, and how weight and bias lie on them. x is (N, C, L...) row-major: N C / c rows of c
/// L elements, each normalised for itself; element (n, ch, l) of x has weight[ch]. Layer norm is C
/// = c = what it normalises over, L = 1; group norm has c = C / groups channels a row.
struct RowNorm {
  std::int64_t channels = 1;      // C
  std::int64_t row_channels = 1;  // c
  std::int64_t inner = 1;         // L
  bool centre = true;             // subtract the mean; false: RMS norm
  double eps = 1e-5;
  std::int64_t row() const { return row_channels * inner; }
};

namespace cpu {
/// y = (x - mean) rstd weight + bias, with rstd = 1 / sqrt(var + eps) and the variance by n;
/// without `centre` y = x rstd weight, rstd = 1 / sqrt(mean x^2 + eps). x, y row-major; weight,
/// bias (C) of x's dtype or undefined; stats (2, rows) in the compute dtype: means, then rstd. y
/// may be x.
void row_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const RowNorm& norm,
              const Tensor& y, const Tensor& stats);
/// dx = rstd (g - mean g - xhat mean(g xhat)) with g = dy weight, xhat = (x - mean) rstd; without
/// `centre` the second term is missing. dx may be dy.
void row_norm_backward(const Tensor& x, const Tensor& weight, const RowNorm& norm,
                       const Tensor& stats, const Tensor& dy, const Tensor& dx);
/// dweight[c] = alpha * sum over n of (sum over l of dy xhat) (add: on top of what it holds), dbias
/// the same without xhat; either may be undefined. One chain over n for each channel: a batch may
/// be split over calls with `add` without changing a bit.
void row_norm_backward_affine(const Tensor& x, const RowNorm& norm, const Tensor& stats,
                              const Tensor& dy, const Tensor& dweight, bool add_weight,
                              double alpha_weight, const Tensor& dbias, bool add_bias,
                              double alpha_bias);
}  // namespace cpu

namespace cuda {
void row_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const RowNorm& norm,
              const Tensor& y, const Tensor& stats);
void row_norm_backward(const Tensor& x, const Tensor& weight, const RowNorm& norm,
                       const Tensor& stats, const Tensor& dy, const Tensor& dx);
void row_norm_backward_affine(const Tensor& x, const RowNorm& norm, const Tensor& stats,
                              const Tensor& dy, const Tensor& dweight, bool add_weight,
                              double alpha_weight, const Tensor& dbias, bool add_bias,
                              double alpha_bias);
}  // namespace cuda

}  // namespace gradus
