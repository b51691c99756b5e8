#include "gradus/kernels/create.h"

#include <cstring>

#include "gradus/kernels/cpu/loop.h"

namespace gradus::cpu {
namespace {

/// Conversion as a C cast does it, through float for the half types; anything but zero is true.
template <class To, class From>
inline To convert(From v) {
  using F = compute_t<From>;
  if constexpr (std::is_same_v<To, bool>)
    return F(v) != F(0);
  else
    return To(compute_t<To>(F(v)));
}

template <class To, class From>
void copy_loop(const Loop<2>& loop) {
  To* y = static_cast<To*>(loop.data[0]);
  const From* x = static_cast<const From*>(loop.data[1]);
  for_each_row(loop, [&](const std::int64_t* at, std::int64_t n) {
    map_row(y + at[0], loop.strides[0][0], x + at[1], loop.strides[1][0], n,
            [](From v) { return convert<To>(v); });
  });
}

}  // namespace

void fill(const Tensor& y, double value) {
  visit(y.dtype(), [&]<class T> {
    const T v = convert<T>(value);
    const Loop<1> loop({&y});
    T* p = static_cast<T*>(loop.data[0]);
    for_each_row(loop, [&](const std::int64_t* at, std::int64_t n) {
      T* row = p + at[0];
      const std::int64_t step = loop.strides[0][0];
      if (step == 1)
        std::fill_n(row, n, v);
      else
        for (std::int64_t i = 0; i < n; ++i) row[i * step] = v;
    });
  });
}

void range(const Tensor& y, double start, double step) {
  visit(y.dtype(), [&]<class T> {
    T* p = static_cast<T*>(y.data());
    for (std::int64_t i = 0; i < y.numel(); ++i) {
      p[i] = convert<T>(start + static_cast<double>(i) * step);
    }
  });
}

void copy(const Tensor& x, const Tensor& y) {
  if (x.dtype() == y.dtype() && x.is_contiguous() && y.is_contiguous() && x.numel() == y.numel() &&
      y.numel() < pointwise_grain) {
    if (y.numel() > 0)
      std::memcpy(y.data(), x.data(), static_cast<std::size_t>(y.numel()) * size_of(y.dtype()));
    return;
  }
  const Loop<2> loop({&y, &x});
  if (x.dtype() == y.dtype()) {  // same bits: only the width matters
    switch (size_of(x.dtype())) {
      case 1: return copy_loop<std::uint8_t, std::uint8_t>(loop);
      case 2: return copy_loop<std::uint16_t, std::uint16_t>(loop);
      case 4: return copy_loop<std::uint32_t, std::uint32_t>(loop);
      default: return copy_loop<std::uint64_t, std::uint64_t>(loop);
    }
  }
  visit(y.dtype(),
        [&]<class To> { visit(x.dtype(), [&]<class From> { copy_loop<To, From>(loop); }); });
}

}  // namespace gradus::cpu
