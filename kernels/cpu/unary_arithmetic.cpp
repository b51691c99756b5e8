#include "gradus/kernels/cpu/unary_table.h"

namespace gradus::cpu {

std::span<const UnaryEntry> arithmetic_entries() {
  static constexpr auto entries = unary_entries(ops::ArithmeticOps{});
  return entries;
}

}  // namespace gradus::cpu
