#include "gradus/kernels/cuda/unary_table.cuh"

namespace gradus::cuda {

std::span<const UnaryEntry> arithmetic_entries() {
  static constexpr auto entries = unary_entries(ops::ArithmeticOps{});
  return entries;
}

}  // namespace gradus::cuda
