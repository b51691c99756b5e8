// The gradient of a bias: the tree of kernels/fold.h over each column.
#include "gradus/kernels/column_sum.h"
#include "gradus/kernels/cuda/fold.cuh"

namespace gradus::cuda {
namespace {

template <class C, class T>
__global__ void __launch_bounds__(256)
    finish(const C* sums, std::int64_t n, C alpha, bool add, T* y) {
  const std::int64_t j = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
  if (j < n) y[j] = static_cast<T>((add ? C(y[j]) : C(0)) + alpha * sums[j]);
}

}  // namespace

void column_sum(const Tensor& x, const Tensor& y, bool add, double alpha) {
  const Tensor rows = as_contiguous(x);
  const std::int64_t n = x.size(0), m = x.size(1);
  visit_floating(x.dtype(), "column_sum", [&]<class T> {
    using C = compute_t<T>;
    const Tensor sums = empty({m}, {dtype_of<C>, x.device()});
    fold_tensor<fold::Sum, T, C>(rows.data<T>(), 1, n, m, sums.data<C>(), x.device());
    const auto write = [&]<class Out> {
      launch<finish<C, Out>>(pieces(m, 256), 256, 0, compute_stream(x.device().index()),
                             sums.data<C>(), m, static_cast<C>(alpha), add, y.data<Out>());
    };
    if (y.dtype() == dtype_of<C>)
      write.template operator()<C>();
    else
      write.template operator()<T>();
  });
}

}  // namespace gradus::cuda
