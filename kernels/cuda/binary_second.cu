#include "gradus/kernels/cuda/binary_table.cuh"

namespace gradus::cuda {
namespace {

template <class Op>
struct Gradient {
  Op op;
  template <class T>
  __device__ T operator()(T dy, T a, T b) const {
    return op.db_from_ab(a, b, dy);
  }
};

struct Backward {
  template <ops::Binary Op>
  static constexpr Runs<4> of() {
    if constexpr (ops::KeepsInputs<Op>)
      return floating_runs<Gradient, Op, 4>();
    else
      return {};
  }
};
constexpr auto runs = binary_runs<Backward>(ops::BinaryOps{});

}  // namespace

const Runs<4>& binary_second_gradient(std::size_t op) { return runs[op]; }

}  // namespace gradus::cuda
