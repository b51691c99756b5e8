// Tensors of different devices in one op: a typed error that names both, for every op that takes
// more than one tensor, whichever of them is elsewhere.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus::testing {
namespace {

using MixedDevices = CudaTest;

/// The inputs of a case, all on the device but number `stays`.
std::vector<Tensor> inputs_but_one(const OpCase& c, std::size_t stays) {
  std::vector<Tensor> inputs = make_inputs(c, 5);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool wanted = inputs[i].requires_grad();
    Tensor x = inputs[i].detach();
    if (i != stays) x = x.to(Device::cuda());
    x.set_requires_grad(wanted);
    inputs[i] = x;
  }
  return inputs;
}

TEST_F(MixedDevices, AreATypedErrorThatNamesBothForEveryOp) {
  int cases = 0;
  for (const OpCase& c : op_cases()) {
    if (c.inputs.size() < 2) continue;
    for (std::size_t stays = 0; stays < c.inputs.size(); ++stays) {
      SCOPED_TRACE(c.name + ", input " + std::to_string(stays) + " on the CPU");
      ++cases;
      try {
        const Tensor y = c.f(inputs_but_one(c, stays));
        ADD_FAILURE() << "no error";
      } catch (const Error& e) {
        const std::string text = e.what();
        EXPECT_EQ(e.kind(), ErrorKind::device) << text;
        EXPECT_NE(text.find("cpu"), std::string::npos) << text;
        EXPECT_NE(text.find("cuda:0"), std::string::npos) << text;
      }
    }
  }
  EXPECT_GT(cases, 100);
}

}  // namespace
}  // namespace gradus::testing
