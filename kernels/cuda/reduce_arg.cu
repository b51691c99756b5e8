// Where the largest and the smallest elements are: pairs of value and place, of which the better
// wins and of equals the first. No order of joining changes who that is.
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/fold.cuh"
#include "gradus/kernels/reduce.h"

namespace gradus::cuda {
namespace {

constexpr int threads = 256;

/// Does b at place j come before a at place i? NaN before all numbers.
template <bool largest, class C>
__device__ bool wins(C b, std::int64_t j, C a, std::int64_t i) {
  const bool a_nan = a != a, b_nan = b != b;
  if (a_nan || b_nan) return b_nan && (!a_nan || j < i);
  if (b == a) return j < i;
  return largest ? b > a : b < a;
}

/// A block for each row of n elements.
template <bool largest, class T, class C>
__global__ void __launch_bounds__(threads)
    arg_of_rows(const T* x, std::int64_t n, std::int64_t* y) {
  GRADUS_SHARED(C, values, [threads]);
  GRADUS_SHARED(std::int64_t, places, [threads]);
  const T* row = x + std::int64_t{blockIdx.x} * n;
  const int t = static_cast<int>(threadIdx.x);
  std::int64_t place = t < n ? t : 0;  // threads beyond the row take part with its first element
  C best = read<C>(row[place]);
  for (std::int64_t i = t + threads; i < n; i += threads) {
    const C v = read<C>(row[i]);
    if (wins<largest>(v, i, best, place)) {
      best = v;
      place = i;
    }
  }
  values[t] = best;
  places[t] = place;
  __syncthreads();
  for (int half = threads / 2; half > 0; half /= 2) {
    if (t < half && wins<largest>(values[t + half], places[t + half], values[t], places[t])) {
      values[t] = values[t + half];
      places[t] = places[t + half];
    }
    __syncthreads();
  }
  if (t == 0) y[blockIdx.x] = places[0];
}

/// A thread for each column of x[outer][n][inner].
template <bool largest, class T, class C>
__global__ void __launch_bounds__(threads)
    arg_of_columns(const T* x, std::int64_t n, std::int64_t inner, std::int64_t count,
                   std::int64_t* y) {
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= count) return;
  const T* from = x + k / inner * n * inner + k % inner;
  C best = read<C>(from[0]);
  std::int64_t place = 0;
  for (std::int64_t i = 1; i < n; ++i) {
    const C v = read<C>(from[i * inner]);
    if (wins<largest>(v, i, best, place)) {
      best = v;
      place = i;
    }
  }
  y[k] = place;
}

template <bool largest>
void arg_extreme(const Tensor& input, int dim, const Tensor& y) {
  if (y.numel() == 0) return;
  const Tensor x = as_contiguous(input);
  const std::int64_t n = x.dim() == 0 ? 1 : x.shape()[dim];
  std::int64_t inner = 1;
  for (int i = dim + 1; i < x.dim(); ++i) inner *= x.shape()[i];
  const std::int64_t count = y.numel();
  const Stream stream = compute_stream(x.device().index());
  visit(x.dtype(), [&]<class T> {
    using C = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, compute_t<T>>;
    std::int64_t* to = y.data<std::int64_t>();
    if (inner == 1) {
      launch<arg_of_rows<largest, T, C>>(count, threads, 0, stream, x.data<T>(), n, to);
    } else {
      launch<arg_of_columns<largest, T, C>>(pieces(count, threads), threads, 0, stream, x.data<T>(),
                                            n, inner, count, to);
    }
  });
}

}  // namespace

void arg_max(const Tensor& x, int dim, const Tensor& y) { arg_extreme<true>(x, dim, y); }
void arg_min(const Tensor& x, int dim, const Tensor& y) { arg_extreme<false>(x, dim, y); }

}  // namespace gradus::cuda
