// Contract: reductions over any dimensions.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y = sum of x over the dimensions in which y has size 1 (y has x's number of dimensions) (add: y
/// += ...). A fixed tree over the logical order: the bits depend neither on strides nor on threads.
void sum(const Tensor& x, const Tensor& y, bool add);
}  // namespace cpu

namespace cuda {
void sum(const Tensor& x, const Tensor& y, bool add);
}  // namespace cuda

}  // namespace gradus
