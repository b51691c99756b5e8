// Public functions: softmax and its kin.
#pragma once

#include <optional>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// e^x / sum e^x along `dim`: x (any shape) to the same shape. A row of -inf gives NaN.
Tensor softmax(const Tensor& x, int dim, std::optional<Dtype> dtype = {});

/// log softmax(x), without the loss of digits of taking the logarithm afterwards.
Tensor log_softmax(const Tensor& x, int dim, std::optional<Dtype> dtype = {});

}  // namespace gradus
