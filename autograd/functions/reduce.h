// Reductions and running sums. Dimensions may be negative; none given means all. Sums and products
// of integers and booleans are i64, as in PyTorch.
#pragma once

#include <optional>

#include "gradus/tensor/dims.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// `dtype`: the input is converted to it first.
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false,
           std::optional<Dtype> dtype = {});
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false,
            std::optional<Dtype> dtype = {});
Tensor prod(const Tensor& x);
Tensor prod(const Tensor& x, int dim, bool keepdim = false);

/// The largest (smallest) elements; NaN if there is one. The gradient is shared evenly among
/// equals.
Tensor amax(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
inline Tensor max(const Tensor& x) { return amax(x); }
inline Tensor min(const Tensor& x) { return amin(x); }

/// Where the largest (smallest) element is, i64: the first of equals, the first NaN. Without `dim`
/// counted in the flattened tensor.
Tensor argmax(const Tensor& x, std::optional<int> dim = {}, bool keepdim = false);
Tensor argmin(const Tensor& x, std::optional<int> dim = {}, bool keepdim = false);

struct ValuesIndices {
  Tensor values, indices;
};
/// The largest (smallest) elements along `dim` and where they are. The gradient goes to that place.
ValuesIndices max(const Tensor& x, int dim, bool keepdim = false);
ValuesIndices min(const Tensor& x, int dim, bool keepdim = false);

/// sum (x - mean)^2 / (n - correction), and its root.
Tensor var(const Tensor& x, const Dims& dims = {}, double correction = 1, bool keepdim = false);
Tensor std(const Tensor& x, const Dims& dims = {}, double correction = 1, bool keepdim = false);

/// (sum |x|^p)^(1/p); p may be 0 (how many are not zero), inf and -inf.
Tensor norm(const Tensor& x, double p = 2, const Dims& dims = {}, bool keepdim = false);
/// log sum e^x, without overflow.
Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim = false);

/// Boolean; any dtype counts as true where it is not zero. (PyTorch gives u8 for u8.)
Tensor all(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor any(const Tensor& x, const Dims& dims = {}, bool keepdim = false);

Tensor cumsum(const Tensor& x, int dim);
Tensor cumprod(const Tensor& x, int dim);

}  // namespace gradus
