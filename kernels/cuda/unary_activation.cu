#include "gradus/kernels/cuda/unary_table.cuh"

namespace gradus::cuda {

std::span<const UnaryEntry> activation_entries() {
  static constexpr auto entries = unary_entries(ops::ActivationOps{});
  return entries;
}

}  // namespace gradus::cuda
