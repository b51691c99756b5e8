// Binary ops as tables, forward and the two gradients each compiled in a file of its own,
// binary_<which>.cu, so that no file of the build is slow.
#pragma once

#include "gradus/kernels/cuda/table.cuh"

namespace gradus::cuda {

/// An op's functions by arithmetic type; none for a gradient that it does not have.
template <class Make, class... Ops>
constexpr auto binary_runs(ops::List<Ops...>) {
  return std::array{Make::template of<Ops>()...};
}

const Runs<3>& binary_forward(std::size_t op);          // y, a, b
const Runs<4>& binary_first_gradient(std::size_t op);   // da, dy, a, b
const Runs<4>& binary_second_gradient(std::size_t op);  // db, dy, a, b

}  // namespace gradus::cuda
