#include "gradus/kernels/binary.h"
#include "gradus/kernels/cuda/table.cuh"

namespace gradus::cuda {
namespace {

struct Entry {
  const char* name;
  Runs<3> forward;  // y, a, b
  Runs<4> da, db;   // da (or db), dy, a, b
};

template <class Op>
struct FirstGradient {
  Op op;
  template <class T>
  __device__ T operator()(T dy, T a, T b) const {
    return op.da_from_ab(a, b, dy);
  }
};
template <class Op>
struct SecondGradient {
  Op op;
  template <class T>
  __device__ T operator()(T dy, T a, T b) const {
    return op.db_from_ab(a, b, dy);
  }
};

template <ops::Binary Op>
constexpr Entry make_entry() {
  Entry e{Op::name, all_runs<Value, Op, 3>(), {}, {}};
  if constexpr (ops::KeepsInputs<Op>) {
    e.da = floating_runs<FirstGradient, Op, 4>();
    e.db = floating_runs<SecondGradient, Op, 4>();
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
  const Run<3> run = entry.forward.of(y.dtype());
  check(run != nullptr, ErrorKind::dtype, entry.name, ": not defined for ", y.dtype());
  run(op.p, {&y, &a, &b});
}

void binary_backward_a(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& da) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  const Run<4> run = entry.da.of(dy.dtype());
  check(run != nullptr, ErrorKind::dtype, entry.name, ": no gradient for ", dy.dtype());
  run(op.p, {&da, &dy, &a, &b});
}

void binary_backward_b(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& db) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  const Run<4> run = entry.db.of(dy.dtype());
  check(run != nullptr, ErrorKind::dtype, entry.name, ": no gradient for ", dy.dtype());
  run(op.p, {&db, &dy, &a, &b});
}

}  // namespace gradus::cuda
