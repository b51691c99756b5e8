// Public functions: embedding.
#pragma once

#include <optional>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// Rows of `weight` (V, D) by `indices` (I...) of an integer dtype: (I..., D). The row
/// `padding_idx` (negative: from the end) gets no gradient. An index outside [0, V) is an
/// Error(argument).
Tensor embedding(const Tensor& indices, const Tensor& weight,
                 std::optional<std::int64_t> padding_idx = {});

}  // namespace gradus
