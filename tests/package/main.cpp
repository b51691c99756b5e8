// A program that uses an installed Gradus as any other would: one include, one library. It trains a
// small network on the exclusive or, saves it, loads it into another and compares.
#include <gradus/gradus.h>

#include <cstdio>
#include <cstring>

#include "tensor/tensor.h"

#if __has_include(<tensor/error.h>) || __has_include(<nn/module.h>) || \
    __has_include(<config.h>) || __has_include(<gradus.h>)
#error "something of Gradus can be included by a generic name"
#endif

using namespace gradus;

struct Net : nn::Module {
  nn::Linear fc1{2, 8}, fc2{8, 1};
  Tensor forward(const Tensor& x) override { return fc2(tanh(fc1(x))); }  // (N, 2) -> (N, 1)
  void visit(nn::Visitor& v) override {
    v("fc1", fc1);
    v("fc2", fc2);
  }
};

int main() {
  if (const char* missing = missing_instruction_set()) {
    std::printf("this processor has no %s\n", missing);
    return 4;
  }
  if (std::strcmp(whose_tensor(), "the consumer's") != 0) return 1;
  if (version() != GRADUS_VERSION) return 1;  // header and library are of one version

  manual_seed(0);
  const float inputs[] = {0, 0, 0, 1, 1, 0, 1, 1}, outputs[] = {0, 1, 1, 0};
  const Tensor x = from_data(inputs, {4, 2}), target = from_data(outputs, {4, 1});
  Net net;
  optim::AdamW opt(net.parameters(), {.lr = 0.05});
  for (int step = 0; step < 300; ++step) {
    opt.zero_grad();
    mse_loss(net(x), target).backward();
    opt.step();
  }
  const double loss = mse_loss(net(x), target).item<double>();

  Net copy;
  nn::load_state_dict(copy, nn::state_dict(net));
  const bool same = copy(x).to_vector<float>() == net(x).to_vector<float>();
  std::printf("%s\nloss %g, copy %s\n", build_info().c_str(), loss, same ? "equal" : "differs");
  return loss < 1e-3 && same ? 0 : 1;
}
