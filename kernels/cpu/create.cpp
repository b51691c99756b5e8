// Fills, ranges and copies. A pair of types costs one loop over contiguous memory; strided rows of
// different types are brought together in blocks on the stack, by loops that know the width alone.
#include "gradus/kernels/create.h"

#include <cstddef>
#include <cstring>

#include "gradus/kernels/convert.h"
#include "gradus/kernels/cpu/loop.h"

namespace gradus::cpu {
namespace {

/// y[i] = x[i] for n elements, both contiguous.
using ConvertRow = void (*)(void* y, const void* x, std::int64_t n);
template <class To, class From>
void convert_row(void* y, const void* x, std::int64_t n) {
  To* to = static_cast<To*>(y);
  const From* from = static_cast<const From*>(x);
  for (std::int64_t i = 0; i < n; ++i) to[i] = convert<To>(from[i]);
}

/// The same bits from one place to another; the steps are in elements.
using MoveRow = void (*)(void* y, std::int64_t sy, const void* x, std::int64_t sx, std::int64_t n);
template <class Word>
void move_row(void* y, std::int64_t sy, const void* x, std::int64_t sx, std::int64_t n) {
  Word* to = static_cast<Word*>(y);
  const Word* from = static_cast<const Word*>(x);
  if (sy == 1 && sx == 1)
    std::copy_n(from, n, to);
  else
    for (std::int64_t i = 0; i < n; ++i) to[i * sy] = from[i * sx];
}
MoveRow mover(Dtype dtype) {
  switch (size_of(dtype)) {
    case 1: return move_row<std::uint8_t>;
    case 2: return move_row<std::uint16_t>;
    case 4: return move_row<std::uint32_t>;
    default: return move_row<std::uint64_t>;
  }
}

}  // namespace

void fill(const Tensor& y, Scalar value) {
  visit(y.dtype(), [&]<class T> {
    const T v = convert_scalar<T>(value);
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

void range(const Tensor& y, Scalar start, Scalar step) {
  visit(y.dtype(), [&]<class T> {
    T* p = static_cast<T*>(y.data());
    with_range<T>(start, step, [&](auto from, auto by) {
      for (std::int64_t i = 0; i < y.numel(); ++i) p[i] = range_value<T>(from, by, i);
    });
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
  const std::int64_t sy = loop.strides[0][0], sx = loop.strides[1][0];
  const auto y_size = static_cast<std::int64_t>(size_of(y.dtype()));
  const auto x_size = static_cast<std::int64_t>(size_of(x.dtype()));
  char* const to = static_cast<char*>(loop.data[0]);
  const char* const from = static_cast<const char*>(loop.data[1]);
  const MoveRow move_y = mover(y.dtype()), move_x = mover(x.dtype());
  if (x.dtype() == y.dtype()) {
    return for_each_row(loop, [=](const std::int64_t* at, std::int64_t n) {
      move_y(to + at[0] * y_size, sy, from + at[1] * x_size, sx, n);
    });
  }
  ConvertRow convert_all = nullptr;
  visit(y.dtype(), [&]<class To> {
    visit(x.dtype(), [&]<class From> { convert_all = convert_row<To, From>; });
  });
  for_each_row(loop, [=](const std::int64_t* at, std::int64_t n) {
    char* const row = to + at[0] * y_size;
    const char* const x_row = from + at[1] * x_size;
    if (sy == 1 && sx == 1) return convert_all(row, x_row, n);
    constexpr std::int64_t block = 256;
    alignas(64) std::byte before[8 * block], after[8 * block];
    for (std::int64_t i = 0; i < n; i += block) {
      const std::int64_t m = std::min(block, n - i);
      move_x(before, 1, x_row + i * sx * x_size, sx, m);
      convert_all(after, before, m);
      move_y(row + i * sy * y_size, sy, after, 1, m);
    }
  });
}

}  // namespace gradus::cpu
