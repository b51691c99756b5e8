#include "gradus/kernels/cpu/unary_table.h"

namespace gradus::cpu {

std::span<const UnaryEntry> activation_entries() {
  static constexpr auto entries = unary_entries(ops::ActivationOps{});
  return entries;
}

}  // namespace gradus::cpu
