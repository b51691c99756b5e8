#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/activate.cuh"
#include "gradus/kernels/cuda/conv.cuh"
#include "gradus/kernels/cuda/library_conv.h"

namespace gradus::cuda {
namespace {

template <class T>
struct Forward {
  using A = compute_t<T>;
  std::int64_t z = 0;  // the group
  Geometry g;
  Images<const T> x, w;
  Images<T> y;
  const T* bias = nullptr;
  Activation activation;
  static constexpr bool a_runs_along_l = true, b_runs_along_l = false;
  Forward(const Tensor& x_, const Tensor& w_, const Tensor& y_, const ConvOptions& o)
      : g(x_, w_, y_, o), x(x_), w(w_), y(y_), activation(o.activation) {}
  /// Row l of patches as channel and taps.
  __device__ std::int64_t split_taps(std::int64_t l, std::int64_t (&t)[3]) const {
    const std::uint32_t c = g.taps.whole.quotient(static_cast<std::uint32_t>(l));
    g.taps.place(static_cast<std::uint32_t>(l) - c * g.taps.whole.d, t);
    return c;
  }
  ProductSize size() const {
    return {g.out_channels, g.images * g.out.count, g.in_channels * g.taps.count, g.groups};
  }
  __device__ Forward product(std::int64_t group) const {
    Forward p = *this;
    p.z = group;
    return p;
  }
  __device__ A a(std::int64_t i, std::int64_t l) const {
    std::int64_t t[3];
    const std::int64_t c = split_taps(l, t);
    return A(w.at(z * g.out_channels + i, c, t));
  }
  __device__ A b(std::int64_t l, std::int64_t j) const {
    std::int64_t t[3], o[3], p[3];
    const std::int64_t c = split_taps(l, t), n = g.split(g.out, j, o);
    if (!g.input_of(o, t, p)) return A(0);
    return A(x.at(n, z * g.in_channels + c, p));
  }
  __device__ A start(std::int64_t, std::int64_t) const { return A(0); }
  __device__ void finish(std::int64_t i, std::int64_t j, A sum) const {
    std::int64_t o[3];
    const std::int64_t n = g.split(g.out, j, o), c = z * g.out_channels + i;
    if (bias != nullptr) sum += A(bias[c]);
    y.at(n, c, o) = T(activate(activation, sum));
  }
};

}  // namespace

void conv(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& options) {
  if (y.numel() == 0) return;
#if defined(__CUDACC__)
  if (library_conv(x, w, y, options)) return;
#endif
  visit_floating(x.dtype(), "conv", [&]<class T> {
    Forward<T> p(x, w, y, options);
    const Tensor bias =
        options.bias ? as_contiguous(as_dtype(options.bias, dtype_of<T>)) : Tensor();
    if (bias) p.bias = bias.data<T>();
    run_conv(p, y);
  });
}

}  // namespace gradus::cuda
