#include "gradus/kernels/binary.h"
#include "gradus/kernels/cuda/binary_table.cuh"

namespace gradus::cuda {
namespace {

template <class... Ops>
constexpr std::array<const char*, sizeof...(Ops)> names_of(ops::List<Ops...>) {
  return {Ops::name...};
}
constexpr auto names = names_of(ops::BinaryOps{});

}  // namespace

void binary(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& y) {
  const auto at = static_cast<std::size_t>(op.index);
  const Run<3> run = binary_forward(at).of(y.dtype());
  check(run != nullptr, ErrorKind::dtype, names[at], ": not defined for ", y.dtype());
  run(op.p, {&y, &a, &b});
}

void binary_backward_a(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& da) {
  const auto at = static_cast<std::size_t>(op.index);
  const Run<4> run = binary_first_gradient(at).of(dy.dtype());
  check(run != nullptr, ErrorKind::dtype, names[at], ": no gradient for ", dy.dtype());
  run(op.p, {&da, &dy, &a, &b});
}

void binary_backward_b(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& db) {
  const auto at = static_cast<std::size_t>(op.index);
  const Run<4> run = binary_second_gradient(at).of(dy.dtype());
  check(run != nullptr, ErrorKind::dtype, names[at], ": no gradient for ", dy.dtype());
  run(op.p, {&db, &dy, &a, &b});
}

}  // namespace gradus::cuda
