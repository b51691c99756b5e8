// Contract: running sums on the device, for metrics that must not make the host wait.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// slots: (S, 2) f64. A 0-dim `value` is a mean: slots[at][0] += weight * value, slots[at][1] +=
/// weight. A `value` of shape (N) holds one number a sample, added one after another in row order,
/// each with weight `weight` / N: the sum does not depend on how the samples were cut into batches
/// if weight is N.
void accumulate(const Tensor& value, double weight, const Tensor& slots, std::int64_t at);
}  // namespace cpu

namespace cuda {
void accumulate(const Tensor& value, double weight, const Tensor& slots, std::int64_t at);
}  // namespace cuda

}  // namespace gradus
