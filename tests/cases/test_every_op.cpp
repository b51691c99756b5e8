// Tests that go over every row of the op table: gradients in all memory forms, and equal bits for
// views.
#include <gtest/gtest.h>

#include <cstring>

#include "gradus/autograd/gradcheck.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {

std::vector<Tensor> make_inputs(const OpCase& c, std::uint64_t seed) {
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  const auto uniform = [&] {  // splitmix64
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  };
  std::vector<Tensor> inputs;
  for (const Input& in : c.inputs) {
    Tensor values = empty(in.shape, {Dtype::f64});
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      values.data<double>()[i] = in.low + (in.high - in.low) * uniform();
    }
    Tensor x = as_dtype(values, in.dtype);
    if (in.dtype == Dtype::f64 && in.differentiable) x.set_requires_grad(true);
    inputs.push_back(x);
  }
  return inputs;
}

Tensor in_other_memory(const Tensor& t, int form) {
  const Tensor values = t.detach();
  Tensor home;
  if (form == 0 || t.dim() == 0) {
    home = empty(t.shape(), t.options());
  } else if (form == 1) {
    std::vector<int> reversed;
    Shape shape;
    for (int i = t.dim() - 1; i >= 0; --i) {
      reversed.push_back(i);
      shape.push_back(t.shape()[i]);
    }
    home = views::permute(empty(shape, t.options()), reversed);
  } else if (form == 2) {
    Shape shape = t.shape();
    shape[shape.size() - 1] *= 2;
    home = views::slice(empty(shape, t.options()), -1, 0, shape.back(), 2);
  } else {
    Shape shape = t.shape();
    shape[0] += 1;
    home = views::slice(empty(shape, t.options()), 0, 1, shape[0], 1);
  }
  copy_into(values, home);
  home.set_requires_grad(t.requires_grad());
  return home;
}

namespace {

TEST(EveryOp, BackwardAgreesWithDifferencesInAllMemoryForms) {
  for (const OpCase& c : op_cases()) {
    if (!c.differentiable) continue;
    for (int form = 0; form < 4; ++form) {
      SCOPED_TRACE(c.name + ", memory form " + std::to_string(form));
      std::vector<Tensor> inputs = make_inputs(c, 7);
      for (Tensor& x : inputs) x = in_other_memory(x, form);
      EXPECT_NO_THROW(
          try { gradcheck(c.f, inputs); } catch (const Error& e) {
            ADD_FAILURE() << e.what();
            throw;
          });
    }
  }
}

void expect_same_bits(const Tensor& a, const Tensor& b, const char* what) {
  ASSERT_EQ(a.shape(), b.shape());
  const std::vector<double> u = as_dtype(a.detach(), Dtype::f64).to_vector<double>();
  const std::vector<double> v = as_dtype(b.detach(), Dtype::f64).to_vector<double>();
  EXPECT_EQ(std::memcmp(u.data(), v.data(), u.size() * sizeof(double)), 0) << what;
}

TEST(EveryOp, ViewsGiveTheSameBitsAsContiguousCopies) {
  for (const OpCase& c : op_cases()) {
    if (!c.same_bits_for_views) continue;
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      const auto cast = [&](std::vector<Tensor> in) {
        for (Tensor& x : in) {
          if (x.dtype() != Dtype::f64) continue;
          const bool wanted = x.requires_grad();
          x = as_dtype(x.detach(), dtype);
          x.set_requires_grad(wanted);
        }
        return in;
      };
      const std::vector<Tensor> plain = cast(make_inputs(c, 11));
      const Tensor y = c.f(plain);
      if (c.differentiable) y.backward(ones(y.shape(), y.options()));
      for (int form = 1; form < 4; ++form) {
        SCOPED_TRACE(c.name + ", memory form " + std::to_string(form));
        std::vector<Tensor> inputs = cast(make_inputs(c, 11));
        for (Tensor& x : inputs) x = in_other_memory(x, form);
        const Tensor z = c.f(inputs);
        expect_same_bits(y, z, "forward");
        if (!c.differentiable) continue;
        z.backward(ones(z.shape(), z.options()));
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          if (plain[i].requires_grad() && plain[i].grad().defined()) {
            expect_same_bits(plain[i].grad(), inputs[i].grad(), "gradient");
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gradus::testing
