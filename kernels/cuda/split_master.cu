// Masters taken apart and put together (kernels/split_master.h) outside of the optimizer's step.
#include "gradus/kernels/cuda/launch.cuh"
#include "gradus/kernels/split_master.h"

namespace gradus::cuda {
namespace {

constexpr int threads = 256;

__global__ void split_elements(std::int64_t n, const float* master, bf16* low,
                               std::uint16_t* remainder) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= n) return;
  const SplitFloat s = split_float(master[i]);
  low[i] = s.low;
  remainder[i] = s.remainder;
}

__global__ void join_elements(std::int64_t n, const bf16* low, const std::uint16_t* remainder,
                              float* master) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < n) master[i] = join_float(low[i], remainder[i]);
}

std::uint16_t* halves(const Tensor& remainder) {
  return static_cast<std::uint16_t*>(remainder.data());
}

}  // namespace

void split_master(const Tensor& master, const Tensor& low, const Tensor& remainder) {
  const std::int64_t n = master.numel();
  launch<split_elements>(pieces(n, threads), threads, 0, compute_stream(low.device().index()), n,
                         master.data<float>(), low.data<bf16>(), halves(remainder));
}

void join_master(const Tensor& low, const Tensor& remainder, const Tensor& master) {
  const std::int64_t n = master.numel();
  launch<join_elements>(pieces(n, threads), threads, 0, compute_stream(low.device().index()), n,
                        low.data<bf16>(), halves(remainder), master.data<float>());
}

}  // namespace gradus::cuda
