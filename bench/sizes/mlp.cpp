// The smallest useful program on the library alone: it trains an MLP with everything it needs in
// one block of memory. bench/sizes.py links it statically and weighs it.
#include <cstdio>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/random.h"
#include "gradus/nn/linear.h"
#include "gradus/optim/sgd.h"
#include "gradus/tensor/allocator.h"
#include "gradus/tensor/parallel.h"

using namespace gradus;

alignas(64) static char block[1 << 20];

int main() {
  set_num_threads(1);
  MemoryScope scope(block, sizeof block);
  double first = 0, last = 0;
  {
    manual_seed(0);
    nn::Linear hidden(784, 32), out(32, 10);
    std::vector<Parameter> parameters = hidden.parameters();
    for (const Parameter& p : out.parameters()) parameters.push_back(p);
    optim::SGD optimizer(parameters, {.lr = 0.1});
    const Tensor x = randn({32, 784}), y = randint(0, 10, {32});
    for (int step = 0; step < 100; ++step) {
      optimizer.zero_grad();
      const Tensor loss = cross_entropy(out(relu(hidden(x))), y);
      loss.backward();
      optimizer.step();
      last = loss.item<double>();
      if (step == 0) first = last;
    }
  }
  std::printf("{\"first_loss\": %.4f, \"last_loss\": %.4f, \"block_bytes\": %zu}\n", first, last,
              scope.peak());
  return last < first / 10 ? 0 : 1;
}
