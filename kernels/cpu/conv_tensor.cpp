// convolution on tensors: sizes and strides for the engines in correlate.h and weight_gradient.h.
#include <numeric>

#include "gradus/kernels/conv.h"
#include "gradus/kernels/cpu/correlate.h"
#include "gradus/kernels/cpu/weight_gradient.h"
#include "gradus/kernels/create.h"

namespace gradus::cpu {
namespace {

/// Missing leading dimensions have size 1; their strides are never used.
Layout layout_of(const Tensor& t) {
  const Strides& s = t.strides();
  const int n = t.dim();
  return {s[0], s[1], n > 4 ? s[n - 3] : 0, n > 3 ? s[n - 2] : 0, s[n - 1]};
}

/// Spatial size `d` of three, 1 where the tensor has fewer.
std::int64_t size_of_axis(const Tensor& t, int d) {
  const int at = t.dim() - 3 + d;
  return at < 2 ? 1 : t.shape()[at];
}

/// The axes of y = conv(x, w).
void forward_axes(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& o,
                  Axis* axis) {
  for (int d = 0; d < 3; ++d) {
    const int i = d - (5 - x.dim());  // place in the options
    axis[d].inputs = size_of_axis(x, d);
    axis[d].outputs = size_of_axis(y, d);
    axis[d].taps = size_of_axis(w, d);
    if (i < 0) continue;
    axis[d].stride = o.stride[i];
    axis[d].first_shift = -o.padding[i];
    axis[d].shift_step = o.dilation[i];
  }
}

/// The axis of dx for the elements begin + i * stride: output i reads dy at i + shift(t) for those
/// taps for which (begin + padding - t dilation) is a multiple of the stride.
Axis gradient_axis(const Axis& forward, std::int64_t begin) {
  Axis a;
  a.inputs = forward.outputs;
  a.begin = begin;
  a.step = forward.stride;
  a.outputs = (forward.inputs - begin + forward.stride - 1) / forward.stride;
  const std::int64_t s = forward.stride, dilation = forward.shift_step;
  a.tap_step = s / std::gcd(s, dilation);
  a.shift_step = -(a.tap_step * dilation / s);
  a.taps = 0;
  for (std::int64_t t = 0; t < std::min(forward.taps, a.tap_step); ++t) {
    const std::int64_t at = begin - forward.first_shift - t * dilation;
    if (at % s != 0) continue;
    a.first_tap = t;
    a.first_shift = at / s;
    a.taps = (forward.taps - 1 - t) / a.tap_step + 1;
    break;
  }
  return a;
}

template <class F>
void with_types(const char* op, Dtype dtype, F f) {
  visit_floating(dtype, op, [&]<class S> { f.template operator()<compute_t<S>, S>(); });
}

/// The types that correlate() knows.
template <class F>
void with_correlated_types(const char* op, Dtype dtype, F f) {
  visit_numbers(dtype, op, [&]<class S> { f.template operator()<compute_t<S>, S>(); });
}

}  // namespace

void conv(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& o) {
  with_correlated_types("conv", x.dtype(), [&]<class T, class S> {
    const Tensor weights = as_contiguous(w);
    Correlation<T, S> g;
    forward_axes(x, w, y, o, g.axis);
    g.n = x.size(0), g.groups = o.groups;
    g.in_channels = w.size(1), g.out_channels = w.size(0) / o.groups;
    g.x = static_cast<const S*>(x.data()), g.x_at = layout_of(x);
    g.y = static_cast<S*>(y.data()), g.y_at = layout_of(y);
    g.w = static_cast<const S*>(weights.data());
    g.kernel_h = g.axis[1].taps, g.kernel_w = g.axis[2].taps;
    g.w_in = g.axis[0].taps * g.kernel_h * g.kernel_w;
    g.w_out = g.in_channels * g.w_in;
    g.w_group = g.out_channels * g.w_out;
    Tensor bias;
    if (o.bias) {
      bias = as_contiguous(as_dtype(o.bias, dtype_of<T>));
      g.finish.bias = bias.data<T>();
    }
    g.finish.activation = o.activation;
    correlate(g);
  });
}

void conv_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                         const ConvOptions& o) {
  if (dx.dtype() != dy.dtype())  // half types are exact in f32
    return conv_input_gradient(as_dtype(dy, dx.dtype()), as_dtype(w, dx.dtype()), dx, o);
  with_correlated_types("conv", dy.dtype(), [&]<class T, class S> {
    const Tensor weights = as_contiguous(w);
    Axis forward[3];
    forward_axes(dx, w, dy, o, forward);
    Correlation<T, S> g;
    g.n = dy.size(0), g.groups = o.groups;
    g.in_channels = w.size(0) / o.groups, g.out_channels = w.size(1);
    g.x = static_cast<const S*>(dy.data()), g.x_at = layout_of(dy);
    g.y = static_cast<S*>(dx.data()), g.y_at = layout_of(dx);
    g.w = static_cast<const S*>(weights.data());
    g.kernel_h = forward[1].taps, g.kernel_w = forward[2].taps;
    g.w_out = forward[0].taps * g.kernel_h * g.kernel_w;
    g.w_in = g.out_channels * g.w_out;
    g.w_group = g.in_channels * g.w_in;
    // With a stride, elements of dx that differ modulo it meet different taps: one correlation
    // each.
    for (std::int64_t d = 0; d < std::min(forward[0].stride, forward[0].inputs); ++d) {
      for (std::int64_t h = 0; h < std::min(forward[1].stride, forward[1].inputs); ++h) {
        for (std::int64_t v = 0; v < std::min(forward[2].stride, forward[2].inputs); ++v) {
          const std::int64_t begin[] = {d, h, v};
          for (int i = 0; i < 3; ++i) g.axis[i] = gradient_axis(forward[i], begin[i]);
          correlate(g);
        }
      }
    }
  });
}

void conv_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw, const ConvOptions& o,
                          bool add, double alpha) {
  if (dw.dtype() != dy.dtype()) {
    return conv_weight_gradient(as_dtype(x, dw.dtype()), as_dtype(dy, dw.dtype()), dw, o, add,
                                alpha);
  }
  if (!dw.is_contiguous()) {
    const Tensor own = empty(dw.shape(), dw.options());
    if (add) copy(dw, own);
    conv_weight_gradient(x, dy, own, o, add, alpha);
    return copy(own, dw);
  }
  with_types("conv", x.dtype(), [&]<class T, class S> {
    WeightGradient<T, S> g;
    forward_axes(x, dw, dy, o, g.axis);
    g.n = x.size(0), g.groups = o.groups;
    g.in_channels = dw.size(1), g.out_channels = dw.size(0) / o.groups;
    g.x = static_cast<const S*>(x.data()), g.x_at = layout_of(x);
    g.dy = static_cast<const S*>(dy.data()), g.dy_at = layout_of(dy);
    g.dw = static_cast<S*>(dw.data());
    g.add = add, g.alpha = static_cast<T>(alpha);
    weight_gradient(g);
  });
}

void conv_bias_gradient(const Tensor& dy, const Tensor& db, bool add, double alpha) {
  if (db.dtype() != dy.dtype()) return conv_bias_gradient(as_dtype(dy, db.dtype()), db, add, alpha);
  if (!db.is_contiguous()) {
    const Tensor own = empty(db.shape(), db.options());
    if (add) copy(db, own);
    conv_bias_gradient(dy, own, add, alpha);
    return copy(own, db);
  }
  with_types("conv", dy.dtype(), [&]<class T, class S> {
    WeightGradient<T, S> g;
    for (int d = 0; d < 3; ++d) g.axis[d].outputs = size_of_axis(dy, d);
    g.n = dy.size(0), g.out_channels = dy.size(1);
    g.dy = static_cast<const S*>(dy.data()), g.dy_at = layout_of(dy);
    g.add = add, g.alpha = static_cast<T>(alpha);
    bias_gradient(g, static_cast<S*>(db.data()));
  });
}

}  // namespace gradus::cpu
