#include "gradus/kernels/cuda/conv.cuh"
#include "gradus/kernels/cuda/library_conv.h"

namespace gradus::cuda {
namespace {

template <class T, class Out>
struct WeightGradient {
  using A = compute_t<T>;
  std::int64_t z = 0;
  Geometry g;
  Images<const T> x, dy;
  Images<Out> dw;
  A alpha;
  bool add;
  static constexpr bool a_runs_along_l = true, b_runs_along_l = true;
  WeightGradient(const Tensor& x_, const Tensor& w, const Tensor& y, const ConvOptions& o,
                 bool add_, double alpha_)
      : g(x_, w, y, o), x(x_), dy(y), dw(w), alpha(static_cast<A>(alpha_)), add(add_) {}
  ProductSize size() const {
    return {g.out_channels, g.in_channels * g.taps.count, g.images * g.out.count, g.groups};
  }
  __device__ WeightGradient product(std::int64_t group) const {
    WeightGradient p = *this;
    p.z = group;
    return p;
  }
  __device__ A a(std::int64_t i, std::int64_t l) const {
    std::int64_t o[3];
    const std::int64_t n = g.split(g.out, l, o);
    return A(dy.at(n, z * g.out_channels + i, o));
  }
  __device__ A b(std::int64_t l, std::int64_t j) const {
    std::int64_t t[3], o[3], p[3];
    const std::uint32_t c = g.taps.whole.quotient(static_cast<std::uint32_t>(j));
    g.taps.place(static_cast<std::uint32_t>(j) - c * g.taps.whole.d, t);
    const std::int64_t n = g.split(g.out, l, o);
    if (!g.input_of(o, t, p)) return A(0);
    return A(x.at(n, z * g.in_channels + c, p));
  }
  __device__ Out& place(std::int64_t i, std::int64_t j) const {
    std::int64_t t[3];
    const std::uint32_t c = g.taps.whole.quotient(static_cast<std::uint32_t>(j));
    g.taps.place(static_cast<std::uint32_t>(j) - c * g.taps.whole.d, t);
    return dw.at(z * g.out_channels + i, c, t);
  }
  __device__ A start(std::int64_t i, std::int64_t j) const {
    return add && alpha == A(1) ? A(place(i, j)) : A(0);
  }
  __device__ void finish(std::int64_t i, std::int64_t j, A sum) const {
    Out& to = place(i, j);
    if (alpha != A(1)) sum = alpha * sum + (add ? A(to) : A(0));
    to = static_cast<Out>(sum);
  }
};

}  // namespace

void conv_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw,
                          const ConvOptions& options, bool add, double alpha) {
  if (dw.numel() == 0) return;
#if defined(__CUDACC__)
  if (library_conv_weight_gradient(x, dy, dw, options, add, alpha)) return;
#endif
  visit_result("conv", x.dtype(), dw.dtype(), [&]<class T, class Out> {
    run_conv(WeightGradient<T, Out>(x, dw, dy, options, add, alpha), dw);
  });
}

}  // namespace gradus::cuda
