#include "gradus/kernels/cuda/unary_table.cuh"

namespace gradus::cuda {

std::span<const UnaryEntry> exponential_entries() {
  static constexpr auto entries = unary_entries(ops::ExponentialOps{});
  return entries;
}

}  // namespace gradus::cuda
