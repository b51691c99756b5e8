#include "gradus/kernels/compare.h"
#include "gradus/kernels/cuda/table.cuh"

namespace gradus::cuda {
namespace {

template <class Op, class T, int N>
void run_to_boolean(const double*, const Tensor* const (&t)[N]) {
  if constexpr (N == 2)
    pointwise<bool, T>(Value<Op>{}, t);
  else
    pointwise<bool, T, T>(Value<Op>{}, t);
}

template <int N, class... Ops>
constexpr std::array<Runs<N>, sizeof...(Ops)> make_table(ops::List<Ops...>) {
  return {Runs<N>{run_to_boolean<Ops, float, N>, run_to_boolean<Ops, double, N>,
                  run_to_boolean<Ops, std::int32_t, N>, run_to_boolean<Ops, std::int64_t, N>,
                  run_to_boolean<Ops, std::uint8_t, N>, run_to_boolean<Ops, bool, N>}...};
}
constexpr auto comparisons = make_table<3>(ops::Comparisons{});
constexpr auto predicates = make_table<2>(ops::Predicates{});

struct Choose {
  template <class T>
  __device__ T operator()(bool condition, T a, T b) const {
    return condition ? a : b;
  }
};

}  // namespace

void compare(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& y) {
  comparisons[static_cast<std::size_t>(op.index)].of(a.dtype())(op.p, {&y, &a, &b});
}

void predicate(const OpCall& op, const Tensor& x, const Tensor& y) {
  predicates[static_cast<std::size_t>(op.index)].of(x.dtype())(op.p, {&y, &x});
}

void where(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y) {
  visit(y.dtype(), [&]<class T> {
    using C = compute_t<T>;
    pointwise<C, bool, C, C>(Choose{}, {&y, &condition, &a, &b});
  });
}

}  // namespace gradus::cuda
