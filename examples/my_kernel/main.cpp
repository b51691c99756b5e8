// Runs the kernel beside the same thing written with tensors on the CPU, and compares.
#include <cstdio>

#include "gradus/gradus.h"

using namespace gradus;

Tensor clip_rows(const Tensor& x, double limit);  // clip_rows.cu

int main() try {
  manual_seed(0);
  const Tensor x = randn({1000, 300});
  const double limit = 17;  // sqrt(300) is 17.3: about two rows in three are longer
  const Tensor norms = sqrt(sum(x * x, {1}, true));
  const Tensor expected = where(norms > limit, x * (limit / norms), x);
  const Tensor y = clip_rows(x.to(Device::cuda()), limit).to(Device::cpu());
  const double worst = abs(y - expected).max().item<double>();
  std::printf("%lld of %lld rows clipped, largest difference from the CPU %.1e\n",
              static_cast<long long>(sum((norms > limit).to(Dtype::i64)).item<std::int64_t>()),
              static_cast<long long>(x.size(0)), worst);
  return worst < 1e-5 ? 0 : 1;
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
