#include "gradus/kernels/embedding.h"

#include "gradus/autograd/functions/embedding.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"

namespace gradus {

Tensor embedding(const Tensor& indices, const Tensor& weight,
                 std::optional<std::int64_t> padding_idx) {
  check(weight.dim() == 2, ErrorKind::shape, "embedding: expected weight of shape (V, D), got ",
        weight.shape());
  check(!indices.is_floating() && indices.dtype() != Dtype::boolean, ErrorKind::dtype,
        "embedding: expected indices of an integer dtype, got ", indices.dtype());
  check_same_device("embedding", indices.device(), weight.device());
  const std::int64_t rows = weight.shape()[0];
  std::int64_t padding = -1;
  if (padding_idx) {
    check(*padding_idx >= -rows && *padding_idx < rows, ErrorKind::argument,
          "embedding: padding_idx ", *padding_idx, " is out of range for a table of ", rows,
          " rows");
    padding = *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
  }
  const Tensor index = as_contiguous(as_dtype(indices, Dtype::i64));
  Shape shape = indices.shape();
  shape.push_back(weight.shape()[1]);
  Tensor y = empty(shape, weight.options());
  dispatch<cpu::embedding, cuda::embedding>(weight.device(), as_contiguous(weight), index, y);
  // dweight[index[i]] += dy[i]
  return record(
      "embedding", y, on(weight), keep(index),
      [padding, table = weight.shape()](const Tensor& dy, const Tensor& index, GradOut dweight) {
        const GradTarget target = dweight.target(table, dy.dtype());
        if (!target.add) dispatch<cpu::fill, cuda::fill>(dy.device(), target.to, 0.0);
        dispatch<cpu::embedding_backward, cuda::embedding_backward>(
            dy.device(), index, as_contiguous(dy), padding, target.alpha, target.to);
      });
}

}  // namespace gradus
