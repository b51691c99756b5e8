// Masters taken apart and put together (kernels/split_master.h): where one is saved, loaded or
// compared. The optimizer's step does it by itself, in its one pass over memory.
#include "gradus/kernels/split_master.h"

#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

std::uint16_t* halves(const Tensor& remainder) {
  return static_cast<std::uint16_t*>(remainder.data());
}

}  // namespace

void split_master(const Tensor& master, const Tensor& low, const Tensor& remainder) {
  const float* from = master.data<float>();
  bf16* upper = low.data<bf16>();
  std::uint16_t* lower = halves(remainder);
  parallel_for(master.numel(), pointwise_grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const SplitFloat s = split_float(from[i]);
      upper[i] = s.low;
      lower[i] = s.remainder;
    }
  });
}

void join_master(const Tensor& low, const Tensor& remainder, const Tensor& master) {
  float* to = master.data<float>();
  const bf16* upper = low.data<bf16>();
  const std::uint16_t* lower = halves(remainder);
  parallel_for(master.numel(), pointwise_grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = join_float(upper[i], lower[i]);
  });
}

}  // namespace gradus::cpu
