#include "gradus/kernels/cuda/binary_table.cuh"

namespace gradus::cuda {
namespace {

struct Forward {
  template <ops::Binary Op>
  static constexpr Runs<3> of() {
    return all_runs<Value, Op, 3>();
  }
};
constexpr auto runs = binary_runs<Forward>(ops::BinaryOps{});

}  // namespace

const Runs<3>& binary_forward(std::size_t op) { return runs[op]; }

}  // namespace gradus::cuda
