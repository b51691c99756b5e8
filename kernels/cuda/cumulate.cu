// Running sums and products (scan.cuh), and the gradients of products: rows that are a chain each.
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/scan.cuh"
#include "gradus/kernels/prod_gradient.h"
#include "gradus/kernels/reduce.h"

namespace gradus::cuda {
namespace {

constexpr int threads = 128;

template <class Op>
void scan(const Tensor& input, int dim, bool reverse, const Tensor& output) {
  if (input.numel() == 0) return;
  const Tensor x = as_contiguous(input);
  const std::int64_t n = x.dim() == 0 ? 1 : x.shape()[dim];
  std::int64_t inner = 1;
  for (int i = dim + 1; i < x.dim(); ++i) inner *= x.shape()[i];
  const ScanLines lines{n, inner, x.numel() / n, reverse};
  visit(x.dtype(), [&]<class T> {
    using C = std::conditional_t<std::is_integral_v<T>, std::int64_t, compute_t<T>>;
    const bool direct = output.is_contiguous() && output.dtype() == dtype_of<C>;
    const Tensor y = direct ? output : empty(x.shape(), {dtype_of<C>, x.device()});
    scan_lines<Op>(lines, x.data<T>(), y.data<C>(), x.device());
    if (!direct) copy(y, output);
  });
}

template <class T>
__global__ void __launch_bounds__(threads)
    prod_rows(const T* x, const T* dy, std::int64_t rows, std::int64_t n, T* dx) {
  const std::int64_t r = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (r < rows) prod_gradient<T>(x + r * n, compute_t<T>(dy[r]), n, dx + r * n);
}

template <class T>
__global__ void __launch_bounds__(threads)
    cumulative_prod_rows(const T* x, const T* dy, std::int64_t rows, std::int64_t n, T* dx) {
  const std::int64_t r = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (r < rows) cumulative_prod_gradient<T>(x + r * n, dy + r * n, n, dx + r * n);
}

}  // namespace

void cumulative_sum(const Tensor& x, int dim, bool reverse, const Tensor& y) {
  scan<fold::Sum>(x, dim, reverse, y);
}
void cumulative_prod(const Tensor& x, int dim, const Tensor& y) {
  scan<fold::Prod>(x, dim, false, y);
}

void prod_backward(const Tensor& x, const Tensor& dy, const Tensor& dx) {
  const std::int64_t rows = x.shape()[0], n = x.shape()[1];
  visit_floating(x.dtype(), "prod", [&]<class T> {
    launch<prod_rows<T>>(pieces(rows, threads), threads, 0, compute_stream(x.device().index()),
                         x.data<T>(), dy.data<T>(), rows, n, dx.data<T>());
  });
}

void cumulative_prod_backward(const Tensor& x, const Tensor& dy, const Tensor& dx) {
  const std::int64_t rows = x.shape()[0], n = x.shape()[1];
  visit_floating(x.dtype(), "cumprod", [&]<class T> {
    launch<cumulative_prod_rows<T>>(pieces(rows, threads), threads, 0,
                                    compute_stream(x.device().index()), x.data<T>(), dy.data<T>(),
                                    rows, n, dx.data<T>());
  });
}

}  // namespace gradus::cuda
