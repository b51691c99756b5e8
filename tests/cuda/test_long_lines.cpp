// Sorting, running sums and sums over indices where one block is not enough: places and integers
// are the CPU's, and so are the bits wherever the order of additions is the CPU's.
#include <cmath>
#include <cstring>
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/embedding.h"
#include "gradus/kernels/random.h"
#include "gradus/kernels/reduce.h"
#include "gradus/tensor/stream.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus {
namespace {

using CudaSort = testing::CudaTest;
using CudaEmbedding = testing::CudaTest;
using CudaIndex = testing::CudaTest;
using CudaScan = testing::CudaTest;

using testing::device;

Tensor normal_values(const Shape& shape, Dtype dtype = Dtype::f32) {
  const Tensor x = empty(shape, {dtype});
  cpu::normal({.seed = 5}, 0, 2, x);
  return x;
}
Tensor indices(const Shape& shape, std::int64_t size) {
  const Tensor x = empty(shape, {Dtype::i64});
  cpu::integers({.seed = 6}, 0, static_cast<std::uint64_t>(size), x);
  return x;
}

void expect_same_bits(const Tensor& cpu, const Tensor& cuda) {
  const Tensor a = cpu.contiguous(), b = cuda.to(Device::cpu()).contiguous();
  ASSERT_EQ(a.shape(), b.shape());
  ASSERT_EQ(a.dtype(), b.dtype());
  const auto bytes = static_cast<std::size_t>(a.numel()) * size_of(a.dtype());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), bytes), 0);
}

TEST_F(CudaSort, PlacesAreTheCpusAtEveryLength) {
  for (const std::int64_t n : {1, 2, 3, 31, 1000, 1024, 1025, 2048, 5000}) {
    const Tensor x = normal_values({2, n});
    for (const bool descending : {false, true}) {
      SCOPED_TRACE(std::to_string(n) + (descending ? ", descending" : ""));
      expect_same_bits(argsort(x, 1, descending), argsort(x.to(device), 1, descending));
    }
  }
}

TEST_F(CudaSort, EqualsKeepTheirOrderAndNaNIsTheLargest) {
  Tensor x = indices({3000}, 7).to(Dtype::f32);
  float* v = x.data<float>();
  for (int i = 0; i < 3000; i += 11) v[i] = std::numeric_limits<float>::quiet_NaN();
  for (int i = 1; i < 3000; i += 17) v[i] = -std::numeric_limits<float>::quiet_NaN();
  for (int i = 2; i < 3000; i += 13) v[i] = -0.0f;
  v[5] = std::numeric_limits<float>::infinity();
  v[6] = -v[5];
  for (const bool descending : {false, true}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16}) {
      const Tensor y = x.to(dtype);
      expect_same_bits(argsort(y, 0, descending), argsort(y.to(device), 0, descending));
    }
  }
}

TEST_F(CudaSort, IntegersAndOtherDimensions) {
  const Tensor x = sub(indices({1100, 3}, 50), 25);
  for (const Dtype dtype : {Dtype::i64, Dtype::i32, Dtype::u8, Dtype::boolean}) {
    const Tensor y = (dtype == Dtype::u8 ? abs(x) : x).to(dtype);
    expect_same_bits(argsort(y, 0), argsort(y.to(device), 0));
    expect_same_bits(argsort(y.t(), 1, true), argsort(y.to(device).t(), 1, true));
  }
  expect_same_bits(topk(x, 5, 0).values, topk(x.to(device), 5, 0).values);
}

TEST_F(CudaIndex, ScattersOfLongLinesActInTheOrderOfTheirIndex) {
  for (const Shape& shape : {Shape{3000}, Shape{700, 3}}) {
    Shape small = shape;
    small[0] = 50;
    const Tensor at = indices(shape, 50), src = normal_values(shape), y = normal_values(small);
    const Tensor there = at.to(device), from = src.to(device), to = y.to(device);
    expect_same_bits(scatter(y, 0, at, src), scatter(to, 0, there, from));
    expect_same_bits(scatter_add(y, 0, at, src), scatter_add(to, 0, there, from));
    const Tensor half = src.to(Dtype::bf16), half_y = y.to(Dtype::bf16);
    expect_same_bits(scatter_add(half_y, 0, at, half),
                     scatter_add(half_y.to(device), 0, there, half.to(device)));
  }
  const Tensor wrong = full({1000}, 60, {Dtype::i64, device});
  const Tensor y = zeros({50}, {Dtype::f32, device}), src = ones({1000}, {Dtype::f32, device});
  EXPECT_THROW((scatter(y, 0, wrong, src), synchronize(device)), Error);
}

TEST_F(CudaEmbedding, TheGradientIsOneChainForEachRow) {
  const Tensor index = indices({3000}, 40);  // 75 places a row, over three tiles of the sort
  for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16}) {
    SCOPED_TRACE(to_string(dtype));
    const Tensor dy = normal_values({3000, 5}, dtype), dw = normal_values({40, 5}, dtype);
    const Tensor there = dw.to(device);
    cpu::embedding_backward(index, dy, 3, 0.5, dw);
    cuda::embedding_backward(index.to(device), dy.to(device), 3, 0.5, there);
    expect_same_bits(dw, there);
  }
}

TEST_F(CudaIndex, IndexAddIsOneChainForEachPlace) {
  const Tensor index = indices({1500}, 11);
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::i32}) {
    const Tensor x = zeros({2, 11, 3}, {dtype}), src = normal_values({2, 1500, 3}).to(dtype);
    expect_same_bits(index_add(x, 1, index, src, 1),
                     index_add(x.to(device), 1, index.to(device), src.to(device), 1));
  }
}

TEST_F(CudaIndex, NonzeroCountsOverManyBlocks) {
  const Tensor x = indices({3, 70000}, 3);  // so many that the counts are more than one tile
  expect_same_bits(nonzero(x), nonzero(x.to(device)));
}

/// Largest difference over the largest value.
double difference(const Tensor& cpu, const Tensor& cuda) {
  const Tensor a = cpu.to(Dtype::f64), b = cuda.to(Device::cpu()).to(Dtype::f64);
  return (abs(a - b).max() / abs(a).max()).item<double>();
}

TEST_F(CudaScan, RunningSumsOfLongLines) {
  // One tile, one and a bit, several, and so many that their totals are two tiles.
  for (const std::int64_t n : {512, 513, 1024, 1025, 5000, 1100000}) {
    SCOPED_TRACE(n);
    const Tensor i = indices({n}, 100);
    expect_same_bits(cumsum(i, 0), cumsum(i.to(device), 0));
    if (n > 5000) continue;
    const Tensor x = normal_values({n}, Dtype::f64);
    EXPECT_LE(difference(cumsum(x, 0), cumsum(x.to(device), 0)), 1e-13);
    const Tensor y = empty_like(i), z = empty_like(i.to(device));
    cpu::cumulative_sum(i, 0, true, y);
    cuda::cumulative_sum(i.to(device), 0, true, z);
    expect_same_bits(y, z);
  }
}

TEST_F(CudaScan, LinesAlongAnyDimension) {
  const Tensor x = normal_values({2, 1030, 3}, Dtype::f64), i = indices({2, 1030, 3}, 9);
  EXPECT_LE(difference(cumsum(x, 1), cumsum(x.to(device), 1)), 1e-13);
  expect_same_bits(cumsum(i, 1), cumsum(i.to(device), 1));
  const Tensor near_one = add(mul(x, 1e-3), 1);
  EXPECT_LE(difference(cumprod(near_one, 1), cumprod(near_one.to(device), 1)), 1e-13);
  // The order depends on the length alone, not on where the line lies.
  const Tensor f = normal_values({1030, 4}), turned = f.t().contiguous();
  expect_same_bits(cumsum(f.to(device), 0).to(Device::cpu()), cumsum(turned.to(device), 1).t());
}

}  // namespace
}  // namespace gradus
