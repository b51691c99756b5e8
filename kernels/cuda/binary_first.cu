#include "gradus/kernels/cuda/binary_table.cuh"

namespace gradus::cuda {
namespace {

// Not named as in the other file: g++ gives a template that stands for a parameter of another one
// external linkage, unnamed namespace or not, and the linker would keep one of the two.
template <class Op>
struct GradientOfA {
  Op op;
  template <class T>
  __device__ T operator()(T dy, T a, T b) const {
    return op.da_from_ab(a, b, dy);
  }
};

struct Backward {
  template <ops::Binary Op>
  static constexpr Runs<4> of() {
    if constexpr (ops::KeepsInputs<Op>)
      return floating_runs<GradientOfA, Op, 4>();
    else
      return {};
  }
};
constexpr auto runs = binary_runs<Backward>(ops::BinaryOps{});

}  // namespace

const Runs<4>& binary_first_gradient(std::size_t op) { return runs[op]; }

}  // namespace gradus::cuda
