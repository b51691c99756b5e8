// How OpInfo's activations and softmaxes are called here.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {

void add_activation_calls(Calls& calls) {
  const auto add = [&](const char* entry, Bound bound, auto f) {
    calls.push_back({std::string("nn.functional.") + entry, bound,
                     [f](const Args& a) { return Tensors{f(a)}; }});
  };
  using A = const Args&;
  add("relu", exact, [](A a) { return relu(a.t()); });
  add("relu6", exact, [](A a) { return relu6(a.t()); });
  add("leaky_relu", ulp(2), [](A a) { return leaky_relu(a.t(), a.real("slope", 0.01)); });
  add("elu", ulp(3), [](A a) { return elu(a.t(), a.real("alpha", 1)); });
  add("selu", ulp(3), [](A a) { return selu(a.t()); });
  add("celu", ulp(3), [](A a) { return celu(a.t(), a.real("alpha", 1)); });
  add("gelu", ulp(4), [](A a) { return gelu(a.t(), a.text("approximate", "none")); });
  add("silu", ulp(2), [](A a) { return silu(a.t()); });
  add("mish", ulp(4), [](A a) { return mish(a.t()); });
  add("softplus", ulp(2),
      [](A a) { return softplus(a.t(), a.real("beta", 1), a.real("threshold", 20)); });
  add("softsign", ulp(2), [](A a) { return softsign(a.t()); });
  add("logsigmoid", ulp(2), [](A a) { return logsigmoid(a.t()); });
  add("hardtanh", exact,
      [](A a) { return hardtanh(a.t(), a.real("min_val", -1), a.real("max_val", 1)); });
  add("hardswish", ulp(3), [](A a) { return hardswish(a.t()); });
  add("glu", ulp(3), [](A a) { return glu(a.t(), a.dim("dim", -1)); });
  add("prelu", ulp(2), [](A a) { return prelu(a.t(), a.t("weight")); });
  add("threshold", ulp(1),
      [](A a) { return threshold(a.t(), a.real("threshold"), a.real("value")); });
  // PyTorch's backward multiplies by 1 / 6 as a float, whatever the dtype.
  calls.push_back({.entry = "nn.functional.hardsigmoid",
                   .bound = ulp(2),
                   .f = [](A a) { return Tensors{hardsigmoid(a.t())}; },
                   .gradient = 1e-7});
  for (const char* entry : {"softmax", "softmax/with_dtype"}) {
    calls.push_back(
        {entry, ulp(4), [](A a) { return Tensors{softmax(a.t(), a.dim(), a.dtype())}; }});
  }
  for (const char* entry : {"log_softmax", "log_softmax/with_dtype"}) {
    calls.push_back(
        {entry, roundings(8), [](A a) { return Tensors{log_softmax(a.t(), a.dim(), a.dtype())}; }});
  }
}

}  // namespace gradus::oracle
