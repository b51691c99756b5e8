// Copies between all pairs of dtypes and memory forms, element by element against a C cast.
#include <gtest/gtest.h>

#include "gradus/kernels/create.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

using views::expand, views::slice, views::transpose;

constexpr Dtype all_dtypes[] = {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16,
                                Dtype::i32, Dtype::i64, Dtype::u8,   Dtype::boolean};

/// Element (i, j) as a double, read through the strides.
double element(const Tensor& t, std::int64_t i, std::int64_t j) {
  return visit(t.dtype(), [&]<class T> {
    const std::int64_t at = i * t.strides()[0] + j * t.strides()[1];
    return static_cast<double>(static_cast<compute_t<T>>(t.data<T>()[at]));
  });
}

/// (rows, columns), values 0 to 100 that every dtype but boolean holds, written one by one.
Tensor numbers(std::int64_t rows, std::int64_t columns, Dtype dtype) {
  const Tensor t = empty({rows, columns}, {dtype});
  visit(dtype, [&]<class T> {
    for (std::int64_t i = 0; i < t.numel(); ++i) {
      t.data<T>()[i] = T(static_cast<compute_t<T>>(i * 37 % 101));
    }
  });
  return t;
}

void expect_copied(const Tensor& x, const Tensor& y) {
  copy_into(x, y);
  int wrong = 0;
  for (std::int64_t i = 0; i < y.size(0); ++i) {
    for (std::int64_t j = 0; j < y.size(1); ++j) {
      const double v = element(x, i, j);
      wrong += element(y, i, j) != (y.dtype() == Dtype::boolean ? v != 0 : v);
    }
  }
  EXPECT_EQ(wrong, 0) << to_string(x.dtype()) << " to " << to_string(y.dtype()) << ", steps "
                      << x.strides()[1] << " and " << y.strides()[1];
}

TEST(Copy, ConvertsEveryDtypeInEveryMemoryForm) {
  constexpr std::int64_t m = 5, n = 601;  // rows that end within a block of the conversion
  for (const Dtype from : all_dtypes) {
    const Tensor forms[] = {numbers(m, n, from), transpose(numbers(n, m, from), 0, 1),
                            slice(numbers(m, 2 * n, from), 1, 0, 2 * n, 2),
                            expand(numbers(m, 1, from), {m, n}),
                            expand(numbers(1, n, from), {m, n})};
    for (const Dtype to : all_dtypes) {
      for (const Tensor& x : forms) {
        expect_copied(x, empty({m, n}, {to}));
        expect_copied(x, transpose(empty({n, m}, {to}), 0, 1));
        expect_copied(x, slice(empty({m, 3 * n}, {to}), 1, 0, 3 * n, 3));
      }
    }
  }
}

TEST(Copy, OfManyChunksIsWhole) {
  const std::int64_t n = pointwise_grain + 77;
  expect_copied(numbers(3, n, Dtype::f32), empty({3, n}, {Dtype::f64}));
  expect_copied(transpose(numbers(n, 3, Dtype::u8), 0, 1), empty({3, n}, {Dtype::f32}));
  expect_copied(transpose(numbers(n, 3, Dtype::f32), 0, 1), empty({3, n}, {Dtype::f32}));
}

}  // namespace
}  // namespace gradus
