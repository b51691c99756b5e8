#include "gradus/kernels/compare.h"

#include <array>

#include "gradus/kernels/cpu/rows.h"

namespace gradus::cpu {
namespace {

template <class Op, class T>
void compare_row(const double*, void* const* at, std::int64_t n) {
  bool* y = static_cast<bool*>(at[0]);
  const T* a = static_cast<const T*>(at[1]);
  const T* b = static_cast<const T*>(at[2]);
  GRADUS_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y[i] = Op{}.y(a[i], b[i]);
}

template <class Op, class T>
void predicate_row(const double*, void* const* at, std::int64_t n) {
  bool* y = static_cast<bool*>(at[0]);
  const T* x = static_cast<const T*>(at[1]);
  GRADUS_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y[i] = Op{}.y(x[i]);
}

template <ops::Comparison... Ops>
constexpr auto make_table(ops::List<Ops...>) {
  return std::array{Rows{compare_row<Ops, float>, compare_row<Ops, double>,
                         compare_row<Ops, std::int32_t>, compare_row<Ops, std::int64_t>,
                         compare_row<Ops, std::uint8_t>, compare_row<Ops, bool>}...};
}
template <ops::Predicate... Ops>
constexpr auto make_table(ops::List<Ops...>) {
  return std::array{Rows{predicate_row<Ops, float>, predicate_row<Ops, double>,
                         predicate_row<Ops, std::int32_t>, predicate_row<Ops, std::int64_t>,
                         predicate_row<Ops, std::uint8_t>, predicate_row<Ops, bool>}...};
}
constexpr auto comparisons = make_table(ops::Comparisons{});
constexpr auto predicates = make_table(ops::Predicates{});

template <class T>
void where_row(const double*, void* const* at, std::int64_t n) {
  T* y = static_cast<T*>(at[0]);
  const bool* c = static_cast<const bool*>(at[1]);
  const T* a = static_cast<const T*>(at[2]);
  const T* b = static_cast<const T*>(at[3]);
  GRADUS_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y[i] = c[i] ? a[i] : b[i];
}
constexpr Rows where_rows{where_row<float>,        where_row<double>,       where_row<std::int32_t>,
                          where_row<std::int64_t>, where_row<std::uint8_t>, where_row<bool>};

}  // namespace

void compare(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& y) {
  run_rows(comparisons[static_cast<std::size_t>(op.index)].of(a.dtype()), op.p, {&y, &a, &b});
}

void predicate(const OpCall& op, const Tensor& x, const Tensor& y) {
  run_rows(predicates[static_cast<std::size_t>(op.index)].of(x.dtype()), op.p, {&y, &x});
}

void where(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y) {
  run_rows(where_rows.of(y.dtype()), nullptr, {&y, &condition, &a, &b});
}

}  // namespace gradus::cpu
