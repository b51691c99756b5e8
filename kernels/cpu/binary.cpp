#include "gradus/kernels/binary.h"

#include <array>

#include "gradus/kernels/cpu/rows.h"

namespace gradus::cpu {
namespace {

struct Entry {
  const char* name;
  Rows forward;  // y, a, b
  Rows da, db;   // da (or db), dy, a, b
};

template <class Op, class T>
void forward_row(const double* p, void* const* at, std::int64_t n) {
  const Op op = ops::from_parameters<Op>(p);
  T* y = static_cast<T*>(at[0]);
  const T* a = static_cast<const T*>(at[1]);
  const T* b = static_cast<const T*>(at[2]);
  GRADUS_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y[i] = op.y(a[i], b[i]);
}

template <class Op, class T, bool first>
void backward_row(const double* p, void* const* at, std::int64_t n) {
  const Op op = ops::from_parameters<Op>(p);
  T* d = static_cast<T*>(at[0]);
  const T* dy = static_cast<const T*>(at[1]);
  const T* a = static_cast<const T*>(at[2]);
  const T* b = static_cast<const T*>(at[3]);
  GRADUS_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) {
    if constexpr (first)
      d[i] = op.da_from_ab(a[i], b[i], dy[i]);
    else
      d[i] = op.db_from_ab(a[i], b[i], dy[i]);
  }
}

template <ops::Binary Op>
constexpr Entry make_entry() {
  Entry e{Op::name, {}, {}, {}};
  e.forward.f32 = forward_row<Op, float>;
  e.forward.f64 = forward_row<Op, double>;
  if constexpr (ops::Integers<Op>) {
    e.forward.i32 = forward_row<Op, std::int32_t>;
    e.forward.i64 = forward_row<Op, std::int64_t>;
    e.forward.u8 = forward_row<Op, std::uint8_t>;
  }
  if constexpr (ops::Booleans<Op>) e.forward.boolean = forward_row<Op, bool>;
  if constexpr (ops::KeepsInputs<Op>) {
    e.da.f32 = backward_row<Op, float, true>;
    e.da.f64 = backward_row<Op, double, true>;
    e.db.f32 = backward_row<Op, float, false>;
    e.db.f64 = backward_row<Op, double, false>;
  }
  return e;
}

template <class... Ops>
constexpr std::array<Entry, sizeof...(Ops)> make_table(ops::List<Ops...>) {
  return {make_entry<Ops>()...};
}
constexpr auto table = make_table(ops::BinaryOps{});

}  // namespace

void binary(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& y) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  const Row row = entry.forward.of(y.dtype());
  check(row != nullptr, ErrorKind::dtype, entry.name, ": not defined for ", y.dtype());
  run_rows(row, op.p, {&y, &a, &b});
}

void binary_backward_a(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& da) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  const Row row = entry.da.of(dy.dtype());
  check(row != nullptr, ErrorKind::dtype, entry.name, ": no gradient for ", dy.dtype());
  run_rows(row, op.p, {&da, &dy, &a, &b});
}

void binary_backward_b(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& db) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  const Row row = entry.db.of(dy.dtype());
  check(row != nullptr, ErrorKind::dtype, entry.name, ": no gradient for ", dy.dtype());
  run_rows(row, op.p, {&db, &dy, &a, &b});
}

}  // namespace gradus::cpu
