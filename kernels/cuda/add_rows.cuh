// Sums of rows that are named by an index, without atomics: the index is sorted, so that the places
// which name one row are side by side and in order, and one block adds them up as one chain. The
// bits are the CPU's.
#pragma once

#include "gradus/kernels/cuda/report.cuh"
#include "gradus/kernels/cuda/sort.cuh"

namespace gradus::cuda {

inline constexpr std::uint32_t no_row = 0xffffffff;

/// The key of place i: its row, or none for a row that is out of range or left out.
struct RowKeys {
  Reporter out;
  const std::int64_t* index;
  std::int64_t rows, left_out;  // negative: none is
  __device__ std::uint32_t operator()(std::int64_t, std::int64_t i) const {
    const std::int64_t row = index[i];
    if ((left_out >= 0 && row == left_out) || !out.in_range(row, rows)) return no_row;
    return static_cast<std::uint32_t>(row);
  }
};

/// y[o][row][c] += alpha src[o][place][c], for y[outer][rows][inner] and src[outer][m][inner].
/// A block row begins at each sorted place, and ends at once if that is not a row's first. Half
/// types are added up in float and rounded at the end, or after each step (`rounds`).
template <bool rounds, class T>
__global__ void __launch_bounds__(256)
    add_runs(const Placed<std::uint32_t>* sorted, std::int64_t m, const T* src, std::int64_t outer,
             std::int64_t rows, std::int64_t inner, compute_t<T> alpha, T* y) {
  using C = compute_t<T>;
  const std::int64_t first = blockIdx.x;
  const std::uint32_t row = sorted[first].key;
  if (row == no_row || (first > 0 && sorted[first - 1].key == row)) return;
  for (std::int64_t j = std::int64_t{blockIdx.y} * blockDim.x + threadIdx.x; j < outer * inner;
       j += std::int64_t{gridDim.y} * blockDim.x) {
    const std::int64_t o = j / inner, c = j % inner;
    T& to = y[(o * rows + row) * inner + c];
    C sum = C(to);
    for (std::int64_t k = first; k < m && sorted[k].key == row; ++k) {
      sum = static_cast<C>(sum + alpha * C(src[(o * m + sorted[k].place) * inner + c]));
      if constexpr (rounds) sum = C(T(sum));
    }
    to = T(sum);
  }
}

/// Adds src's m rows to y's; `left_out` is a row that gets nothing, or negative.
template <bool rounds, class T>
void add_rows(const char* op, const std::int64_t* index, std::int64_t m, std::int64_t left_out,
              const T* src, std::int64_t outer, std::int64_t rows, std::int64_t inner, double alpha,
              T* y, Device device) {
  check(rows < std::int64_t{no_row}, ErrorKind::unsupported, op, ": ", rows,
        " rows on a CUDA device, at most 2^32 - 2");
  if (m == 0) return;
  const auto sorted = sort_lines<std::uint32_t>(
      RowKeys{reporter(op, device.index()), index, rows, left_out}, 1, m, device);
  const int threads = outer * inner >= 256 ? 256 : 64;
  const Size3 grid(m, std::min(pieces(outer * inner, threads), most_blocks_y));
  launch<add_runs<rounds, T>>(grid, threads, 0, compute_stream(device.index()), sorted.data(), m,
                              src, outer, rows, inner, static_cast<compute_t<T>>(alpha), y);
}

}  // namespace gradus::cuda
