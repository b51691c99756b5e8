#include "gradus/kernels/cuda/conv.cuh"
#include "gradus/kernels/cuda/library_conv.h"

namespace gradus::cuda {
namespace {

/// x is where dx goes, y is dy.
template <class T, class Out>
struct InputGradient {
  using A = compute_t<T>;
  std::int64_t z = 0;
  Geometry g;
  Images<Out> dx;
  Images<const T> w, dy;
  static constexpr bool a_runs_along_l = false, b_runs_along_l = false;
  InputGradient(const Tensor& x, const Tensor& w_, const Tensor& y, const ConvOptions& o)
      : g(x, w_, y, o), dx(x), w(w_), dy(y) {}
  ProductSize size() const {
    return {g.in_channels, g.images * g.in.count, g.out_channels * g.taps.count, g.groups};
  }
  __device__ std::int64_t split_taps(std::int64_t l, std::int64_t (&t)[3]) const {
    const std::uint32_t o = g.taps.whole.quotient(static_cast<std::uint32_t>(l));
    g.taps.place(static_cast<std::uint32_t>(l) - o * g.taps.whole.d, t);
    return o;
  }
  __device__ InputGradient product(std::int64_t group) const {
    InputGradient p = *this;
    p.z = group;
    return p;
  }
  __device__ A a(std::int64_t i, std::int64_t l) const {
    std::int64_t t[3];
    const std::int64_t o = split_taps(l, t);
    return A(w.at(z * g.out_channels + o, i, t));
  }
  __device__ A b(std::int64_t l, std::int64_t j) const {
    std::int64_t t[3], i[3], p[3];
    const std::int64_t o = split_taps(l, t), n = g.split(g.in, j, i);
    if (!g.output_of(i, t, p)) return A(0);
    return A(dy.at(n, z * g.out_channels + o, p));
  }
  __device__ A start(std::int64_t, std::int64_t) const { return A(0); }
  __device__ void finish(std::int64_t i, std::int64_t j, A sum) const {
    std::int64_t p[3];
    const std::int64_t n = g.split(g.in, j, p);
    dx.at(n, z * g.in_channels + i, p) = static_cast<Out>(sum);
  }
};

}  // namespace

void conv_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                         const ConvOptions& options) {
  if (dx.numel() == 0) return;
#if defined(__CUDACC__)
  if (library_conv_input_gradient(dy, w, dx, options)) return;
#endif
  visit_result("conv", dy.dtype(), dx.dtype(), [&]<class T, class Out> {
    run_conv(InputGradient<T, Out>(dx, w, dy, options), dx);
  });
}

}  // namespace gradus::cuda
