#include "gradus/kernels/accumulate.h"
#include "gradus/kernels/cuda/rows.cuh"

namespace gradus::cuda {
namespace {

/// One thread: a few numbers a step, and their order is part of the contract.
template <class T>
__global__ void add_to_slot(const T* v, std::int64_t n, std::int64_t step, double weight,
                            double each, double* slot) {
  double sum = slot[0];
  for (std::int64_t i = 0; i < n; ++i)
    sum += each * static_cast<double>(static_cast<compute_t<T>>(v[i * step]));
  slot[0] = sum;
  slot[1] += weight;
}

}  // namespace

void accumulate(const Tensor& value, double weight, const Tensor& slots, std::int64_t at) {
  const bool mean = value.dim() == 0;
  const std::int64_t n = value.numel();
  visit(value.dtype(), [&]<class T> {
    launch<add_to_slot<T>>(1, 1, 0, compute_stream(value.device().index()),
                           static_cast<const T*>(value.data()), n, mean ? 1 : value.strides()[0],
                           weight, mean ? weight : weight / static_cast<double>(n),
                           slots.data<double>() + 2 * at);
  });
}

}  // namespace gradus::cuda
