// Attention in half precision on the device beside f64 on the CPU, at sizes that no tile divides.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/tensor/random.h"
#include "gradus/tensor/stream.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus {
namespace {

using CudaHalfAttention = testing::CudaTest;
using testing::device;

struct Sizes {
  std::int64_t b, h, t, s, d, e;
};
enum class MaskKind { none, boolean, added };

struct Operands {
  Tensor q, k, v, mask, dy;
};

/// Values of the half type, in f64. Heads lie inside rows, as projections leave them.
Operands make_operands(const Sizes& n, Dtype half, MaskKind kind) {
  manual_seed(7);
  const auto heads = [&](std::int64_t rows, std::int64_t columns) {
    return randn({n.b, rows, n.h, columns}).to(half).to(Dtype::f64).transpose(1, 2);
  };
  Operands o{heads(n.t, n.d), heads(n.s, n.d), heads(n.s, n.e), {}, heads(n.t, n.e)};
  if (kind == MaskKind::boolean) {  // the first query sees nothing
    o.mask = gt(rand({n.t, n.s}), 0.3);
    o.mask = logical_and(o.mask, gt(arange(n.t).unsqueeze(1), 0));
  }
  if (kind == MaskKind::added) o.mask = randn({n.b, 1, n.t, n.s}, {Dtype::f64});
  return o;
}

/// y, dq, dk, dv and, of an added mask, dmask, in f64 on the CPU.
std::vector<Tensor> attend(const Operands& o, bool causal, Dtype dtype, Device where) {
  const auto leaf = [&](const Tensor& t) {
    return t.to(dtype).to(where).detach().set_requires_grad(true);
  };
  const Tensor q = leaf(o.q), k = leaf(o.k), v = leaf(o.v);
  Tensor mask;
  if (o.mask)
    mask =
        o.mask.is_floating() ? o.mask.to(where).detach().set_requires_grad(true) : o.mask.to(where);
  const Tensor y = scaled_dot_product_attention(q, k, v, mask, 0, causal);
  EXPECT_EQ(y.dtype(), dtype);
  y.backward(o.dy.to(dtype).to(where));
  std::vector<Tensor> all{y.detach(), q.grad(), k.grad(), v.grad()};
  if (mask && mask.is_floating()) all.push_back(mask.grad());
  for (Tensor& t : all) t = t.to(Device::cpu()).to(Dtype::f64).contiguous();
  return all;
}

double largest(const Tensor& t) { return t.numel() == 0 ? 0 : abs(t).max().item<double>(); }

void expect_close(const Sizes& n, bool causal, MaskKind kind, Dtype half) {
  const Operands o = make_operands(n, half, kind);
  const auto expected = attend(o, causal, Dtype::f64, Device::cpu());
  const auto got = attend(o, causal, half, device);
  const char* const names[] = {"y", "dq", "dk", "dv", "dmask"};
  const double unit = half == Dtype::bf16 ? 0x1p-8 : 0x1p-11;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(got[i].shape(), expected[i].shape());
    EXPECT_LE(largest(got[i] - expected[i]), 4 * unit * std::max(1.0, largest(expected[i])))
        << names[i] << " of T " << n.t << ", S " << n.s << ", D " << n.d << ", E " << n.e
        << (causal ? ", causal" : "") << ", mask " << static_cast<int>(kind)
        << (half == Dtype::bf16 ? ", bf16" : ", f16");
  }
  const auto again = attend(o, causal, half, device);
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_EQ(got[i].to_vector<double>(), again[i].to_vector<double>()) << names[i];
}

TEST_F(CudaHalfAttention, IsThatOfDoublesUpToRounding) {
  const Sizes sizes[] = {
      {1, 2, 64, 64, 32, 32},   // tiles exactly
      {2, 1, 70, 130, 40, 24},  // rows of 16 bytes, the last tiles in part
      {1, 2, 5, 3, 3, 5},       // rows that begin anywhere
      {1, 1, 20, 7, 128, 72},   // the widest
      {1, 1, 9, 9, 130, 8},     // wider: computed in float
  };
  for (const Sizes& n : sizes) {
    for (const bool causal : {false, true}) expect_close(n, causal, MaskKind::none, Dtype::bf16);
  }
  expect_close(sizes[1], true, MaskKind::none, Dtype::f16);
  expect_close(sizes[2], false, MaskKind::none, Dtype::f16);
}

TEST_F(CudaHalfAttention, TakesMasks) {
  for (const bool causal : {false, true}) {
    expect_close({2, 2, 40, 70, 16, 16}, causal, MaskKind::boolean, Dtype::bf16);
    expect_close({2, 1, 40, 70, 16, 8}, causal, MaskKind::added, Dtype::f16);
  }
}

TEST_F(CudaHalfAttention, AQueryWithoutKeysGivesZeros) {
  const Tensor q = ones({1, 1, 3, 8}, {Dtype::bf16, device, true});
  const Tensor none = empty({1, 1, 0, 8}, {Dtype::bf16, device});
  const Tensor y = scaled_dot_product_attention(q, none, none);
  EXPECT_EQ(y.to_vector<float>(), std::vector<float>(24, 0));
  y.backward(ones_like(y));
  EXPECT_EQ(q.grad().to_vector<float>(), std::vector<float>(24, 0));
}

TEST_F(CudaHalfAttention, AutocastTakesItWithoutConversionsBetween) {
  const Tensor q = randn({1, 2, 16, 16}).to(device), low = q.to(Dtype::bf16);
  const Tensor expected = scaled_dot_product_attention(low, low, low, {}, 0, true);
  const Autocast guard(Dtype::bf16);
  const Tensor y = scaled_dot_product_attention(low, low, low, {}, 0, true);
  EXPECT_EQ(y.dtype(), Dtype::bf16);
  EXPECT_EQ(y.to_vector<float>(), expected.to_vector<float>());
  const auto before = launches(device);
  scaled_dot_product_attention(low, low, low, {}, 0, true);
  EXPECT_EQ(launches(device) - before, 1);
}

}  // namespace
}  // namespace gradus
