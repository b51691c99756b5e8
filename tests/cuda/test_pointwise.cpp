// Pointwise kernels: f32 bits are the CPU's, at every size, alignment and type.
#include <gtest/gtest.h>

#include <cstring>

#include "gradus/kernels/binary.h"
#include "gradus/kernels/compare.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/kernels/reduce.h"
#include "gradus/kernels/unary.h"
#include "gradus/tensor/views.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus {
namespace {

using CudaPointwise = testing::CudaTest;
using CudaRandom = testing::CudaTest;
using CudaReduce = testing::CudaTest;

using testing::device;

Tensor moved(const Tensor& t, Device to) {
  const Tensor y = empty(t.shape(), {t.dtype(), to});
  copy_into(t, y);
  return y;
}

/// As bytes: NaN equals itself, and -0 is not 0.
void expect_same_bits(const Tensor& cpu, const Tensor& cuda, const std::string& what) {
  const Tensor a = as_contiguous(cpu), b = moved(cuda, Device::cpu());
  ASSERT_EQ(a.dtype(), b.dtype());
  if (a.numel() == 0) return;  // no memory at all
  EXPECT_EQ(std::memcmp(a.data(), b.data(), std::size_t(a.numel()) * size_of(a.dtype())), 0)
      << what;
}

Tensor random_values(std::int64_t n, Dtype dtype) {
  const Tensor x = empty({n}, {dtype});
  cpu::normal({.seed = 5}, 0, 2, x);
  return x;
}

TEST_F(CudaPointwise, EveryUnaryOpHasTheCpusBits) {
  const Tensor x = random_values(1000, Dtype::f32), dy = random_values(1000, Dtype::f32);
  const Tensor x_there = moved(x, device), dy_there = moved(dy, device);
  ops::UnaryOps::each([&]<class Op> {
    const OpCall op = ops::call<ops::UnaryOps>(Op{});
    const Tensor y = empty_like(x), y_there = empty_like(x_there);
    cpu::unary(op, x, y);
    cuda::unary(op, x_there, y_there);
    expect_same_bits(y, y_there, Op::name);
    if constexpr (!ops::ZeroGradient<Op>) {
      const Tensor dx = empty_like(x), dx_there = empty_like(x_there);
      cpu::unary_backward(op, x, y, dy, dx);
      cuda::unary_backward(op, x_there, y_there, dy_there, dx_there);
      expect_same_bits(dx, dx_there, std::string(Op::name) + ", backward");
    }
  });
}

TEST_F(CudaPointwise, EveryBinaryOpHasTheCpusBitsWithBroadcasting) {
  const Tensor a = views::unsqueeze(random_values(37, Dtype::f32), 1);
  const Tensor b = random_values(29, Dtype::f32);
  const Tensor a_there = moved(a, device), b_there = moved(b, device);
  ops::BinaryOps::each([&]<class Op> {
    const OpCall op = ops::call<ops::BinaryOps>(Op{});
    const Tensor y = empty({37, 29}), y_there = empty({37, 29}, {Dtype::f32, device});
    cpu::binary(op, a, b, y);
    cuda::binary(op, a_there, b_there, y_there);
    expect_same_bits(y, y_there, Op::name);
  });
}

TEST_F(CudaPointwise, SizesAndAlignments) {
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::f16, Dtype::f64}) {
    for (const std::int64_t n : {0, 1, 3, 4, 7, 8, 1023, 2048, 2049, 4103, 5000}) {
      for (const std::int64_t from : {0, 1}) {
        const Tensor x = random_values(n + from, dtype), x_there = moved(x, device);
        const auto part = [&](const Tensor& t) { return views::slice(t, 0, from, n + from, 1); };
        const Tensor y = empty({n}, {dtype}), y_there = empty({n}, {dtype, device});
        const OpCall op = ops::call<ops::UnaryOps>(ops::Silu{});
        cpu::unary(op, part(x), y);
        cuda::unary(op, part(x_there), y_there);
        if (dtype != Dtype::f64) {
          expect_same_bits(y, y_there, std::string(to_string(dtype)) + " " + std::to_string(n));
        }
      }
    }
  }
}

TEST_F(CudaPointwise, CopiesBetweenAllTypesAndForms) {
  for (int from = 0; from < dtype_count; ++from) {
    for (int to = 0; to < dtype_count; ++to) {
      const Tensor x = empty({6, 10}, {Dtype(from)});
      cpu::copy(views::unsqueeze(arange(10), 0), x);
      const Tensor x_there = moved(x, device);
      const Tensor y = empty({10, 6}, {Dtype(to)}), y_there = empty({10, 6}, {Dtype(to), device});
      cpu::copy(views::transpose(x, 0, 1), y);
      cuda::copy(views::transpose(x_there, 0, 1), y_there);
      expect_same_bits(y, y_there, std::to_string(from) + " to " + std::to_string(to));
      // From the device into every second element of host memory, converted.
      const Tensor back = full({10, 12}, 0, {Dtype(to)});
      cuda::copy(y_there, views::slice(back, 1, 0, 12, 2));
      expect_same_bits(y, moved(views::slice(back, 1, 0, 12, 2), device), "back");
    }
  }
}

TEST_F(CudaPointwise, LargeCopiesGoThroughThePinnedRing) {
  const std::int64_t n = 5000000;  // more than the ring holds
  const Tensor x = arange(n, {Dtype::i32}), there = moved(x, device);
  expect_same_bits(x, there, "20 MB");
}

TEST_F(CudaRandom, ValuesAreTheCpus) {
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::f16, Dtype::f64}) {
    for (const std::int64_t first : {0, 3, 1000000007}) {
      const Draw draw{.seed = 9, .op = 4, .step = 2, .stream = Stream::module, .first = first};
      const Tensor y = empty({999}, {dtype}), z = empty({999}, {dtype, device});
      cpu::uniform(draw, -1, 3, y);
      cuda::uniform(draw, -1, 3, z);
      expect_same_bits(y, z, "uniform");
      cpu::integers(draw, -5, 100, y);
      cuda::integers(draw, -5, 100, z);
      expect_same_bits(y, z, "integers");
      const Tensor x = random_values(999, dtype), x_there = moved(x, device);
      cpu::dropout(draw, 0.3, x, y);
      cuda::dropout(draw, 0.3, x_there, z);
      expect_same_bits(y, z, "dropout");
      if (dtype == Dtype::f64) continue;
      cpu::normal(draw, 1, 2, y);
      cuda::normal(draw, 1, 2, z);
      expect_same_bits(y, z, "normal");
      cpu::trunc_normal(draw, 0, 1, -2, 2, y);
      cuda::trunc_normal(draw, 0, 1, -2, 2, z);
      expect_same_bits(y, z, "trunc_normal");
    }
  }
}

TEST_F(CudaReduce, SumsHaveTheCpusBits) {
  const std::vector<Shape> shapes{{5},     {31},      {4096},    {10001},
                                  {3, 70}, {300, 45}, {5000, 7}, {9, 4, 130}};
  for (const Shape& shape : shapes) {
    const Tensor x = empty(shape);
    cpu::normal({.seed = 5}, 0, 2, x);
    const Tensor x_there = moved(x, device);
    for (int dim = -1; dim < shape.size(); ++dim) {
      Shape kept = shape;
      for (int d = 0; d < kept.size(); ++d) {
        if (dim == -1 || d == dim) kept[d] = 1;
      }
      for (const Reduce op : {Reduce::sum, Reduce::max, Reduce::prod}) {
        const Tensor y = empty(kept), z = empty(kept, {Dtype::f32, device});
        cpu::reduce(op, x, y);
        cuda::reduce(op, x_there, z);
        expect_same_bits(y, z, to_string(shape) + " over " + std::to_string(dim));
      }
    }
  }
}

}  // namespace
}  // namespace gradus
