// Every row of the op table in several orders of lanes, warps, blocks and streams: the same bits,
// forward and backward. A kernel whose threads race, or that reads what nobody has written yet,
// does not pass.
#include <gtest/gtest.h>

#include <cstring>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/simt/simt.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {
namespace {

std::vector<unsigned char> bytes_of(const Tensor& t) {
  const Tensor host = t.detach().to(Device::cpu()).contiguous();
  std::vector<unsigned char> bytes(static_cast<std::size_t>(host.numel()) * size_of(host.dtype()));
  if (!bytes.empty()) std::memcpy(bytes.data(), host.data(), bytes.size());
  return bytes;
}

/// The result of a case and then its gradients, as bytes.
std::vector<std::vector<unsigned char>> run(const OpCase& c, Dtype dtype) {
  manual_seed(3);
  std::vector<Tensor> inputs = make_inputs(c, 5);
  for (Tensor& x : inputs) {
    const bool wanted = x.requires_grad();
    x = x.detach();
    if (x.dtype() == Dtype::f64) x = x.to(dtype);
    x = x.to(Device::cuda());
    x.set_requires_grad(wanted);
  }
  const Tensor y = c.f(inputs);
  std::vector<std::vector<unsigned char>> results{bytes_of(y)};
  if (!c.differentiable) return results;
  y.backward(cos(arange(y.numel(), {Dtype::f64})).reshape(y.shape()).to(y.dtype()).to(y.device()));
  for (const Tensor& x : inputs) {
    if (x.requires_grad() && x.grad().defined()) results.push_back(bytes_of(x.grad()));
  }
  return results;
}

TEST(SimtOrders, EveryOpHasTheSameBitsInEveryOrder) {
  for (const OpCase& c : op_cases()) {
    SCOPED_TRACE(c.name);
    try {
      const simt::Options before = simt::options();
      std::vector<std::vector<unsigned char>> natural;
      for (std::uint64_t seed : {0, 1, 2, 3}) {
        simt::configure({seed, before.protect, {}});
        const auto now = run(c, Dtype::f32);
        if (seed == 0) natural = now;
        EXPECT_EQ(now, natural) << "seed " << seed;
      }
      simt::configure(before);
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
  }
}

}  // namespace
}  // namespace gradus::testing
