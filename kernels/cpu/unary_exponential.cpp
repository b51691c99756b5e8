#include "gradus/kernels/cpu/unary_table.h"

namespace gradus::cpu {

std::span<const UnaryEntry> exponential_entries() {
  static constexpr auto entries = unary_entries(ops::ExponentialOps{});
  return entries;
}

}  // namespace gradus::cpu
