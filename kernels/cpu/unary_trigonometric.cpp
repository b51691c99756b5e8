#include "gradus/kernels/cpu/unary_table.h"

namespace gradus::cpu {

std::span<const UnaryEntry> trigonometric_entries() {
  static constexpr auto entries = unary_entries(ops::TrigonometricOps{});
  return entries;
}

}  // namespace gradus::cpu
