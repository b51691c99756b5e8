// What cuBLASLt is asked for, carried out here as BLAS defines it, is the product that was meant.
#include <gtest/gtest.h>

#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/blas_layout.h"
#include "gradus/kernels/matmul.h"
#include "gradus/kernels/random.h"
#include "gradus/tensor/views.h"

namespace gradus::cuda {
namespace {

Tensor random_values(const Shape& shape) {
  const Tensor t = empty(shape, {Dtype::f64});
  cpu::normal({.seed = 7}, 0, 1, t);
  return t;
}

/// result = left right, element by element, by the strides of the request alone.
void carry_out(const BlasProduct& p, const Tensor& left, const Tensor& right, const Tensor& c) {
  const auto at = [](const Tensor& t, const BlasMatrix& m, std::int64_t z, std::int64_t i,
                     std::int64_t j) -> double& {
    return static_cast<double*>(
        t.data())[z * m.step + (m.turned ? j + i * m.stride : i + j * m.stride)];
  };
  for (std::int64_t z = 0; z < p.batch; ++z) {
    for (std::int64_t i = 0; i < p.rows; ++i) {
      for (std::int64_t j = 0; j < p.columns; ++j) {
        double sum = 0;
        for (std::int64_t l = 0; l < p.depth; ++l)
          sum += at(left, p.left, z, i, l) * at(right, p.right, z, l, j);
        at(c, p.result, z, i, j) = sum;
      }
    }
  }
}

void expect_same_product(const Tensor& a, const Tensor& b, const Tensor& c) {
  SCOPED_TRACE(to_string(a.shape()) + " times " + to_string(b.shape()));
  const std::optional<BlasProduct> p = as_blas(a, b, c);
  ASSERT_TRUE(p);
  // What BLAS demands of a stride: no column overlaps the next.
  const auto fits = [](const BlasMatrix& m, std::int64_t rows, std::int64_t columns) {
    return m.stride >= (m.turned ? columns : rows);
  };
  EXPECT_TRUE(fits(p->left, p->rows, p->depth));
  EXPECT_TRUE(fits(p->right, p->depth, p->columns));
  EXPECT_TRUE(fits(p->result, p->rows, p->columns));
  const Tensor expected = empty(c.shape(), c.options());
  cpu::matmul(a, b, expected);
  carry_out(*p, b, a, c);
  const auto x = expected.to_vector<double>(), y = as_contiguous(c).to_vector<double>();
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], 1e-12);
}

TEST(CudaBlasLayout, EveryOrderOfTheFactors) {
  for (const std::int64_t m : {1, 3, 5}) {
    for (const std::int64_t k : {1, 2, 7}) {
      for (const std::int64_t n : {1, 4, 6}) {
        const Tensor c = empty({m, n}, {Dtype::f64});
        const Tensor a = random_values({m, k}), b = random_values({k, n});
        const Tensor a_turned = views::transpose(random_values({k, m}), 0, 1);
        const Tensor b_turned = views::transpose(random_values({n, k}), 0, 1);
        for (const Tensor& x : {a, a_turned}) {
          for (const Tensor& y : {b, b_turned}) expect_same_product(x, y, c);
        }
      }
    }
  }
}

TEST(CudaBlasLayout, RowsOfLargerMatrices) {
  const Tensor a = views::slice(random_values({4, 9}), 1, 2, 7, 1);
  const Tensor b = views::slice(random_values({5, 8}), 1, 1, 7, 1);
  const Tensor c = views::slice(empty({4, 10}, {Dtype::f64}), 1, 3, 9, 1);
  expect_same_product(a, b, c);
}

TEST(CudaBlasLayout, BatchesAndBroadcasting) {
  const Tensor a = random_values({2, 3, 4, 5}), b = random_values({2, 3, 5, 6});
  expect_same_product(a, b, empty({2, 3, 4, 6}, {Dtype::f64}));
  expect_same_product(a, random_values({5, 6}), empty({2, 3, 4, 6}, {Dtype::f64}));
  expect_same_product(random_values({1, 1, 4, 5}), b, empty({2, 3, 4, 6}, {Dtype::f64}));
  expect_same_product(random_values({2, 1, 4, 5}), random_values({2, 1, 5, 6}),
                      empty({2, 1, 4, 6}, {Dtype::f64}));
}

TEST(CudaBlasLayout, WhatBlasCannotSayIsRefused) {
  const Tensor c = empty({2, 3, 4, 6}, {Dtype::f64});
  const Tensor a = random_values({2, 3, 4, 5}), b = random_values({2, 3, 5, 6});
  EXPECT_FALSE(as_blas(random_values({3, 4, 5}), b, c)) << "a batch repeated in parts";
  EXPECT_FALSE(as_blas(views::transpose(random_values({3, 2, 4, 5}), 0, 1), b, c));
  EXPECT_FALSE(as_blas(views::select(random_values({2, 3, 4, 5, 2}), 4, 0), b, c)) << "neighbours";
  EXPECT_FALSE(as_blas(a, b, views::transpose(empty({2, 3, 6, 4}, {Dtype::f64}), 2, 3)));
}

}  // namespace
}  // namespace gradus::cuda
