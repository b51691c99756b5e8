// Losses of pairs (x, t). An op compiles to three plain loops, its value and both derivatives;
// sums, half types and the division by the count are the same code for all of them.
#include "gradus/kernels/pair_loss.h"

#include <array>

#include "gradus/kernels/cpu/lanes.h"
#include "gradus/kernels/cpu/rows.h"
#include "gradus/kernels/create.h"

namespace gradus::cpu {
namespace {

enum class Part { value, dx, dt };

template <class Op, class T, Part part>
void loss_row(const double* p, void* const* at, std::int64_t n) {
  const Op op = ops::from_parameters<Op>(p);
  T* to = static_cast<T*>(at[0]);
  const T* x = static_cast<const T*>(at[1]);
  const T* t = static_cast<const T*>(at[2]);
  if constexpr (part == Part::value) {
    GRADUS_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) to[i] = op.y(x[i], t[i]);
  } else {
    const T* dy = static_cast<const T*>(at[3]);
    GRADUS_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (part == Part::dx)
        to[i] = dy[i] * op.dx(x[i], t[i]);
      else
        to[i] = dy[i] * op.dt(x[i], t[i]);
    }
  }
}

struct Entry {
  const char* name;
  bool unit_interval;
  Rows value, dx, dt;  // (y, x, t), (dx, x, t, dy), (dt, x, t, dy)
};

template <class Op, Part part>
constexpr Rows rows_of() {
  Rows rows;
  rows.f32 = loss_row<Op, float, part>;
  rows.f64 = loss_row<Op, double, part>;
  return rows;
}
template <ops::Loss... Ops>
constexpr auto make_table(ops::List<Ops...>) {
  return std::array<Entry, sizeof...(Ops)>{
      Entry{Ops::name, ops::UnitInterval<Ops>, rows_of<Ops, Part::value>(),
            rows_of<Ops, Part::dx>(), rows_of<Ops, Part::dt>()}...};
}
constexpr auto table = make_table(ops::LossOps{});

const Entry& entry_of(const OpCall& op, Dtype dtype) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  check(is_floating(dtype), ErrorKind::dtype, entry.name, ": expected a floating dtype, got ",
        dtype);
  return entry;
}

template <class T>
void check_unit_interval(const char* name, const T* x, std::int64_t n) {
  bool outside = false;
  for (std::int64_t i = 0; i < n; ++i) outside |= float(x[i]) < 0 || float(x[i]) > 1;
  if (!outside) return;
  for (std::int64_t i = 0; i < n; ++i) {
    const double v = static_cast<double>(compute_t<T>(x[i]));
    check(!(v < 0 || v > 1), ErrorKind::argument, name,
          ": expected probabilities in [0, 1], element ", i, " is ", v,
          "; for logits use bce_with_logits");
  }
}

/// Sums of fixed parts, added in order in double: threads only decide who adds up which part.
template <class C>
double sum_of(Row value, const double* p, const Tensor& x, const Tensor& t) {
  const std::int64_t n = x.numel();
  constexpr std::int64_t part = 4096;
  const std::int64_t parts = (n + part - 1) / part;
  const Tensor sums = empty({parts}, {Dtype::f64});
  double* const s = static_cast<double*>(sums.data());
  C *const a = static_cast<C*>(x.data()), *const b = static_cast<C*>(t.data());
  parallel_for(parts, pointwise_grain / part / 2, [=](std::int64_t begin, std::int64_t end) {
    alignas(64) C v[row_chunk];
    for (std::int64_t k = begin; k < end; ++k) {
      Lanes<C> acc;
      const std::int64_t last = std::min(n, (k + 1) * part);
      for (std::int64_t i = k * part; i < last; i += row_chunk) {
        const int used = static_cast<int>(std::min<std::int64_t>(row_chunk, last - i));
        const int padded = (used + lanes - 1) & -lanes;
        void* const at[] = {v, a + i, b + i};
        value(p, at, used);
        std::fill(v + used, v + padded, C(0));
        acc.add(v, padded);
      }
      s[k] = static_cast<double>(acc.sum());
    }
  });
  return sum_row<double>(parts, [s](std::int64_t k) { return s[k]; });
}

}  // namespace

void pair_loss(const OpCall& op, const Tensor& x, const Tensor& t, double divisor,
               const Tensor& y) {
  const Entry& entry = entry_of(op, x.dtype());
  if (entry.unit_interval) {
    visit_floating(x.dtype(), entry.name, [&]<class T> {
      check_unit_interval(entry.name, static_cast<const T*>(x.data()), x.numel());
    });
  }
  const Row value = entry.value.of(x.dtype());
  if (y.shape() == x.shape() && y.dim() > 0) return run_rows(value, op.p, {&y, &x, &t});
  if (x.dtype() == Dtype::f64) {
    *y.data<double>() = sum_of<double>(value, op.p, x, t) / divisor;
    return;
  }
  const Tensor a = as_dtype(x, Dtype::f32), b = as_dtype(t, Dtype::f32);
  fill(y, static_cast<float>(sum_of<float>(value, op.p, a, b) / divisor));
}

void pair_loss_backward(const OpCall& op, const Tensor& x, const Tensor& t, double divisor,
                        const Tensor& dy, bool of_target, const Tensor& dx) {
  const Entry& entry = entry_of(op, x.dtype());
  const Row row = (of_target ? entry.dt : entry.dx).of(x.dtype());
  if (dy.dim() > 0) return run_rows(row, op.p, {&dx, &x, &t, &dy});
  // dy / divisor for all elements, in the type of the arithmetic. Divided, not multiplied by 1 / n:
  // that is not exact.
  const Tensor scale = as_dtype(dy, x.dtype() == Dtype::f64 ? Dtype::f64 : Dtype::f32).clone();
  if (x.dtype() == Dtype::f64)
    *scale.data<double>() /= divisor;
  else
    *scale.data<float>() /= static_cast<float>(divisor);
  run_rows(row, op.p, {&dx, &x, &t, &scale});
}

}  // namespace gradus::cpu
