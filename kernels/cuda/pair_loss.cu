// Losses element by element: a value each, or their sum in two stages, f64 from block to block.
#include <array>

#include "gradus/kernels/cuda/report.cuh"
#include "gradus/kernels/cuda/rows.cuh"
#include "gradus/kernels/pair_loss.h"

namespace gradus::cuda {
namespace {

constexpr int threads = 256;
constexpr std::int64_t a_block = 4096;  // elements that one block adds up

template <class Op, class T>
__device__ compute_t<T> loss_of(const Op& op, Reporter out, T x, T t) {
  using C = compute_t<T>;
  if constexpr (ops::UnitInterval<Op>) out.probability(static_cast<double>(C(x)));
  return op.y(C(x), C(t));
}

template <class Op, class T>
__global__ void __launch_bounds__(threads)
    each_loss(Op op, Reporter out, const T* x, const T* t, std::int64_t n, T* y) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < n) y[i] = T(loss_of(op, out, x[i], t[i]));
}

template <class Op, class T>
__global__ void __launch_bounds__(threads)
    sum_losses(Op op, Reporter out, const T* x, const T* t, std::int64_t n, double* parts) {
  using C = compute_t<T>;
  const std::int64_t begin = std::int64_t{blockIdx.x} * a_block;
  const std::int64_t m = n - begin < a_block ? n - begin : a_block;
  const C sum = row_sum<threads, C>(
      m, [&](std::int64_t i) { return loss_of(op, out, x[begin + i], t[begin + i]); });
  if (threadIdx.x == 0) parts[blockIdx.x] = static_cast<double>(sum);
}

template <class T>
__global__ void __launch_bounds__(threads)
    join_losses(const double* parts, std::int64_t n, double divisor, T* y) {
  const double sum = row_sum<threads, double>(n, [&](std::int64_t i) { return parts[i]; });
  if (threadIdx.x == 0) *y = T(static_cast<compute_t<T>>(sum / divisor));
}

template <class Op, class T, bool of_target>
__global__ void __launch_bounds__(threads)
    loss_gradient(Op op, const T* x, const T* t, std::int64_t n, compute_t<T> divisor, bool each,
                  const T* dy, T* dx) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= n) return;
  // Divided, not multiplied by 1 / n: that is not exact.
  const C g = each ? C(dy[i]) : C(*dy) / divisor;
  C d;
  if constexpr (of_target)
    d = op.dt(C(x[i]), C(t[i]));
  else
    d = op.dx(C(x[i]), C(t[i]));
  dx[i] = T(g * d);
}

template <class Op, class T>
void forward(const double* parameters, const Tensor& x, const Tensor& t, double divisor,
             const Tensor& y) {
  const Op op = ops::from_parameters<Op>(parameters);
  const std::int64_t n = x.numel();
  const int device = x.device().index();
  const Stream stream = compute_stream(device);
  const Reporter out = reporter(Op::name, device);
  if (y.shape() == x.shape() && y.dim() > 0) {
    return launch<each_loss<Op, T>>(pieces(n, threads), threads, 0, stream, op, out, x.data<T>(),
                                    t.data<T>(), n, y.data<T>());
  }
  const std::int64_t blocks = pieces(n, a_block);
  const Tensor parts = empty({blocks}, {Dtype::f64, x.device()});
  launch<sum_losses<Op, T>>(blocks, threads, 0, stream, op, out, x.data<T>(), t.data<T>(), n,
                            parts.data<double>());
  launch<join_losses<T>>(1, threads, 0, stream, parts.data<double>(), blocks, divisor, y.data<T>());
}

template <class Op, class T, bool of_target>
void backward(const double* parameters, const Tensor& x, const Tensor& t, double divisor,
              const Tensor& dy, const Tensor& dx) {
  launch<loss_gradient<Op, T, of_target>>(
      pieces(x.numel(), threads), threads, 0, compute_stream(x.device().index()),
      ops::from_parameters<Op>(parameters), x.data<T>(), t.data<T>(), x.numel(),
      static_cast<compute_t<T>>(divisor), dy.dim() > 0, dy.data<T>(), dx.data<T>());
}

using Forward = void (*)(const double*, const Tensor&, const Tensor&, double, const Tensor&);
using Backward = void (*)(const double*, const Tensor&, const Tensor&, double, const Tensor&,
                          const Tensor&);

struct Entry {
  const char* name;
  Forward forward[4];
  Backward dx[4], dt[4];
};

template <ops::Loss... Ops>
constexpr auto make_table(ops::List<Ops...>) {
  return std::array<Entry, sizeof...(Ops)>{
      Entry{Ops::name,
            {forward<Ops, float>, forward<Ops, double>, forward<Ops, bf16>, forward<Ops, f16>},
            {backward<Ops, float, false>, backward<Ops, double, false>, backward<Ops, bf16, false>,
             backward<Ops, f16, false>},
            {backward<Ops, float, true>, backward<Ops, double, true>, backward<Ops, bf16, true>,
             backward<Ops, f16, true>}}...};
}
constexpr auto table = make_table(ops::LossOps{});

const Entry& entry_of(const OpCall& op, Dtype dtype) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  check(is_floating(dtype), ErrorKind::dtype, entry.name, ": expected a floating dtype, got ",
        dtype);
  return entry;
}

}  // namespace

void pair_loss(const OpCall& op, const Tensor& x, const Tensor& t, double divisor,
               const Tensor& y) {
  entry_of(op, x.dtype()).forward[static_cast<int>(x.dtype())](op.p, x, t, divisor, y);
}

void pair_loss_backward(const OpCall& op, const Tensor& x, const Tensor& t, double divisor,
                        const Tensor& dy, bool of_target, const Tensor& dx) {
  const Entry& entry = entry_of(op, x.dtype());
  const int i = static_cast<int>(x.dtype());
  (of_target ? entry.dt : entry.dx)[i](op.p, x, t, divisor, dy, dx);
}

}  // namespace gradus::cuda
