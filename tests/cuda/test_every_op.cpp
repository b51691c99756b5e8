// Every row of the op table on the device against the CPU: values and gradients. f32 pointwise ops
// have the same bits; sums may be in another order.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/tests/cases.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus::testing {
namespace {

using OnCuda = CudaTest;

using testing::device;

/// The inputs of a case in `dtype`, where they are floating, on `on`, as leaves.
std::vector<Tensor> inputs_on(const OpCase& c, Dtype dtype, int form, Device on) {
  std::vector<Tensor> inputs = make_inputs(c, 11);
  for (Tensor& x : inputs) {
    const bool wanted = x.requires_grad();
    Tensor v = x.dtype() == Dtype::f64 ? as_dtype(x.detach(), dtype) : x.detach();
    v = in_other_memory(v, form);
    if (!on.is_cpu()) {
      const Tensor there = empty_strided(v.shape(), v.strides(), {v.dtype(), on});
      copy_into(v, there);
      v = there;
    }
    v.set_requires_grad(wanted);
    x = v;
  }
  return inputs;
}

/// Largest difference, relative to the largest value.
double difference(const Tensor& a, const Tensor& b) {
  const std::vector<double> u = as_dtype(a.detach(), Dtype::f64).to_vector<double>();
  const std::vector<double> v = b.detach().to_vector<double>();
  double worst = 0, scale = 1e-3;
  for (std::size_t i = 0; i < u.size(); ++i) {
    if (std::isnan(u[i]) != std::isnan(v[i])) return INFINITY;
    if (std::isnan(u[i]) || u[i] == v[i]) continue;
    worst = std::max(worst, std::abs(u[i] - v[i]));
  }
  for (double x : u) scale = std::isfinite(x) ? std::max(scale, std::abs(x)) : scale;
  return worst / scale;
}

/// The case on both devices: values, then the gradients of every input that has one.
void expect_agreement(const OpCase& c, Dtype dtype, int form, double bound) {
  const auto on_cpu = inputs_on(c, dtype, form, Device::cpu());
  const auto on_cuda = inputs_on(c, dtype, form, device);
  const Tensor y = c.f(on_cpu), z = c.f(on_cuda);
  ASSERT_EQ(z.device(), device);
  ASSERT_EQ(z.shape(), y.shape());
  ASSERT_EQ(z.dtype(), y.dtype());
  EXPECT_LE(difference(y, z), bound);
  if (!c.differentiable) return;
  // Unequal weights: a softmax's or a norm's gradient for equal ones is zero but for rounding.
  const Tensor dy = cos(arange(y.numel(), {Dtype::f64})).reshape(y.shape()).to(y.dtype());
  y.backward(dy);
  z.backward(dy.to(device));
  for (std::size_t i = 0; i < on_cpu.size(); ++i) {
    if (!on_cpu[i].requires_grad() || !on_cpu[i].grad().defined()) continue;
    EXPECT_LE(difference(on_cpu[i].grad(), on_cuda[i].grad()), bound) << "gradient " << i;
  }
}

/// What `f` throws, as a failure of the test.
void expect_nothing_thrown(auto&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    ADD_FAILURE() << e.what();
  }
}

struct Precision {
  Dtype dtype;
  double bound;
};

TEST_F(OnCuda, EveryOpAgreesWithTheCpu) {
  for (const OpCase& c : op_cases()) {
    for (const auto& [dtype, bound] : {Precision{Dtype::f64, 1e-12}, Precision{Dtype::f32, 2e-5}}) {
      for (int form = 0; form < 4; ++form) {
        SCOPED_TRACE(c.name + ", " + std::string(to_string(dtype)) + ", memory form " +
                     std::to_string(form));
        expect_nothing_thrown([&] { expect_agreement(c, dtype, form, bound); });
      }
    }
  }
}

/// Is the case defined on the CPU for this type? Its error is about the type where it is not.
bool runs_on_cpu(const OpCase& c, Dtype dtype) {
  try {
    c.f(inputs_on(c, dtype, 0, Device::cpu()));
    return true;
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::dtype) << e.what();
    return false;
  }
}

// Two units in the last place of the largest value: sums are in float on both sides, in another
// order, and rounded once.
TEST_F(OnCuda, HalfTypesAgreeWithTheCpu) {
  std::size_t ran = 0;
  for (const OpCase& c : op_cases()) {
    for (const auto& [dtype, bound] :
         {Precision{Dtype::bf16, 0x2p-7}, Precision{Dtype::f16, 0x2p-10}}) {
      SCOPED_TRACE(c.name + ", " + std::string(to_string(dtype)));
      if (!runs_on_cpu(c, dtype)) continue;
      ++ran;
      for (int form : {0, 2})
        expect_nothing_thrown([&] { expect_agreement(c, dtype, form, bound); });
    }
  }
  EXPECT_GT(ran, op_cases().size()) << "most ops are for both half types";
}

}  // namespace
}  // namespace gradus::testing
