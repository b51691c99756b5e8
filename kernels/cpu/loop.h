// Walks N tensors of broadcast shapes together: dimensions are sorted by the output's memory order
// and joined where all operands allow it, so that most loops end as one long row.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gradus/tensor/parallel.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cpu {

/// Operand 0 is the output and gives the shape. Dimension 0 is the innermost.
template <int N>
struct Loop {
  int dims = 0;
  std::int64_t numel = 0;
  std::int64_t sizes[Shape::max_dims + 1];
  std::int64_t strides[N][Shape::max_dims + 1];  // elements; 0 where the operand is broadcast
  void* data[N];

  explicit Loop(const Tensor* const (&t)[N]) {
    const Shape& shape = t[0]->shape();
    numel = t[0]->numel();
    for (int k = 0; k < N; ++k) data[k] = t[k]->data();
    bool linear = true;
    for (int k = 0; k < N; ++k) linear = linear && t[k]->is_contiguous() && t[k]->numel() == numel;
    if (linear) {
      set_linear();
      return;
    }
    for (int i = shape.size() - 1; i >= 0; --i) {
      if (shape[i] == 1) continue;
      sizes[dims] = shape[i];
      for (int k = 0; k < N; ++k) {
        const int at = i - (shape.size() - t[k]->dim());
        strides[k][dims] = at < 0 || t[k]->shape()[at] == 1 ? 0 : t[k]->strides()[at];
      }
      ++dims;
    }
    sort_by_output();
    join();
    if (dims == 0) set_linear();
  }

 private:
  void set_linear() {
    dims = 1;
    sizes[0] = numel;
    for (int k = 0; k < N; ++k) strides[k][0] = 1;
  }
  void swap_dims(int a, int b) {
    std::swap(sizes[a], sizes[b]);
    for (int k = 0; k < N; ++k) std::swap(strides[k][a], strides[k][b]);
  }
  void sort_by_output() {
    for (int i = 1; i < dims; ++i) {
      for (int j = i; j > 0 && strides[0][j] < strides[0][j - 1]; --j) swap_dims(j, j - 1);
    }
  }
  void join() {
    int last = 0;
    for (int i = 1; i < dims; ++i) {
      bool fits = true;
      for (int k = 0; k < N; ++k) fits = fits && strides[k][i] == sizes[last] * strides[k][last];
      if (fits) {
        sizes[last] *= sizes[i];
        continue;
      }
      ++last;
      sizes[last] = sizes[i];
      for (int k = 0; k < N; ++k) strides[k][last] = strides[k][i];
    }
    if (dims > 0) dims = last + 1;
  }
};

/// Calls f(offsets[N], count) for every row (a part of the innermost dimension); offsets are in
/// elements.
template <int N, class F>
void for_each_row(const Loop<N>& loop, F&& f) {
  if (loop.numel == 0) return;
  const std::int64_t inner = loop.sizes[0], rows = loop.numel / inner;
  const bool flat = loop.dims == 1;  // chunks are parts of the only row
  const std::int64_t grain =
      flat ? pointwise_grain : std::max<std::int64_t>(1, pointwise_grain / inner);
  parallel_for(flat ? inner : rows, grain, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t index[Shape::max_dims + 1] = {}, offsets[N] = {};
    std::int64_t left = flat ? 1 : end - begin;
    const std::int64_t count = flat ? end - begin : inner;
    if (flat) {
      for (int k = 0; k < N; ++k) offsets[k] = begin * loop.strides[k][0];
    } else {
      std::int64_t rest = begin;
      for (int d = 1; d < loop.dims; ++d) {
        index[d] = rest % loop.sizes[d];
        rest /= loop.sizes[d];
        for (int k = 0; k < N; ++k) offsets[k] += index[d] * loop.strides[k][d];
      }
    }
    for (; left > 0; --left) {  // the only call, so that f is compiled once
      f(offsets, count);
      for (int d = 1; d < loop.dims; ++d) {
        for (int k = 0; k < N; ++k) offsets[k] += loop.strides[k][d];
        if (++index[d] < loop.sizes[d]) break;
        index[d] = 0;
        for (int k = 0; k < N; ++k) offsets[k] -= loop.sizes[d] * loop.strides[k][d];
      }
    }
  });
}

}  // namespace gradus::cpu
