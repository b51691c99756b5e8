#include "gradus/kernels/cuda/unary_table.cuh"
#include "gradus/kernels/unary.h"

namespace gradus::cuda {
namespace {

/// The families one after another, as in ops::UnaryOps.
const UnaryEntry& entry_of(int index) {
  static const auto all = [] {
    std::array<UnaryEntry, ops::UnaryOps::size> entries;
    auto at = entries.begin();
    for (const auto family : {arithmetic_entries(), exponential_entries(), trigonometric_entries(),
                              activation_entries()}) {
      at = std::copy(family.begin(), family.end(), at);
    }
    return entries;
  }();
  return all[static_cast<std::size_t>(index)];
}

}  // namespace

void unary(const OpCall& op, const Tensor& x, const Tensor& y) {
  const UnaryEntry& entry = entry_of(op.index);
  const Run<2> run = entry.forward.of(x.dtype());
  check(run != nullptr, ErrorKind::dtype, entry.name, ": not defined for ", x.dtype());
  run(op.p, {&y, &x});
}

void unary_backward(const OpCall& op, const Tensor& x, const Tensor& y, const Tensor& dy,
                    const Tensor& dx) {
  const UnaryEntry& entry = entry_of(op.index);
  const Dtype dtype = dy.dtype();
  if (const auto run = entry.from_x.of(dtype)) return run(op.p, {&dx, &dy, &x});
  if (const auto run = entry.from_y.of(dtype)) return run(op.p, {&dx, &dy, &y});
  if (const auto run = entry.from_xy.of(dtype)) return run(op.p, {&dx, &dy, &x, &y});
  const auto run = entry.from_dy.of(dtype);
  check(run != nullptr, ErrorKind::dtype, entry.name, ": no gradient for ", dtype);
  run(op.p, {&dx, &dy});
}

}  // namespace gradus::cuda
