#include "gradus/kernels/pair_loss.h"

#include <array>

#include "gradus/kernels/cpu/lanes.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

template <class Op, class T>
void check_domain(const T* x, std::int64_t n) {
  if constexpr (ops::UnitInterval<Op>) {
    bool outside = false;
    for (std::int64_t i = 0; i < n; ++i) outside |= float(x[i]) < 0 || float(x[i]) > 1;
    if (!outside) return;
    for (std::int64_t i = 0; i < n; ++i) {
      const double v = static_cast<double>(compute_t<T>(x[i]));
      check(!(v < 0 || v > 1), ErrorKind::argument, Op::name,
            ": expected probabilities in [0, 1], element ", i, " is ", v,
            "; for logits use bce_with_logits");
    }
  }
}

/// Sums of fixed parts, added in order in double: threads only decide who adds up which part.
template <class Op, class T>
double sum_of(const Op& op, const T* x, const T* t, std::int64_t n) {
  using C = compute_t<T>;
  constexpr std::int64_t part = 4096;
  const std::int64_t parts = (n + part - 1) / part;
  const Tensor sums = empty({parts}, {Dtype::f64});
  double* const s = static_cast<double*>(sums.data());
  parallel_for(parts, pointwise_grain / part / 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const T *a = x + p * part, *b = t + p * part;
      s[p] = static_cast<double>(sum_row<C>(
          std::min(part, n - p * part), [=](std::int64_t i) { return op.y(C(a[i]), C(b[i])); }));
    }
  });
  return sum_row<double>(parts, [s](std::int64_t p) { return s[p]; });
}

template <class Op, class T>
void forward(const double* parameters, const Tensor& x, const Tensor& t, double divisor,
             const Tensor& y) {
  using C = compute_t<T>;
  const Op op = ops::from_parameters<Op>(parameters);
  const T *a = static_cast<const T*>(x.data()), *b = static_cast<const T*>(t.data());
  T* to = static_cast<T*>(y.data());
  const std::int64_t n = x.numel();
  check_domain<Op>(a, n);
  if (y.shape() == x.shape() && y.dim() > 0) {
    parallel_for(n, pointwise_grain / 2, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) to[i] = T(op.y(C(a[i]), C(b[i])));
    });
  } else {
    *to = T(static_cast<C>(sum_of(op, a, b, n) / divisor));
  }
}

template <class Op, class T, bool of_target>
void backward(const double* parameters, const Tensor& x, const Tensor& t, double divisor,
              const Tensor& dy, const Tensor& dx) {
  using C = compute_t<T>;
  const Op op = ops::from_parameters<Op>(parameters);
  const T *a = static_cast<const T*>(x.data()), *b = static_cast<const T*>(t.data());
  const T* d = static_cast<const T*>(dy.data());
  T* to = static_cast<T*>(dx.data());
  const auto derivative = [op](T u, T v) {
    if constexpr (of_target)
      return op.dt(C(u), C(v));
    else
      return op.dx(C(u), C(v));
  };
  const bool each = dy.dim() > 0;
  // Divided, not multiplied by 1 / n: that is not exact.
  const C scale = each ? C(1) : C(*d) / static_cast<C>(divisor);
  parallel_for(x.numel(), pointwise_grain / 2, [=](std::int64_t begin, std::int64_t end) {
    if (each) {
      for (std::int64_t i = begin; i < end; ++i) to[i] = T(C(d[i]) * derivative(a[i], b[i]));
    } else {
      for (std::int64_t i = begin; i < end; ++i) to[i] = T(scale * derivative(a[i], b[i]));
    }
  });
}

using Forward = void (*)(const double*, const Tensor&, const Tensor&, double, const Tensor&);
using Backward = void (*)(const double*, const Tensor&, const Tensor&, double, const Tensor&,
                          const Tensor&);

struct Entry {
  const char* name;
  Forward forward[4];
  Backward dx[4], dt[4];
};

template <ops::Loss... Ops>
constexpr auto make_table(ops::List<Ops...>) {
  return std::array<Entry, sizeof...(Ops)>{
      Entry{Ops::name,
            {forward<Ops, float>, forward<Ops, double>, forward<Ops, bf16>, forward<Ops, f16>},
            {backward<Ops, float, false>, backward<Ops, double, false>, backward<Ops, bf16, false>,
             backward<Ops, f16, false>},
            {backward<Ops, float, true>, backward<Ops, double, true>, backward<Ops, bf16, true>,
             backward<Ops, f16, true>}}...};
}
constexpr auto table = make_table(ops::LossOps{});

const Entry& entry_of(OpCall op, Dtype dtype) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  check(is_floating(dtype), ErrorKind::dtype, entry.name, ": expected a floating dtype, got ",
        dtype);
  return entry;
}

}  // namespace

void pair_loss(OpCall op, const Tensor& x, const Tensor& t, double divisor, const Tensor& y) {
  entry_of(op, x.dtype()).forward[static_cast<int>(x.dtype())](op.p, x, t, divisor, y);
}

void pair_loss_backward(OpCall op, const Tensor& x, const Tensor& t, double divisor,
                        const Tensor& dy, bool of_target, const Tensor& dx) {
  const Entry& entry = entry_of(op, x.dtype());
  const int i = static_cast<int>(x.dtype());
  (of_target ? entry.dt : entry.dx)[i](op.p, x, t, divisor, dy, dx);
}

}  // namespace gradus::cpu
