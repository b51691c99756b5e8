// Public functions: lengths of vectors and the angles between them.
#pragma once

#include "gradus/tensor/tensor.h"

namespace gradus {

/// x / max(|x|_p, eps) along `dim`.
Tensor normalize(const Tensor& x, double p = 2, int dim = 1, double eps = 1e-12);

/// a b / (max(|a|, eps) max(|b|, eps)) along `dim`; a and b broadcast.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int dim = 1, double eps = 1e-8);

/// |a - b + eps|_p over the last dimension; a and b broadcast.
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p = 2, double eps = 1e-6,
                         bool keepdim = false);

}  // namespace gradus
