// Rows of a table, and the table's gradient: places sorted by row, one chain for each row.
#include "gradus/kernels/cuda/add_rows.cuh"
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
  visit_floating(dweight.dtype(), "embedding", [&]<class T> {
    add_rows<false>("embedding", indices.data<std::int64_t>(), indices.numel(), padding_index,
                    dy.data<T>(), 1, dweight.shape()[0], dweight.shape()[1], alpha,
                    dweight.data<T>(), dweight.device());
  });
}

}  // namespace gradus::cuda
