// Contract: softmax(scale q k^T + mask) v, without the (T, S) scores ever being in memory at once.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

struct Attention {
  double scale = 1;
  bool causal = false;  // query i sees keys 0 .. i only
};

namespace cpu {
/// q (B, H, T, D), k (B, H, S, D), v (B, H, S, E) and y (B, H, T, E), all of one floating dtype,
/// the last dimension contiguous, the others at any strides. What is computed in between, the
/// statistics and masks are f64 for f64, else f32; on CUDA, half types multiply weights rounded to
/// their own type. mask: undefined, or (B, H, T, S) at any strides (0 where it repeats): boolean,
/// true where a key takes part, or floating, added to the scores. A query that sees no key gives
/// zeros. stats (2, B, H, T) row-major: each row's largest score and the sum of e^(score -
/// largest), by which the backward computes the same weights again.
void attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
               const Attention& options, const Tensor& y, const Tensor& stats);
/// With P the weights: dv = P^T dy, dS = P (dy v^T - sum P dy v^T), dq = scale dS k,
/// dk = scale dS^T q; `y` is the forward's, and sum P dy v^T = sum dy y. Rows of queries in order:
/// the same bits for any number of threads. dmask, if defined, (B, H, T, S) row-major, gets dS.
void attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                        const Attention& options, const Tensor& stats, const Tensor& y,
                        const Tensor& dy, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        const Tensor& dmask);
}  // namespace cpu

namespace cuda {
void attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
               const Attention& options, const Tensor& y, const Tensor& stats);
void attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                        const Attention& options, const Tensor& stats, const Tensor& y,
                        const Tensor& dy, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        const Tensor& dmask);
}  // namespace cuda

}  // namespace gradus
