// Convolution as a product of implicit matrices (product.cuh): the matrix of patches is computed
// from the image while it is read. Three products, one for each direction:
//
//   y  (O x NP)   = w  (O x CT)   patches of x      (CT x NP)     P output positions, T taps
//   dx (C x NQ)   = w' (C x OT)   patches of dy     (OT x NQ)     Q input positions
//   dw (O x CT)   = dy (O x NP)   patches of x, transposed
//
// Groups are products beside each other. Any strides; 1 to 3 spatial dimensions.
#include "gradus/kernels/conv.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/activate.cuh"
#include "gradus/kernels/cuda/channel_reduce.cuh"
#include "gradus/kernels/cuda/pointwise.cuh"
#include "gradus/kernels/cuda/product.cuh"
#include "gradus/tensor/views.h"

namespace gradus::cuda {
namespace {

/// A tensor of (N, C, D, H, W), missing dimensions of size 1.
template <class T>
struct Images {
  T* data;
  std::int64_t image, channel, step[3];
  explicit Images(const Tensor& t)
      : data(static_cast<T*>(t.data())), image(t.strides()[0]), channel(t.strides()[1]) {
    for (int d = 0; d < 3; ++d) {
      const int at = t.dim() - 3 + d;
      step[d] = at < 2 ? 0 : t.strides()[at];
    }
  }
  __device__ T& at(std::int64_t n, std::int64_t c, const std::int64_t (&p)[3]) const {
    return data[n * image + c * channel + p[0] * step[0] + p[1] * step[1] + p[2] * step[2]];
  }
};

/// Sizes of three axes, and a number as a place in them.
struct Axes {
  std::int64_t count;
  Divisor plane, row;
  explicit Axes(const Tensor& t) {
    std::int64_t size[3];
    for (int d = 0; d < 3; ++d) {
      const int at = t.dim() - 3 + d;
      size[d] = at < 2 ? 1 : t.shape()[at];
    }
    count = size[0] * size[1] * size[2];
    plane = Divisor(static_cast<std::uint32_t>(size[1] * size[2]));
    row = Divisor(static_cast<std::uint32_t>(size[2]));
    whole = Divisor(static_cast<std::uint32_t>(count));
    for (int d = 0; d < 3; ++d) sizes[d] = size[d];
  }
  Divisor whole;
  std::int64_t sizes[3];
  __device__ void place(std::uint32_t i, std::int64_t (&p)[3]) const {
    const std::uint32_t z = plane.quotient(i), rest = i - z * plane.d, y = row.quotient(rest);
    p[0] = z;
    p[1] = y;
    p[2] = rest - y * row.d;
  }
};

struct Geometry {
  std::int64_t images, groups, in_channels, out_channels;  // of a group
  Axes in, out, taps;
  std::int64_t stride[3] = {1, 1, 1}, padding[3] = {0, 0, 0}, dilation[3] = {1, 1, 1};
  Geometry(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& o)
      : images(x.shape()[0]),
        groups(o.groups),
        in_channels(x.shape()[1] / o.groups),
        out_channels(y.shape()[1] / o.groups),
        in(x),
        out(y),
        taps(w) {
    for (int d = 0; d < 3; ++d) {
      const int i = d - (5 - x.dim());
      if (i < 0) continue;
      stride[d] = o.stride[i];
      padding[d] = o.padding[i];
      dilation[d] = o.dilation[i];
    }
    const std::int64_t most = std::int64_t{1} << 30;
    check(images * in.count < most && images * out.count < most, ErrorKind::unsupported,
          "conv: more than 2^30 positions in a batch");
  }

  /// A column of patches as image and position: j of images * axes.
  __device__ std::int64_t split(const Axes& axes, std::int64_t j, std::int64_t (&p)[3]) const {
    const std::uint32_t n = axes.whole.quotient(static_cast<std::uint32_t>(j));
    axes.place(static_cast<std::uint32_t>(j) - n * axes.whole.d, p);
    return n;
  }
  /// The input that output `o` reads at tap `t`: into p; false if it lies in the padding.
  __device__ bool input_of(const std::int64_t (&o)[3], const std::int64_t (&t)[3],
                           std::int64_t (&p)[3]) const {
    for (int d = 0; d < 3; ++d) {
      p[d] = o[d] * stride[d] + t[d] * dilation[d] - padding[d];
      if (p[d] < 0 || p[d] >= in.sizes[d]) return false;
    }
    return true;
  }
  /// The output that reads input `i` at tap `t`, if there is one.
  __device__ bool output_of(const std::int64_t (&i)[3], const std::int64_t (&t)[3],
                            std::int64_t (&p)[3]) const {
    for (int d = 0; d < 3; ++d) {
      const std::int64_t at = i[d] + padding[d] - t[d] * dilation[d];
      if (at < 0 || at % stride[d] != 0) return false;
      p[d] = at / stride[d];
      if (p[d] >= out.sizes[d]) return false;
    }
    return true;
  }
};

template <class T>
struct Shared {
  using A = compute_t<T>;
  std::int64_t z = 0;  // the group
  Geometry g;
  Images<const T> x, w;
  Images<T> y;
  Shared(const Tensor& x_, const Tensor& w_, const Tensor& y_, const ConvOptions& o)
      : g(x_, w_, y_, o), x(x_), w(w_), y(y_) {}
  /// Row l of patches as channel and taps.
  __device__ std::int64_t split_taps(std::int64_t l, std::int64_t (&t)[3]) const {
    const std::uint32_t c = g.taps.whole.quotient(static_cast<std::uint32_t>(l));
    g.taps.place(static_cast<std::uint32_t>(l) - c * g.taps.whole.d, t);
    return c;
  }
};

template <class T>
struct Forward : Shared<T> {
  using A = compute_t<T>;
  const T* bias = nullptr;
  Activation activation;
  static constexpr bool a_runs_along_l = true, b_runs_along_l = false;
  Forward(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& o)
      : Shared<T>(x, w, y, o), activation(o.activation) {}
  ProductSize size() const {
    return {this->g.out_channels, this->g.images * this->g.out.count,
            this->g.in_channels * this->g.taps.count, this->g.groups};
  }
  __device__ Forward product(std::int64_t group) const {
    Forward p = *this;
    p.z = group;
    return p;
  }
  __device__ A a(std::int64_t i, std::int64_t l) const {
    std::int64_t t[3];
    const std::int64_t c = this->split_taps(l, t);
    return A(this->w.at(this->z * this->g.out_channels + i, c, t));
  }
  __device__ A b(std::int64_t l, std::int64_t j) const {
    std::int64_t t[3], o[3], p[3];
    const std::int64_t c = this->split_taps(l, t), n = this->g.split(this->g.out, j, o);
    if (!this->g.input_of(o, t, p)) return A(0);
    return A(this->x.at(n, this->z * this->g.in_channels + c, p));
  }
  __device__ A start(std::int64_t, std::int64_t) const { return A(0); }
  __device__ void finish(std::int64_t i, std::int64_t j, A sum) const {
    std::int64_t o[3];
    const std::int64_t n = this->g.split(this->g.out, j, o), c = this->z * this->g.out_channels + i;
    if (bias != nullptr) sum += A(bias[c]);
    this->y.at(n, c, o) = T(activate(activation, sum));
  }
};

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

/// Calls f with the type of the inputs and that of a gradient: the same, or f32 beside a half type.
template <class F>
void visit_result(const char* op, Dtype in, Dtype out, F&& f) {
  visit_floating(in, op, [&]<class T> {
    if (out == in) return f.template operator()<T, T>();
    if constexpr (sizeof(T) == 2) f.template operator()<T, float>();
  });
}

template <class Problem>
void run(const Problem& p, const Tensor& t) {
  run_product(p.size(), p, compute_stream(t.device().index()));
}

}  // namespace

void conv(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& options) {
  if (y.numel() == 0) return;
  visit_floating(x.dtype(), "conv", [&]<class T> {
    Forward<T> p(x, w, y, options);
    const Tensor bias =
        options.bias ? as_contiguous(as_dtype(options.bias, dtype_of<T>)) : Tensor();
    if (bias) p.bias = bias.data<T>();
    run(p, y);
  });
}

void conv_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                         const ConvOptions& options) {
  if (dx.numel() == 0) return;
  visit_result("conv", dy.dtype(), dx.dtype(), [&]<class T, class Out> {
    run(InputGradient<T, Out>(dx, w, dy, options), dx);
  });
}

void conv_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw,
                          const ConvOptions& options, bool add, double alpha) {
  if (dw.numel() == 0) return;
  visit_result("conv", x.dtype(), dw.dtype(), [&]<class T, class Out> {
    run(WeightGradient<T, Out>(x, dw, dy, options, add, alpha), dw);
  });
}

}  // namespace gradus::cuda
