// Rows of a table, and the table's gradient without atomics: of all places that name one row, the
// first adds them up in order. Finding out whether a place is the first costs a look at the indices
// before it, which are few bytes and in the cache.
#include "gradus/kernels/cuda/report.cuh"
#include "gradus/kernels/cuda/vector.cuh"
#include "gradus/kernels/embedding.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cuda {
namespace {

constexpr int threads = 128;

/// A block for each place; rows as bytes, in units of U.
template <class U>
__global__ void __launch_bounds__(threads)
    copy_rows(Reporter out, const U* weight, const std::int64_t* index, std::int64_t rows,
              std::int64_t units, U* y) {
  const std::int64_t place = blockIdx.x, r = index[place];
  if (!(threadIdx.x == 0 ? out.in_range(r, rows) : r >= 0 && r < rows)) return;
  for (std::int64_t i = threadIdx.x; i < units; i += threads)
    y[place * units + i] = weight[r * units + i];
}

template <class T>
__global__ void __launch_bounds__(threads)
    add_rows(Reporter out, const std::int64_t* index, const T* dy, std::int64_t places,
             std::int64_t rows, std::int64_t width, std::int64_t padding, compute_t<T> alpha,
             T* dweight) {
  using C = compute_t<T>;
  GRADUS_SHARED(unsigned, votes, [threads / 32]);
  const std::int64_t i = blockIdx.x, row = index[i];
  if (row == padding) return;
  if (!(threadIdx.x == 0 ? out.in_range(row, rows) : row >= 0 && row < rows)) return;
  int earlier = 0;
  for (std::int64_t k = threadIdx.x; k < i; k += threads) earlier |= index[k] == row;
  if (__syncthreads_or(earlier)) return;
  dweight += row * width;
  // The block looks for this row in `threads` places at a time, and adds what it finds in order.
  for (std::int64_t first = i; first < places; first += threads) {
    const std::int64_t k = first + threadIdx.x;
    const unsigned mine = __ballot_sync(0xffffffffu, k < places && index[k] == row);
    if (threadIdx.x % 32 == 0) votes[threadIdx.x / 32] = mine;
    __syncthreads();
    for (int w = 0; w < threads / 32; ++w) {
      for (unsigned left = votes[w]; left != 0; left &= left - 1) {
        const T* from = dy + (first + 32 * w + __ffs(static_cast<int>(left)) - 1) * width;
        for (std::int64_t c = threadIdx.x; c < width; c += threads)
          dweight[c] = T(static_cast<C>(C(dweight[c]) + alpha * C(from[c])));
      }
    }
    __syncthreads();
  }
}

struct alignas(16) Sixteen {
  std::uint64_t v[2];
};

}  // namespace

void embedding(const Tensor& weight, const Tensor& indices, const Tensor& y) {
  const std::int64_t rows = weight.shape()[0];
  const std::int64_t bytes = weight.shape()[1] * static_cast<std::int64_t>(size_of(weight.dtype()));
  const int device = weight.device().index();
  const auto run = [&]<class U> {
    launch<copy_rows<U>>(indices.numel(), threads, 0, compute_stream(device),
                         reporter("embedding", device), static_cast<const U*>(weight.data()),
                         indices.data<std::int64_t>(), rows,
                         bytes / static_cast<std::int64_t>(sizeof(U)), static_cast<U*>(y.data()));
  };
  const auto fits = [&](std::int64_t unit) {
    const auto both = reinterpret_cast<std::uintptr_t>(weight.data()) |
                      reinterpret_cast<std::uintptr_t>(y.data());
    return bytes % unit == 0 && both % static_cast<std::uintptr_t>(unit) == 0;
  };
  if (fits(16)) return run.template operator()<Sixteen>();
  if (fits(4)) return run.template operator()<std::uint32_t>();
  if (fits(2)) return run.template operator()<std::uint16_t>();
  run.template operator()<std::uint8_t>();
}

void embedding_backward(const Tensor& indices, const Tensor& dy, std::int64_t padding_index,
                        double alpha, const Tensor& dweight) {
  const int device = dweight.device().index();
  visit_floating(dweight.dtype(), "embedding", [&]<class T> {
    launch<add_rows<T>>(indices.numel(), threads, 0, compute_stream(device),
                        reporter("embedding", device), indices.data<std::int64_t>(), dy.data<T>(),
                        indices.numel(), dweight.shape()[0], dweight.shape()[1], padding_index,
                        static_cast<compute_t<T>>(alpha), dweight.data<T>());
  });
}

}  // namespace gradus::cuda
