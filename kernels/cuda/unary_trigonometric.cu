#include "gradus/kernels/cuda/unary_table.cuh"

namespace gradus::cuda {

std::span<const UnaryEntry> trigonometric_entries() {
  static constexpr auto entries = unary_entries(ops::TrigonometricOps{});
  return entries;
}

}  // namespace gradus::cuda
