// Functions that join, cut, repeat and rearrange. Views are members of Tensor (tensor/tensor.h).
#pragma once

#include <string_view>
#include <vector>

#include "gradus/tensor/dims.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// Joins tensors that agree in all other dimensions; dtypes promote.
Tensor cat(const std::vector<Tensor>& tensors, int dim = 0);
/// Joins tensors of one shape along a new dimension.
Tensor stack(const std::vector<Tensor>& tensors, int dim = 0);
/// Views of `size` elements along `dim`, the last one shorter; or of the given sizes.
std::vector<Tensor> split(const Tensor& x, std::int64_t size, int dim = 0);
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int dim = 0);
/// At most `chunks` views of equal size, the last one shorter; of an empty dimension, all of them.
std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, int dim = 0);
/// One view for each index of `dim`, without that dimension.
std::vector<Tensor> unbind(const Tensor& x, int dim = 0);

Tensor flip(const Tensor& x, const Dims& dims);
/// Elements move by `shift` places along `dim` and come back in at the other end. Without
/// dimensions x is rolled as if it were flat.
Tensor roll(const Tensor& x, std::int64_t shift);
Tensor roll(const Tensor& x, std::int64_t shift, int dim);
Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const Dims& dims);
/// x `times[i]` times along each dimension; `times` has at least x's dimensions.
Tensor repeat(const Tensor& x, const Shape& times);
/// The same, but `times` may have fewer numbers: they are those of the last dimensions.
Tensor tile(const Tensor& x, const Shape& times);
/// Each element `times` times in a row, along `dim` or in the flattened tensor.
Tensor repeat_interleave(const Tensor& x, std::int64_t times, int dim);
Tensor repeat_interleave(const Tensor& x, std::int64_t times);
/// Element i `times[i]` times in a row.
Tensor repeat_interleave(const Tensor& x, const Tensor& times, int dim);

/// pads = {left, right} of the last dimension, then of the one before it, and so on; negative ones
/// cut off. mode: "constant" (value), "reflect", "replicate" or "circular".
Tensor pad(const Tensor& x, const std::vector<std::int64_t>& pads,
           std::string_view mode = "constant", double value = 0);

/// Zeros above (below) the k-th diagonal of matrices (.., n, m).
Tensor tril(const Tensor& x, std::int64_t k = 0);
Tensor triu(const Tensor& x, std::int64_t k = 0);
/// The k-th diagonal of a matrix, or the matrix that has this vector there.
Tensor diag(const Tensor& x, std::int64_t k = 0);
/// Grids of one coordinate each. indexing: "ij", or "xy" with the first two swapped.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& axes, std::string_view indexing = "ij");

}  // namespace gradus
