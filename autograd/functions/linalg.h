// Public functions: linear algebra beyond products.
#pragma once

#include "gradus/tensor/tensor.h"

namespace gradus {

/// The singular values of matrices x (..., M, N), largest first: (..., min(M, N)). Computed on the
/// CPU in f64, whatever x's device and dtype. The gradient is U diag(dy) V^T.
Tensor svdvals(const Tensor& x);

}  // namespace gradus
