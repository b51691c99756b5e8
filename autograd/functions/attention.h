// Public functions: attention.
#pragma once

#include <optional>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// softmax(scale q k^T + mask) v for q (..., T, D), k (..., S, D), v (..., S, E), giving (..., T,
/// E); leading dimensions broadcast. `mask` broadcasts to (..., T, S): boolean (true: the key takes
/// part) or floating (added to the scores). `is_causal`: query i sees keys 0 .. i, together with
/// the mask if there is one. `scale`: 1 / sqrt(D) if not given. `dropout_p` drops weights, and
/// always does if it is not 0. A query that sees no key gives zeros. Memory grows with T, not T S,
/// except with dropout. `enable_gqa`: each head (dimension -3) of k and v is one for several of
/// q's, whose number is a multiple of theirs.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const Tensor& mask = {}, double dropout_p = 0,
                                    bool is_causal = false, std::optional<double> scale = {},
                                    bool enable_gqa = false);

}  // namespace gradus
