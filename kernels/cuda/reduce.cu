// Reductions over any dimensions: the innermost reduced group first, then the next, as on the CPU.
#include "gradus/kernels/binary.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/fold.cuh"
#include "gradus/kernels/reduce.h"
#include "gradus/kernels/reduce_groups.h"

namespace gradus::cuda {
namespace {

/// What is left of x, in C, row-major.
template <class Op, class T, class C>
Tensor reduce_groups(const Tensor& x, ReduceGroups g) {
  Tensor now;
  for (int at = g.n - 1; at >= 0; --at) {
    if (!g.reduced[at]) continue;
    const std::int64_t outer = g.product(0, at), inner = g.product(at + 1, g.n);
    const Tensor next = empty({outer * inner}, {dtype_of<C>, x.device()});
    C* to = next.data<C>();
    if (now)
      fold_tensor<Op, C, C>(now.data<C>(), outer, g.sizes[at], inner, to, x.device());
    else
      fold_tensor<Op, T, C>(x.data<T>(), outer, g.sizes[at], inner, to, x.device());
    now = next;
    g.sizes[at] = 1;
  }
  return now;
}

/// Sums and products of integers are in i64; extremes stay what they are.
template <class Op, bool arithmetic>
Tensor reduce_typed(const Tensor& input, const ReduceGroups& g) {
  const Tensor x = as_contiguous(input);
  return visit(x.dtype(), [&]<class T>() -> Tensor {
    if constexpr (sizeof(T) == 1 && !arithmetic) {
      return reduce_groups<Op, T, std::int32_t>(x, g);  // a shuffle moves 4 bytes at least
    } else if constexpr (std::is_integral_v<T> && arithmetic) {
      return reduce_groups<Op, T, std::int64_t>(x, g);
    } else {
      return reduce_groups<Op, T, compute_t<T>>(x, g);
    }
  });
}

Tensor reduced(Reduce op, const Tensor& x, const Tensor& y) {
  const ReduceGroups g(x, y);
  if (g.nothing_to_do()) return as_contiguous(x);
  switch (op) {
    case Reduce::sum: return reduce_typed<fold::Sum, true>(x, g);
    case Reduce::prod: return reduce_typed<fold::Prod, true>(x, g);
    case Reduce::max: return reduce_typed<fold::Max, false>(x, g);
    default: return reduce_typed<fold::Min, false>(x, g);
  }
}

}  // namespace

void reduce(Reduce op, const Tensor& x, const Tensor& y) {
  // The largest of no elements is the lowest number: false, where the lowest of 4 bytes is not.
  if (op == Reduce::max && x.dtype() == Dtype::boolean && x.numel() == 0) return fill(y, 0);
  copy(shown_as(reduced(op, x, y), y.shape()), y);
}

void sum(const Tensor& x, const Tensor& y, bool add) {
  if (!add) return reduce(Reduce::sum, x, y);
  const Tensor s = as_dtype(shown_as(reduced(Reduce::sum, x, y), y.shape()), y.dtype());
  binary(ops::call<ops::BinaryOps>(ops::Add{}), y, s, y);
}

}  // namespace gradus::cuda
