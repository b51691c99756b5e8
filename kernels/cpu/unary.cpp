#include "gradus/kernels/unary.h"

#include "gradus/kernels/cpu/unary_table.h"

namespace gradus::cpu {
namespace {

using Entries = std::array<UnaryEntry, ops::UnaryOps::size>;

/// The families one after another, as in ops::UnaryOps.
[[gnu::noinline]] Entries all_entries() {
  Entries entries;
  auto at = entries.begin();
  for (const auto family : {arithmetic_entries(), exponential_entries(), trigonometric_entries(),
                            activation_entries()}) {
    at = std::copy(family.begin(), family.end(), at);
  }
  return entries;
}

const UnaryEntry& entry_of(int index) {
  static const Entries all = all_entries();
  return all[static_cast<std::size_t>(index)];
}

}  // namespace

void unary(const OpCall& op, const Tensor& x, const Tensor& y) {
  const UnaryEntry& entry = entry_of(op.index);
  const Row row = entry.forward.of(x.dtype());
  check(row != nullptr, ErrorKind::dtype, entry.name, ": not defined for ", x.dtype());
  run_rows(row, op.p, {&y, &x});
}

void unary_backward(const OpCall& op, const Tensor& x, const Tensor& y, const Tensor& dy,
                    const Tensor& dx) {
  const UnaryEntry& entry = entry_of(op.index);
  const Row row = entry.backward.of(dy.dtype());
  check(row != nullptr, ErrorKind::dtype, entry.name, ": no gradient for ", dy.dtype());
  run_rows(row, op.p, {&dx, &dy, x ? &x : &dy, y ? &y : &dy});
}

}  // namespace gradus::cpu
