// Public functions: Fourier transforms of real sequences. Complex numbers are pairs (re, im) in a
// last dimension of 2, as PyTorch's view_as_real gives them.
#pragma once

#include <optional>
#include <string_view>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// X[k] = sum over j of x[j] e^(-2 pi i j k / n) for k = 0 .. n / 2 along `dim` of a real x, cut or
/// filled with zeros to n elements: (..., n / 2 + 1, ..., 2). norm: "backward" (as above), "ortho"
/// (by sqrt(n)) or "forward" (by n). n log n steps for powers of two; the largest odd factor of n
/// counts by its square.
Tensor rfft(const Tensor& x, std::optional<std::int64_t> n = {}, int dim = -1,
            std::string_view norm = "backward");

/// The inverse: n real elements (2 (m - 1) if not given) along `dim` from m of X (..., 2). What
/// cannot be there in the transform of real numbers, the imaginary parts of X[0] and, for an even
/// n, of X[n / 2], is ignored. `dim` counts without the last dimension of 2.
Tensor irfft(const Tensor& x, std::optional<std::int64_t> n = {}, int dim = -1,
             std::string_view norm = "backward");

}  // namespace gradus
