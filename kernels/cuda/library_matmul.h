// Matrix products by cuBLASLt. The library is loaded when the first product is asked for; where it
// is not found, or a product is not one for it, the caller's own tiles do the work.
#pragma once

#include "gradus/kernels/matmul.h"

namespace gradus::cuda {

/// The contract of matmul(), c not empty: true if it is done (put into the stream), false if
/// nothing was. Which algorithm the library takes depends on shapes, types, layouts, alignment and
/// a fixed limit of workspace, and on nothing that changes while a program runs.
bool library_matmul(const Tensor& a, const Tensor& b, const Tensor& c,
                    const MatmulOptions& options);

}  // namespace gradus::cuda
