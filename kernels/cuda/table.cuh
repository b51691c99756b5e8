// From an op's struct to what runs it: for each arithmetic type a function that launches its
// kernel. The contract's OpCall picks one by its index.
#pragma once

#include <array>

#include "gradus/kernels/by_type.h"
#include "gradus/kernels/cuda/pointwise.cuh"
#include "gradus/kernels/ops.h"

namespace gradus::cuda {

/// Launches an op with parameters `p` over t[0] (the output) and its inputs.
template <int N>
using Run = void (*)(const double* p, const Tensor* const (&t)[N]);

template <int N>
using Runs = ByType<Run<N>>;

/// Functor is a struct with an Op as its only member; all tensors compute in T.
template <template <class> class Functor, class Op, class T, int N>
void run_op(const double* p, const Tensor* const (&t)[N]) {
  const Functor<Op> f{ops::from_parameters<Op>(p)};
  if constexpr (N == 2)
    pointwise<T, T>(f, t);
  else if constexpr (N == 3)
    pointwise<T, T, T>(f, t);
  else
    pointwise<T, T, T, T>(f, t);
}

template <template <class> class Functor, class Op, int N>
constexpr Runs<N> floating_runs() {
  return {run_op<Functor, Op, float, N>, run_op<Functor, Op, double, N>};
}

/// Floating types, and those that the op says it is for.
template <template <class> class Functor, class Op, int N>
constexpr Runs<N> all_runs() {
  Runs<N> r = floating_runs<Functor, Op, N>();
  if constexpr (ops::Integers<Op>) {
    r.i32 = run_op<Functor, Op, std::int32_t, N>;
    r.i64 = run_op<Functor, Op, std::int64_t, N>;
    r.u8 = run_op<Functor, Op, std::uint8_t, N>;
  }
  if constexpr (ops::Booleans<Op>) r.boolean = run_op<Functor, Op, bool, N>;
  return r;
}

template <class Op>
struct Value {
  Op op;
  template <class... T>
  __device__ auto operator()(T... x) const {
    return op.y(x...);
  }
};

}  // namespace gradus::cuda
