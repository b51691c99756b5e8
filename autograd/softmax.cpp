#include "gradus/kernels/softmax.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions/softmax.h"
#include "gradus/autograd/record.h"
#include "gradus/autograd/rows.h"

namespace gradus {
namespace {

Tensor along(const char* name, bool log, const Tensor& input, int dimension,
             std::optional<Dtype> dtype) {
  const Tensor x = dtype ? input.to(*dtype) : widened(input);
  const int dim = wrap_dim(name, dimension, x.dim());
  Tensor y = empty_along(x.shape(), x.options(), dim);
  dispatch<cpu::softmax, cuda::softmax>(x.device(), rows_along(x, dim), log, rows_along(y, dim));
  // softmax: dx = y (dy - sum y dy); log_softmax: dx = dy - e^y sum dy
  return record(name, y, on(x), keep(y), [dim, log](const Tensor& dy, const Tensor& y, GradOut dx) {
    Tensor d = empty_along(y.shape(), y.options(), dim);
    dispatch<cpu::softmax_backward, cuda::softmax_backward>(
        y.device(), rows_along(y, dim), rows_along(dy, dim), log, rows_along(d, dim));
    dx.give(std::move(d));
  });
}

}  // namespace

Tensor softmax(const Tensor& x, int dim, std::optional<Dtype> dtype) {
  return along("softmax", false, x, dim, dtype);
}

Tensor log_softmax(const Tensor& x, int dim, std::optional<Dtype> dtype) {
  return along("log_softmax", true, x, dim, dtype);
}

}  // namespace gradus
