// Matrix products on raw pointers: against a naive f64 reference, and bit for bit against
// themselves over strides, threads, splits of rows, columns, batch and k, and the fused finish.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "gradus/kernels/cpu/gemm.h"
#include "gradus/tensor/half.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

using Size = std::int64_t;

template <class T>
std::vector<T> random(Size n, int seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<T> v(n);
  for (T& x : v) x = static_cast<T>(uniform(engine));
  return v;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// A row-major (m, n) matrix, and the same values under other strides.
template <class T>
struct Matrix {
  Size m, n;
  std::vector<T> rows;
  Matrix(Size m_, Size n_, int seed) : m(m_), n(n_), rows(random<T>(m_ * n_, seed)) {}
  std::vector<T> laid_out(Size row, Size col) const {
    std::vector<T> v(m * n == 0 ? 0 : (m - 1) * row + (n - 1) * col + 1, T(7e8f));
    for (Size i = 0; i < m; ++i)
      for (Size j = 0; j < n; ++j) v[i * row + j * col] = rows[i * n + j];
    return v;
  }
};

template <class T, class S>
Gemm<T, S> product(const Matrix<S>& a, const Matrix<S>& b, std::vector<T>& c) {
  Gemm<T, S> g;
  g.m = a.m, g.n = b.n, g.k = a.n;
  g.a = a.rows.data(), g.a_row = a.n;
  g.b = b.rows.data(), g.b_row = b.n;
  g.c = c.data(), g.c_row = b.n;
  return g;
}

/// |c - reference| <= (k + 2) 2^-24 sum |a||b| (or 2^-53), RELIABILITY A1 with twice the room.
template <class T, class S>
void expect_close(const Matrix<S>& a, const Matrix<S>& b, const std::vector<T>& before,
                  const std::vector<T>& c) {
  const double u = 2.0 * (a.n + 2) * std::numeric_limits<T>::epsilon();
  for (Size i = 0; i < a.m; ++i) {
    for (Size j = 0; j < b.n; ++j) {
      double sum = before.empty() ? 0 : static_cast<double>(before[i * b.n + j]);
      double size = std::fabs(sum);
      for (Size k = 0; k < a.n; ++k) {
        const double t =
            static_cast<double>(a.rows[i * a.n + k]) * static_cast<double>(b.rows[k * b.n + j]);
        sum += t, size += std::fabs(t);
      }
      ASSERT_NEAR(c[i * b.n + j], sum, u * size + 1e-300)
          << a.m << "x" << b.n << "x" << a.n << " at " << i << ", " << j;
    }
  }
}

struct Dimensions {
  Size m, n, k;
};
const std::vector<Dimensions> sizes = {{1, 1, 1},    {1, 10, 32},  {1, 200, 19},   {2, 3, 5},
                                       {5, 16, 7},   {7, 33, 300}, {14, 32, 1},    {15, 31, 64},
                                       {29, 65, 47}, {64, 10, 13}, {33, 1, 100},   {113, 130, 261},
                                       {3, 4, 0},    {64, 64, 64}, {130, 100, 600}};

template <class T>
struct GemmOf : ::testing::Test {
  const int threads = num_threads();
  ~GemmOf() override { set_num_threads(threads); }
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(GemmOf, Types);

TYPED_TEST(GemmOf, agrees_with_the_naive_product) {
  using T = TypeParam;
  for (const auto [m, n, k] : sizes) {
    const Matrix<T> a(m, k, 1), b(k, n, 2);
    std::vector<T> c(m * n, std::numeric_limits<T>::quiet_NaN());
    gemm(product(a, b, c));
    expect_close<T, T>(a, b, {}, c);
    const std::vector<T> before = c = random<T>(m * n, 3);
    auto g = product(a, b, c);
    g.add = true;
    gemm(g);
    expect_close<T, T>(a, b, before, c);
  }
}

TYPED_TEST(GemmOf, strides_do_not_change_bits) {
  using T = TypeParam;
  for (const auto [m, n, k] : sizes) {
    const Matrix<T> a(m, k, 1), b(k, n, 2);
    std::vector<T> want(m * n), c(m * n);
    gemm(product(a, b, want));
    const Size layouts[][2] = {{k, 1}, {k + 3, 1}, {1, m}, {1, m + 2}, {2 * k, 2}, {3, 3 * m + 1}};
    for (const auto& la : layouts) {
      const auto other_a = a.laid_out(la[0], la[1]);
      const Size layouts_b[][2] = {{n, 1}, {n + 5, 1}, {1, k + (k == 0)}, {1, k + 1}, {2 * n, 2}};
      for (const auto& lb : layouts_b) {
        const auto other_b = b.laid_out(lb[0], lb[1]);
        auto g = product(a, b, c);
        g.a = other_a.data(), g.a_row = la[0], g.a_col = la[1];
        g.b = other_b.data(), g.b_row = lb[0], g.b_col = lb[1];
        gemm(g);
        ASSERT_TRUE(same_bits(c, want)) << m << "x" << n << "x" << k << " a " << la[0] << ","
                                        << la[1] << " b " << lb[0] << "," << lb[1];
      }
    }
  }
}

TYPED_TEST(GemmOf, a_row_stride_of_c_leaves_the_gaps_alone) {
  using T = TypeParam;
  for (const auto [m, n, k] : sizes) {
    const Matrix<T> a(m, k, 1), b(k, n, 2);
    std::vector<T> want(m * n), c(m * (n + 3), T(5));
    gemm(product(a, b, want));
    auto g = product(a, b, c);
    g.c_row = n + 3;
    gemm(g);
    for (Size i = 0; i < m; ++i) {
      for (Size j = 0; j < n + 3; ++j) {
        ASSERT_EQ(c[i * (n + 3) + j], j < n ? want[i * n + j] : T(5));
      }
    }
  }
}

TYPED_TEST(GemmOf, threads_do_not_change_bits) {
  using T = TypeParam;
  for (const auto [m, n, k] : {Dimensions{200, 300, 150}, {3, 700, 400}, {1, 3000, 301}}) {
    const Matrix<T> a(m, k, 1), b(k, n, 2);
    std::vector<T> want(m * n), c(m * n);
    set_num_threads(1);
    gemm(product(a, b, want));
    for (int threads : {2, 3, 4, 8}) {
      set_num_threads(threads);
      gemm(product(a, b, c));
      ASSERT_TRUE(same_bits(c, want)) << threads;
    }
  }
}

// Several steps of k; as pieces of rows, of columns, and of more columns than one piece may have.
TYPED_TEST(GemmOf, pieces_of_a_product_do_not_change_bits) {
  using T = TypeParam;
  for (const auto [m, n, k] : {Dimensions{300, 1100, 400}, {900, 40, 400}, {20, 4500, 30}}) {
    const Matrix<T> a(m, k, 1), b(k, n, 2);
    const auto other_a = a.laid_out(1, m), other_b = b.laid_out(1, k), bias = random<T>(m, 4);
    const std::vector<T> before = random<T>(m * n, 3);
    for (const bool transposed : {false, true}) {
      const auto product_into = [&](std::vector<T>& c) {
        auto g = product(a, b, c);
        if (transposed) {
          g.a = other_a.data(), g.a_row = 1, g.a_col = m;
          g.b = other_b.data(), g.b_row = 1, g.b_col = k;
        }
        g.add = true, g.alpha = T(0.5f), g.finish = {bias.data(), true, Activation::relu};
        return g;
      };
      std::vector<T> want = before;
      set_num_threads(1);
      for (Size j = 0; j < n; j += 100) {  // few columns at a time: one piece each
        auto g = product_into(want);
        g.b += j * g.b_col, g.c += j, g.n = std::min<Size>(100, n - j);
        gemm(g);
      }
      for (const int threads : {1, 2, 3, 8}) {
        set_num_threads(threads);
        std::vector<T> c = before;
        gemm(product_into(c));
        ASSERT_TRUE(same_bits(c, want)) << m << " x " << n << ", " << threads
                                        << (transposed ? " threads, transposed" : " threads");
      }
    }
  }
}

TYPED_TEST(GemmOf, splitting_rows_columns_or_k_does_not_change_bits) {
  using T = TypeParam;
  for (const auto [m, n, k] : sizes) {
    const Matrix<T> a(m, k, 1), b(k, n, 2);
    std::vector<T> want(m * n), c(m * n);
    gemm(product(a, b, want));
    for (const Size cut : {Size{1}, m / 3, m / 2}) {  // rows: a batch as micro-batches
      auto g = product(a, b, c);
      g.m = cut;
      gemm(g);
      g.m = m - cut, g.a += cut * k, g.c += cut * n;
      gemm(g);
      ASSERT_TRUE(same_bits(c, want)) << m << "x" << n << "x" << k << " rows cut at " << cut;
    }
    for (const Size cut : {Size{1}, n / 2, n - 1}) {
      auto g = product(a, b, c);
      g.n = cut;
      gemm(g);
      g.n = n - cut, g.b += cut, g.c += cut;
      gemm(g);
      ASSERT_TRUE(same_bits(c, want)) << m << "x" << n << "x" << k << " columns cut at " << cut;
    }
    for (const Size cut : {k / 3, k / 2, k - (k > 0)}) {  // k: gradients over micro-batches
      auto g = product(a, b, c);
      g.k = cut;
      gemm(g);
      g.k = k - cut, g.a += cut, g.b += cut * n, g.add = true;
      gemm(g);
      ASSERT_TRUE(same_bits(c, want)) << m << "x" << n << "x" << k << " k cut at " << cut;
    }
  }
}

TYPED_TEST(GemmOf, one_chain_of_fused_multiply_adds) {
  using T = TypeParam;
  // The definition, element by element. 2^-i terms of both signs make every other order differ.
  const Size m = 9, n = 37, k = 333;
  const Matrix<T> a(m, k, 4), b(k, n, 5);
  std::vector<T> c = random<T>(m * n, 6), want = c;
  for (Size i = 0; i < m; ++i)
    for (Size j = 0; j < n; ++j)
      for (Size x = 0; x < k; ++x)
        want[i * n + j] = std::fma(T(0.3) * a.rows[i * k + x], b.rows[x * n + j], want[i * n + j]);
  auto g = product(a, b, c);
  g.alpha = T(0.3), g.add = true;
  gemm(g);
  EXPECT_TRUE(same_bits(c, want));
}

TYPED_TEST(GemmOf, batches_and_broadcasting) {
  using T = TypeParam;
  const Size batch = 12, m = 6, n = 20, k = 9;
  const auto a = random<T>(batch * m * k, 1), b = random<T>(batch * k * n, 2);
  for (const bool shared_a : {false, true}) {
    for (const bool shared_b : {false, true}) {
      std::vector<T> c(batch * m * n), want(batch * m * n);
      Gemm<T> g;
      g.m = m, g.n = n, g.k = k, g.a = a.data(), g.a_row = k, g.b = b.data(), g.b_row = n;
      g.c = c.data(), g.c_row = n;
      const Size step_a = shared_a ? 0 : m * k, step_b = shared_b ? 0 : k * n;
      Gemm<T> one = g;  // item by item
      for (Size item = 0; item < batch; ++item) {
        one.a = g.a + item * step_a, one.b = g.b + item * step_b;
        one.c = want.data() + item * m * n;
        gemm(one);
      }
      g.batch.add(3, 4 * step_a, 4 * step_b, 4 * m * n);
      g.batch.add(4, step_a, step_b, m * n);
      for (int threads : {1, 4}) {
        set_num_threads(threads);
        gemm(g);
        ASSERT_TRUE(same_bits(c, want));
      }
    }
  }
}

TYPED_TEST(GemmOf, the_epilogue_equals_a_second_pass) {
  using T = TypeParam;
  for (const auto [m, n, k] : {Dimensions{1, 37, 20}, {40, 70, 300}, {5, 3, 0}, {1, 9, 0}}) {
    const Matrix<T> a(m, k, 1), b(k, n, 2);
    const auto by_column = random<T>(n, 3), by_row = random<T>(m, 4);
    for (const auto activation :
         {Activation::none, Activation::relu, Activation::gelu, Activation::gelu_tanh,
          Activation::silu, Activation::sigmoid, Activation::tanh}) {
      for (const T* bias : {static_cast<const T*>(nullptr), by_column.data(), by_row.data()}) {
        std::vector<T> want(m * n), c(m * n);
        gemm(product(a, b, want));
        const BiasActivation<T> e{bias, bias == by_row.data(), activation};
        apply_bias_activation(e, want.data(), n, 0, 0, m, n);
        auto g = product(a, b, c);
        g.finish = e;
        gemm(g);
        ASSERT_TRUE(same_bits(c, want)) << static_cast<int>(activation);
      }
    }
  }
}

TEST(Epilogue, adds_the_bias_then_activates) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  float y[] = {-2, 1, nan, -inf, -3, 4, 5, inf};
  const float by_column[] = {1, 2, 3, 4}, by_row[] = {10, -4};
  BiasActivation<float> e{by_column, false, Activation::relu};
  apply_bias_activation(e, y, 4, 0, 0, 2, 4);
  const float want[] = {0, 3, nan, 0, 0, 6, 8, inf};
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(y[i] == want[i] || (i == 2 && std::isnan(y[i]))) << i;
  e = {by_row, true, Activation::none};
  apply_bias_activation(e, y, 4, 0, 0, 2, 2);
  EXPECT_EQ(y[0], 10);
  EXPECT_EQ(y[5], 2);
  EXPECT_EQ(y[6], 8);  // outside
}

TEST(Gemm, half_inputs_equal_their_float_values) {
  const Matrix<float> a(21, 150, 1), b(150, 45, 2);
  auto compare = [&]<class S>(S) {
    Matrix<S> ha(21, 150, 1), hb(150, 45, 2);
    Matrix<float> fa(21, 150, 1), fb(150, 45, 2);
    for (Size i = 0; i < 21 * 150; ++i) fa.rows[i] = ha.rows[i];
    for (Size i = 0; i < 150 * 45; ++i) fb.rows[i] = hb.rows[i];
    std::vector<float> want(21 * 45), c(21 * 45);
    gemm(product(fa, fb, want));
    gemm(product(ha, hb, c));
    EXPECT_TRUE(same_bits(c, want));
    const auto columns = hb.laid_out(1, 150), rows = ha.laid_out(1, 21);
    auto g = product(ha, hb, c);
    g.b = columns.data(), g.b_row = 1, g.b_col = 150, g.a = rows.data(), g.a_row = 1, g.a_col = 21;
    gemm(g);
    EXPECT_TRUE(same_bits(c, want));
  };
  compare(bf16());
  compare(f16());
}

TEST(Gemm, nothing_outside_is_read_or_written) {
  // Exact-size vectors: AddressSanitizer sees a read behind them; here infinity times the zeros of
  // a padded panel must not leak into c either.
  const float inf = std::numeric_limits<float>::infinity();
  for (const auto [m, n, k] : sizes) {
    if (k == 0) continue;
    Matrix<float> a(m, k, 1), b(k, n, 2);
    b.rows.back() = inf;  // in the last column only
    a.rows.back() = 1;
    std::vector<float> c(m * n);
    gemm(product(a, b, c));
    for (Size i = 0; i < m; ++i)
      for (Size j = 0; j + 1 < n; ++j) ASSERT_TRUE(std::isfinite(c[i * n + j]));
    ASSERT_FALSE(std::isfinite(c.back()));
  }
}

}  // namespace
}  // namespace gradus::cpu
