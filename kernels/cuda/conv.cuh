// Convolution as a product of implicit matrices (product.cuh): the matrix of patches is computed
// from the image while it is read. Three products, one for each direction:
//
//   y  (O x NP)   = w  (O x CT)   patches of x      (CT x NP)     P output positions, T taps
//   dx (C x NQ)   = w' (C x OT)   patches of dy     (OT x NQ)     Q input positions
//   dw (O x CT)   = dy (O x NP)   patches of x, transposed
//
// conv.cu, conv_input.cu and conv_weight.cu, one each, so that no file of the build is slow. Here:
// how a number of a matrix's row or column becomes a place in an image. Groups are products beside
// each other. Any strides; 1 to 3 spatial dimensions.
#pragma once

#include "gradus/kernels/conv.h"
#include "gradus/kernels/cuda/pointwise.cuh"
#include "gradus/kernels/cuda/product.cuh"
#include "gradus/tensor/views.h"

namespace gradus::cuda {

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

/// Calls f with the type of the inputs and that of a gradient: the same, or f32 beside a half type.
template <class F>
void visit_result(const char* op, Dtype in, Dtype out, F&& f) {
  visit_floating(in, op, [&]<class T> {
    if (out == in) return f.template operator()<T, T>();
    if constexpr (sizeof(T) == 2) f.template operator()<T, float>();
  });
}

template <class Problem>
void run_conv(const Problem& p, const Tensor& t) {
  run_product(p.size(), p, compute_stream(t.device().index()));
}

}  // namespace gradus::cuda
