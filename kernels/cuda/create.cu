// Filling, ranges, and copies of any kind: strided, broadcast, converted, between host and device.
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/pointwise.cuh"

namespace gradus::cuda {
namespace {

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

template <class To>
struct Convert {
  template <class From>
  __device__ To operator()(From v) const {
    return convert<To>(v);
  }
};
struct Same {
  template <class T>
  __device__ T operator()(T v) const {
    return v;
  }
};

template <class T, class Number>
__global__ void fill_range(std::int64_t n, Number start, Number step, T* y) {
  const std::int64_t i = std::int64_t{blockIdx.x} * pointwise_threads + threadIdx.x;
  if (i < n) y[i] = range_value<T>(start, step, i);
}

/// Calls f with the arithmetic type of `dtype`: float for the half types.
template <class F>
void visit_arithmetic(Dtype dtype, F&& f) {
  visit(dtype, [&]<class T> { f.template operator()<compute_t<T>>(); });
}

std::size_t bytes_of(const Tensor& t) {
  return static_cast<std::size_t>(t.numel()) * size_of(t.dtype());
}

void copy_on_device(const Tensor& x, const Tensor& y) {
  if (x.dtype() != y.dtype()) {
    return visit_arithmetic(y.dtype(), [&]<class To> {
      visit_arithmetic(x.dtype(), [&]<class From> {
        pointwise<To, From>(Convert<To>{}, {&y, &x});
      });
    });
  }
  if (x.is_contiguous() && y.is_contiguous() && x.numel() == y.numel()) {
    if (y.numel() > 0)
      runtime::copy(y.data(), x.data(), bytes_of(y), compute_stream(y.device().index()));
    return;
  }
  switch (size_of(x.dtype())) {  // same bits: only the width matters
    case 1: return pointwise<std::uint8_t, std::uint8_t>(Same{}, {&y, &x});
    case 2: return pointwise<std::uint16_t, std::uint16_t>(Same{}, {&y, &x});
    case 4: return pointwise<std::uint32_t, std::uint32_t>(Same{}, {&y, &x});
    default: return pointwise<std::uint64_t, std::uint64_t>(Same{}, {&y, &x});
  }
}

/// `x` of shape, dtype and row-major order of `y`, on x's device.
Tensor shaped_like(const Tensor& x, const Tensor& y) {
  if (x.dtype() == y.dtype() && x.is_contiguous() && x.shape() == y.shape()) return x;
  const Tensor same = empty(y.shape(), {y.dtype(), x.device()});
  copy_into(x, same);
  return same;
}

/// From one device to another: their streams wait for each other, the host for none.
void copy_between(const Tensor& x, const Tensor& y) {
  const Stream from = compute_stream(x.device().index()), to = compute_stream(y.device().index());
  static const Event written = runtime::make_event(from.device),
                     read = runtime::make_event(to.device);
  runtime::record(written, from);
  runtime::wait(to, written);
  runtime::copy(y.data(), x.data(), bytes_of(y), to);
  runtime::record(read, to);
  runtime::wait(from, read);  // x's memory may be given to others only then
}

}  // namespace

void fill(const Tensor& y, Scalar value) {
  visit(y.dtype(), [&]<class T> {
    using C = compute_t<T>;
    // Converted to y's own type first: a half value that rounds does so once.
    pointwise<C>(Constant<C>{static_cast<C>(convert_scalar<T>(value))}, {&y});
  });
}

void range(const Tensor& y, Scalar start, Scalar step) {
  visit(y.dtype(), [&]<class T> {
    with_range<T>(start, step, [&]<class Number>(Number from, Number by) {
      launch<fill_range<T, Number>>(pieces(y.numel(), pointwise_threads), pointwise_threads, 0,
                                    compute_stream(y.device().index()), y.numel(), from, by,
                                    y.data<T>());
    });
  });
}

void copy(const Tensor& x, const Tensor& y) {
  if (y.numel() == 0) return;
  if (x.device() == y.device()) return copy_on_device(x, y);
  const Tensor source = shaped_like(x, y);
  const bool direct = y.is_contiguous();
  const Tensor target = direct ? y : empty(y.shape(), y.options());
  if (x.device().is_cpu())
    upload(target.data(), source.data(), bytes_of(y), y.device().index());
  else if (y.device().is_cpu())
    download(target.data(), source.data(), bytes_of(y), x.device().index());
  else
    copy_between(source, target);
  if (!direct) copy_into(target, y);
}

}  // namespace gradus::cuda
