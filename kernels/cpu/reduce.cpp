// Reductions over any dimensions: dimensions side by side are joined to groups, and the groups
// reduced one after another, the innermost first, each by the fixed tree of reduce_fold.h.
#include "gradus/kernels/reduce.h"

#include "gradus/kernels/binary.h"
#include "gradus/kernels/cpu/reduce_fold.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/reduce_groups.h"

namespace gradus::cpu {
namespace {

/// x, prepared, reduced to a tensor with y's elements in order.
template <class Op, class T>
Tensor reduce_groups(const Tensor& x, ReduceGroups g) {
  Tensor now;  // what is left to reduce; x at first
  for (int at = g.n - 1; at >= 0; --at) {
    if (!g.reduced[at]) continue;
    const std::int64_t outer = g.product(0, at), inner = g.product(at + 1, g.n);
    const Tensor next = empty({outer * inner}, x.options());
    fold::fold<Op>((now ? now : x).data<T>(), outer, g.sizes[at], inner, next.data<T>());
    now = next;
    g.sizes[at] = 1;
  }
  return now;
}

template <class Op, bool arithmetic>
Tensor reduce_typed(const Tensor& input, const ReduceGroups& g) {
  Tensor x = fold::prepared(input);
  if (arithmetic && x.dtype() == Dtype::u8) x = as_dtype(x, Dtype::i64);
  Tensor y;
  fold::visit_prepared(x, [&]<class T> {
    if constexpr (!arithmetic || sizeof(T) > 1) y = reduce_groups<Op, T>(x, g);
  });
  return y;
}

/// The reduction, row-major, or x itself where nothing is to be done; any dtype.
Tensor reduced(Reduce op, const Tensor& x, const Tensor& y) {
  const ReduceGroups g(x, y);
  if (g.nothing_to_do()) return x;
  switch (op) {
    case Reduce::sum: return reduce_typed<fold::Sum, true>(x, g);
    case Reduce::prod: return reduce_typed<fold::Prod, true>(x, g);
    case Reduce::max: return reduce_typed<fold::Max, false>(x, g);
    default: return reduce_typed<fold::Min, false>(x, g);
  }
}

}  // namespace

void reduce(Reduce op, const Tensor& x, const Tensor& y) {
  copy(shown_as(reduced(op, x, y), y.shape()), y);
}

void sum(const Tensor& x, const Tensor& y, bool add) {
  if (!add) return reduce(Reduce::sum, x, y);
  const Tensor s = as_dtype(shown_as(reduced(Reduce::sum, x, y), y.shape()), y.dtype());
  binary(ops::call<ops::BinaryOps>(ops::Add{}), y, s, y);
}

}  // namespace gradus::cpu
