// What a device refuses, and what it must bear: no memory left, devices that do not exist, indices
// out of range, tensors without elements, more rows than a grid has in y, offsets beyond 2^31.
#include <cmath>
#include <functional>
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/literal.h"
#include "gradus/tensor/allocator.h"
#include "gradus/tensor/random.h"
#include "gradus/tensor/stream.h"
#include "gradus/tensor/views.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus {
namespace {

using CudaLimits = testing::CudaTest;

using testing::device;

struct Caught {
  bool thrown = false;
  ErrorKind kind{};
  std::string text;
};
Caught caught(auto&& f) {
  try {
    f();
  } catch (const Error& e) {
    return {true, e.kind(), e.what()};
  }
  return {};
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(CudaLimits, OutOfMemoryNamesSizeFreeAndTheLargestUsers) {
  const Tensor user = zeros({3 << 20}, {Dtype::f32, device});
  const Caught e = caught([] { empty({std::int64_t{1} << 42}, {Dtype::f32, device}); });
  EXPECT_EQ(e.kind, ErrorKind::memory);
  EXPECT_TRUE(contains(e.text, "cuda:0: out of memory allocating 16384.0 GiB: ")) << e.text;
  EXPECT_TRUE(contains(e.text, " are free, ")) << e.text;
  EXPECT_TRUE(contains(e.text, "in use by tensors; most of it: ")) << e.text;
  EXPECT_TRUE(contains(e.text, "1 x 12.0 MiB")) << e.text;
  EXPECT_EQ(sum(add(user, 1)).item<double>(), 3 << 20) << "the device goes on";
}

TEST_F(CudaLimits, DevicesThatDoNotExistAreNamed) {
  const int count = cuda_device_count();
  for (const auto& make : std::vector<std::function<void()>>{
           [&] {
             empty({2}, {Dtype::f32, Device::cuda(count)});
           },
           [&] { zeros({2}).to(Device::cuda(count)); },
           [&] { memory_stats(Device::cuda(count)); },
           [&] { synchronize(Device::cuda(count)); },
           [&] { launches(Device::cuda(count)); },
       }) {
    const Caught e = caught(make);
    EXPECT_EQ(e.kind, ErrorKind::device);
    EXPECT_TRUE(contains(e.text, "cuda:" + std::to_string(count) + " does not exist")) << e.text;
  }
}

TEST_F(CudaLimits, IntegersArePooledButNotConvolved) {
  const Tensor x =
      remainder(arange(2 * 3 * 5 * 6, {Dtype::i64}) * 37, 101).reshape({2, 3, 5, 6}) - 40;
  const auto same = [&](const Tensor& x, auto f) {
    const Tensor there = f(x.to(device));
    EXPECT_EQ(there.dtype(), x.dtype());
    EXPECT_EQ(there.to_vector<std::int64_t>(), f(x).template to_vector<std::int64_t>());
  };
  for (Dtype dtype : {Dtype::i64, Dtype::i32, Dtype::u8})
    same(x.to(dtype), [](const Tensor& t) { return max_pool2d(t, 3, 2, 1); });
  same(x, [](const Tensor& t) { return avg_pool2d(t, 3, 2, 1, true, false); });
  same(x, [](const Tensor& t) { return avg_pool2d(t, 2, 0, 0, false, true, -3); });
  same(x.to(Dtype::u8), [](const Tensor& t) { return interpolate(t, 7, {}, "bilinear"); });

  const Tensor w = ones({2, 3, 3, 3}, {Dtype::i64, device}), there = x.to(device);
  for (const auto& f : std::vector<std::function<void()>>{
           [&] { conv2d(there, w); },
           [&] { conv_transpose2d(there, w.transpose(0, 1)); },
       }) {
    const Caught e = caught(f);
    EXPECT_EQ(e.kind, ErrorKind::dtype);
    EXPECT_TRUE(contains(e.text, "on the CPU alone, x is i64 on cuda:0")) << e.text;
  }
}

TEST_F(CudaLimits, AnIndexOutOfRangeIsReportedWithItsOpAtTheNextWait) {
  const Tensor x = ones({4, 3}, {Dtype::f32, device});
  const auto at = [](std::vector<std::int64_t> v) { return tensor(v, {Dtype::i64}).to(device); };
  const auto rows = [&](std::int64_t r) { return at({0, r, 1, 0}).reshape({4, 1}); };
  struct Case {
    std::string op;
    std::function<Tensor(std::int64_t)> f;
    std::int64_t size;
  };
  for (const Case& c : std::vector<Case>{
           {"embedding",
            [&](std::int64_t r) {
              return embedding(at({1, r}), x);
            },
            4},
           {"gather", [&](std::int64_t r) { return gather(x, 1, rows(r)); }, 3},
           {"scatter", [&](std::int64_t r) { return scatter(x, 1, rows(r), x); }, 3},
           {"scatter_add", [&](std::int64_t r) { return scatter_add(x, 1, rows(r), x); }, 3},
           {"index_select", [&](std::int64_t r) { return index_select(x, 0, at({r})); }, 4},
           {"index_add",
            [&](std::int64_t r) {
              return index_add(x, 0, at({2, r}), x.narrow(0, 0, 2), 1);
            },
            4},
           {"cross_entropy",
            [&](std::int64_t r) {
              return cross_entropy(x, at({0, 1, r, 2}));
            },
            3},
           {"nll_loss",
            [&](std::int64_t r) {
              return nll_loss(x, at({0, 1, r, 2}));
            },
            3},
       }) {
    for (const std::int64_t wrong :
         {std::int64_t{7}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
      SCOPED_TRACE(c.op + " at " + std::to_string(wrong));
      synchronize(device);
      const Caught e = caught([&] {
        c.f(wrong);
        synchronize(device);
      });
      EXPECT_EQ(e.kind, ErrorKind::argument);
      EXPECT_EQ(e.text, c.op + ": index " + std::to_string(wrong) + " is out of range for size " +
                            std::to_string(c.size));
      EXPECT_NO_THROW(synchronize(device)) << "reported once";
    }
    c.f(1);
    EXPECT_NO_THROW(synchronize(device));
  }
}

TEST_F(CudaLimits, HostCopiesOfDeviceMemoryWaitAndNothingElseReads) {
  const Tensor x = arange(6, {Dtype::f32, device}).reshape({2, 3});
  const std::int64_t waited = synchronizations(device);
  const Tensor y = add(x, 1);
  EXPECT_EQ(synchronizations(device), waited) << "an op does not wait";
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(y[1][2].item<float>(), 6);
  EXPECT_GT(synchronizations(device), waited);
}

/// The same on both devices: an error of the same kind, or equal shapes and values.
void expect_same(const std::string& what, const std::function<Tensor(Device)>& f) {
  SCOPED_TRACE(what);
  Tensor y, z;
  const Caught on_cpu = caught([&] { y = f(Device::cpu()); });
  const Caught on_cuda = caught([&] {
    z = f(device);
    synchronize(device);
  });
  ASSERT_EQ(on_cuda.thrown, on_cpu.thrown) << on_cpu.text << on_cuda.text;
  if (on_cpu.thrown) {
    EXPECT_EQ(on_cuda.kind, on_cpu.kind) << on_cpu.text << on_cuda.text;
    return;
  }
  ASSERT_EQ(z.shape(), y.shape());
  EXPECT_EQ(z.dtype(), y.dtype());
  const auto u = y.to_vector<double>(), v = z.to_vector<double>();
  for (std::size_t i = 0; i < u.size(); ++i) {
    if (std::isnan(u[i]) && std::isnan(v[i])) continue;
    EXPECT_NEAR(v[i], u[i], 1e-5) << i;
  }
}

/// f of new leaves of ones, and the gradient of the first one behind it.
Tensor with_gradient(Device on, std::vector<Shape> shapes,
                     const std::function<Tensor(const std::vector<Tensor>&)>& f) {
  std::vector<Tensor> leaves;
  for (const Shape& s : shapes) {
    leaves.push_back(ones(s, {Dtype::f32, on}));
    leaves.back().set_requires_grad(true);
  }
  const Tensor y = f(leaves);
  sum(y).backward();
  const Tensor none = zeros({0}, {Dtype::f32, on});
  return cat({y.detach().reshape({-1}),
              leaves[0].grad().defined() ? leaves[0].grad().reshape({-1}) : none});
}

using In = const std::vector<Tensor>&;

TEST_F(CudaLimits, TensorsWithoutElements) {
  const auto i64 = [](const Shape& s, Device on) { return zeros(s, {Dtype::i64, on}); };
  struct Case {
    std::string name;
    std::vector<Shape> shapes;
    std::function<Tensor(In)> f;
  };
  const std::vector<Case> cases{
      {"exp", {{0}}, [](In in) { return exp(in[0]); }},
      {"add broadcast", {{3, 0}, {1}}, [](In in) { return add(in[0], in[1]); }},
      {"where", {{0, 2}, {2}}, [](In in) { return where(in[0] > 0, in[0], in[1]); }},
      {"sum of nothing", {{0, 3}}, [](In in) { return sum(in[0], {0}); }},
      {"sum into nothing", {{0, 3}}, [](In in) { return sum(in[0], {1}); }},
      {"mean", {{0}}, [](In in) { return mean(in[0]); }},
      {"max", {{0}}, [](In in) { return in[0].max(); }},
      {"argmax along", {{2, 0}}, [](In in) { return in[0].argmax(0); }},
      {"cumsum", {{0, 4}}, [](In in) { return cumsum(in[0], 1); }},
      {"softmax", {{0, 4}}, [](In in) { return softmax(in[0], -1); }},
      {"softmax over nothing", {{4, 0}}, [](In in) { return softmax(in[0], -1); }},
      {"layer_norm",
       {{0, 4}, {4}, {4}},
       [](In in) { return layer_norm(in[0], {4}, in[1], in[2]); }},
      {"matmul, no rows", {{0, 3}, {3, 2}}, [](In in) { return matmul(in[0], in[1]); }},
      {"matmul, no columns", {{2, 3}, {3, 0}}, [](In in) { return matmul(in[0], in[1]); }},
      {"matmul, nothing to sum", {{2, 0}, {0, 3}}, [](In in) { return matmul(in[0], in[1]); }},
      {"matmul, no batch", {{0, 2, 3}, {3, 2}}, [](In in) { return matmul(in[0], in[1]); }},
      {"linear", {{0, 3}, {2, 3}, {2}}, [](In in) { return linear(in[0], in[1], in[2]); }},
      {"conv2d",
       {{0, 2, 5, 5}, {3, 2, 3, 3}, {3}},
       [](In in) { return conv2d(in[0], in[1], in[2]); }},
      {"max_pool2d", {{0, 2, 4, 4}}, [](In in) { return max_pool2d(in[0], 2); }},
      {"avg_pool2d", {{0, 2, 4, 4}}, [](In in) { return avg_pool2d(in[0], 2); }},
      {"sort", {{0, 4}}, [](In in) { return sort(in[0], 1).values; }},
      {"sort of nothing", {{4, 0}}, [](In in) { return sort(in[0], 1).values; }},
      {"nonzero", {{0}}, [](In in) { return nonzero(in[0]).to(Dtype::f32); }},
      {"masked_select", {{0, 2}}, [](In in) { return masked_select(in[0], in[0] > 0); }},
      {"cat",
       {{0, 2}, {3, 2}},
       [](In in) {
         return cat({in[0], in[1]});
       }},
      {"pad",
       {{0, 2}},
       [](In in) {
         return pad(in[0], {1, 1});
       }},
      {"dropout", {{0}}, [](In in) { return dropout(in[0], 0.5, true); }},
      {"mse_loss", {{0, 3}, {0, 3}}, [](In in) { return mse_loss(in[0], in[1]); }},
      {"tril", {{0, 3}}, [](In in) { return tril(in[0]); }},
      {"attention, no queries",
       {{1, 2, 0, 4}, {1, 2, 3, 4}},
       [](In in) { return scaled_dot_product_attention(in[0], in[1], in[1]); }},
      {"attention, no keys",
       {{1, 2, 3, 4}, {1, 2, 0, 4}},
       [](In in) { return scaled_dot_product_attention(in[0], in[1], in[1]); }},
      {"embedding",
       {{4, 3}},
       [&](In in) {
         return embedding(i64({0, 2}, in[0].device()), in[0]);
       }},
      {"embedding of width 0",
       {{4, 0}},
       [&](In in) { return embedding(i64({5}, in[0].device()), in[0]); }},
      {"gather",
       {{0, 3}},
       [&](In in) {
         return gather(in[0], 1, i64({0, 2}, in[0].device()));
       }},
      {"gather nothing",
       {{2, 3}},
       [&](In in) {
         return gather(in[0], 1, i64({2, 0}, in[0].device()));
       }},
      {"scatter_add",
       {{2, 3}, {2, 0}},
       [&](In in) {
         return scatter_add(in[0], 1, i64({2, 0}, in[0].device()), in[1]);
       }},
      {"index_select",
       {{2, 3}},
       [&](In in) { return index_select(in[0], 0, i64({0}, in[0].device())); }},
      {"index_add",
       {{2, 3}, {0, 3}},
       [&](In in) { return index_add(in[0], 0, i64({0}, in[0].device()), in[1], 1); }},
      {"cross_entropy",
       {{0, 3}},
       [&](In in) { return cross_entropy(in[0], i64({0}, in[0].device())); }},
      {"nll_loss", {{0, 3}}, [&](In in) { return nll_loss(in[0], i64({0}, in[0].device())); }},
  };
  for (const Case& c : cases) {
    expect_same(c.name, [&](Device on) {
      manual_seed(1);
      return with_gradient(on, c.shapes, c.f);
    });
  }
}

TEST_F(CudaLimits, AnyOfNothingIsFalse) {
  const Tensor none = empty({0, 2}, {Dtype::boolean, device});
  EXPECT_FALSE(any(none).item<bool>());
  EXPECT_TRUE(all(none).item<bool>());
  EXPECT_EQ(any(none, 0).to_vector<bool>(), (std::vector<bool>{false, false}));
}

TEST_F(CudaLimits, TensorsWithoutDimensions) {
  for (const auto& [name, f] : std::vector<std::pair<std::string, std::function<Tensor(In)>>>{
           {"exp", [](In in) { return exp(in[0]); }},
           {"mul", [](In in) { return mul(in[0], in[1]); }},
           {"sum", [](In in) { return sum(in[0]); }},
           {"softmax", [](In in) { return softmax(in[0], 0); }},
           {"cumsum", [](In in) { return cumsum(in[0], 0); }},
           {"sort", [](In in) { return sort(in[0], 0).values; }},
           {"argmax", [](In in) { return in[0].argmax().to(Dtype::f32); }},
           {"mse_loss", [](In in) { return mse_loss(in[0], in[1]); }},
       }) {
    expect_same(name, [&f = f](Device on) { return with_gradient(on, {{}, {}}, f); });
  }
}

// A grid has at most 65535 blocks in y and z; the simulated device has 60.
TEST_F(CudaLimits, MoreRowsThanAGridHasInY) {
  constexpr std::int64_t n = cuda_is_simulated ? 100 : 66000;
  for (const auto& [name, shapes, f] :
       std::vector<std::tuple<std::string, std::vector<Shape>, std::function<Tensor(In)>>>{
           {"softmax", {{n, 2}}, [](In in) { return softmax(in[0], -1); }},
           {"batched matmul", {{n, 1, 1}, {n, 1, 2}}, [](In in) { return matmul(in[0], in[1]); }},
           {"attention",
            {{n, 1, 1, 1}, {n, 1, 1, 1}},
            [](In in) { return scaled_dot_product_attention(in[0], in[1], in[1]); }},
           {"sum over the middle", {{n, 2, 2}}, [](In in) { return sum(in[0], {1}); }},
           {"sum over rows", {{n, 2}}, [](In in) { return sum(in[0], {0}); }},
           {"max_pool2d", {{n, 1, 2, 2}}, [](In in) { return max_pool2d(in[0], 2); }},
       }) {
    expect_same(name,
                [&f = f, &shapes = shapes](Device on) { return with_gradient(on, shapes, f); });
  }
}

// Bytes, because a tensor of more than 2^31 of them is only two gigabytes, most never touched.
TEST_F(CudaLimits, OffsetsBeyondTwoToThe31) {
  constexpr std::int64_t n = (std::int64_t{1} << 31) + 100, width = 1 << 16;
  const Tensor x = empty({n}, {Dtype::u8, device});
  const Tensor last = views::slice(x, 0, n - 5, n, 1);
  copy_into(arange(5, {Dtype::u8}), last);
  const std::vector<int> expected{0, 1, 2, 3, 4};
  EXPECT_EQ(last.to_vector<int>(), expected);
  const Tensor places = add(arange(5, {Dtype::i64}), n - 5).to(device);
  EXPECT_EQ(gather(x, 0, places).to_vector<int>(), expected);
  EXPECT_EQ(index_select(x, 0, places).to_vector<int>(), expected);
  // Rows of a table whose end lies beyond 2^31.
  const Tensor table = views::slice(x, 0, 100, n, 1).reshape({n / width, width});
  const Tensor row = embedding(tensor(std::vector<std::int64_t>{n / width - 1}).to(device), table);
  EXPECT_EQ(views::slice(row, 1, width - 5, width, 1).to_vector<int>(), expected);
  // Strided: three elements, 2^30 apart.
  const Tensor far = views::slice(x, 0, 50, n, std::int64_t{1} << 30);
  copy_into(tensor(std::vector<int>{7, 8, 9}).to(Dtype::u8), far);
  EXPECT_EQ(add(far, 1).to_vector<int>(), (std::vector<int>{8, 9, 10}));
  EXPECT_EQ(sum(far).item<int>(), 24);
}

}  // namespace
}  // namespace gradus
