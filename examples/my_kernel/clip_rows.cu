// Compiled by nvcc for a GPU, or by the C++ compiler for the simulated device: not a line differs.
#include <cmath>

#include "gradus/kernels/cuda/launch.cuh"
#include "gradus/tensor/tensor.h"

namespace {

constexpr int threads = 128;

/// A block for each row: the sum of squares as a tree in shared memory, then every thread scales.
__global__ void __launch_bounds__(threads)
    clip(const float* x, std::int64_t m, float limit, float* y) {
  GRADUS_SHARED(float, squares, [threads]);
  x += blockIdx.x * m;
  y += blockIdx.x * m;
  const int t = static_cast<int>(threadIdx.x);
  float sum = 0;
  for (std::int64_t i = t; i < m; i += threads) sum += x[i] * x[i];
  squares[t] = sum;
  __syncthreads();
  for (int half = threads / 2; half > 0; half /= 2) {
    if (t < half) squares[t] += squares[t + half];
    __syncthreads();
  }
  const float norm = std::sqrt(squares[0]);
  const float factor = norm > limit ? limit / norm : 1.0f;
  for (std::int64_t i = t; i < m; i += threads) y[i] = factor * x[i];
}

}  // namespace

/// Each row of x (N, M), f32 in row-major memory of a CUDA device, scaled down to the Euclidean
/// norm `limit` if it is longer: what differential privacy does to the gradient of every sample.
gradus::Tensor clip_rows(const gradus::Tensor& x, double limit) {
  using namespace gradus;
  check(x.device().is_cuda() && x.dtype() == Dtype::f32 && x.dim() == 2 && x.is_contiguous(),
        ErrorKind::argument, "clip_rows: expected a row-major f32 matrix on a CUDA device, got ",
        x.dtype(), " ", x.shape(), " on ", x.device());
  Tensor y = empty(x.shape(), x.options());
  cuda::launch<clip>(x.size(0), threads, 0, cuda::compute_stream(x.device().index()),
                     static_cast<const float*>(x.data<float>()), x.size(1),
                     static_cast<float>(limit), y.data<float>());
  return y;
}
