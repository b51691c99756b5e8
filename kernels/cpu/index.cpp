#include "gradus/kernels/index.h"

#include <cstring>

#include "gradus/kernels/cpu/lines.h"
#include "gradus/kernels/create.h"

namespace gradus::cpu {
namespace {

/// Row-major indices, all in [0, size).
Tensor checked_index(const char* op, const Tensor& index, std::int64_t size, int dim) {
  const Tensor c = as_contiguous(index);
  const std::int64_t* p = c.data<std::int64_t>();
  for (std::int64_t i = 0; i < c.numel(); ++i) {
    check(p[i] >= 0 && p[i] < size, ErrorKind::argument, op, ": index ", p[i],
          " is out of range for size ", size, " of dimension ", dim);
  }
  return c;
}

std::int64_t stride_of(const Tensor& t, int dim) { return t.strides()[dim]; }

}  // namespace

void gather(const Tensor& x, int dim, const Tensor& positions, const Tensor& y) {
  const Tensor index = checked_index("gather", positions, x.shape()[dim], dim);
  const int last = y.dim() - 1;
  const std::int64_t n = y.shape()[dim], along_x = stride_of(x, dim);
  visit_width(y.dtype(), [&]<class T> {
    const T* from = static_cast<const T*>(x.data());
    T* to = static_cast<T*>(y.data());
    const std::int64_t* at = index.data<std::int64_t>();
    for_each_line(y.shape(), dim, {&y, &x, &index}, [&](const std::int64_t* o, std::int64_t w) {
      for (std::int64_t i = 0; i < n; ++i) {
        T* row = to + o[0] + i * stride_of(y, dim);
        const std::int64_t* k = at + o[2] + i * stride_of(index, dim);
        for (std::int64_t j = 0; j < w; ++j) {
          row[j * stride_of(y, last)] =
              from[o[1] + k[j * stride_of(index, last)] * along_x + j * stride_of(x, last)];
        }
      }
    });
  });
}

void scatter(const char* op, int dim, const Tensor& positions, const Tensor& src, bool add,
             const Tensor& y) {
  const Tensor index = checked_index(op, positions, y.shape()[dim], dim);
  const Shape& shape = index.shape();
  const int last = y.dim() - 1;
  const auto run = [&]<class T>(auto write) {
    const T* from = static_cast<const T*>(src.data());
    T* to = static_cast<T*>(y.data());
    const std::int64_t* at = index.data<std::int64_t>();
    for_each_line(shape, dim, {&y, &src, &index}, [&](const std::int64_t* o, std::int64_t w) {
      for (std::int64_t i = 0; i < shape[dim]; ++i) {
        const T* row = from + o[1] + i * stride_of(src, dim);
        const std::int64_t* k = at + o[2] + i * stride_of(index, dim);
        for (std::int64_t j = 0; j < w; ++j) {
          const std::int64_t place = k[j * stride_of(index, last)] * stride_of(y, dim);
          write(to[o[0] + place + j * stride_of(y, last)], row[j * stride_of(src, last)]);
        }
      }
    });
  };
  if (!add) {
    return visit_width(
        y.dtype(), [&]<class T> { run.template operator()<T>([](T& place, T v) { place = v; }); });
  }
  visit(y.dtype(), [&]<class T> {
    using C = compute_t<T>;
    run.template operator()<T>([](T& place, T v) { place = T(static_cast<C>(C(place) + C(v))); });
  });
}

void index_select(const Tensor& input, int dim, const Tensor& positions, const Tensor& y) {
  const Tensor x = as_contiguous(input);
  const Tensor index = checked_index("index_select", positions, x.shape()[dim], dim);
  if (y.numel() == 0) return;
  std::int64_t outer = 1, inner = 1;
  for (int d = 0; d < dim; ++d) outer *= x.shape()[d];
  for (int d = dim + 1; d < x.dim(); ++d) inner *= x.shape()[d];
  const std::int64_t n = x.shape()[dim], m = index.numel();
  const std::int64_t* at = index.data<std::int64_t>();
  visit_width(x.dtype(), [&]<class T> {
    const T* from = static_cast<const T*>(x.data());
    T* to = static_cast<T*>(y.data());
    parallel_for(
        outer * m, 1 + pointwise_grain / 2 / inner, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t k = begin; k < end; ++k) {
            const T* slice = from + (k / m * n + at[k % m]) * inner;
            if (inner == 1)
              to[k] = *slice;
            else
              std::memcpy(to + k * inner, slice, static_cast<std::size_t>(inner) * sizeof(T));
          }
        });
  });
}

void index_add(int dim, const Tensor& positions, const Tensor& source, double alpha,
               const Tensor& y) {
  const Tensor src = as_contiguous(source);
  const Tensor index = checked_index("index_add", positions, y.shape()[dim], dim);
  if (src.numel() == 0) return;
  std::int64_t outer = 1, inner = 1;
  for (int d = 0; d < dim; ++d) outer *= y.shape()[d];
  for (int d = dim + 1; d < y.dim(); ++d) inner *= y.shape()[d];
  constexpr std::int64_t panel = 256;
  const std::int64_t n = y.shape()[dim], m = index.numel(), panels = (inner - 1) / panel + 1;
  const std::int64_t* at = index.data<std::int64_t>();
  visit(y.dtype(), [&]<class T> {
    using C = compute_t<T>;
    const T* from = static_cast<const T*>(src.data());
    T* to = static_cast<T*>(y.data());
    const C factor = static_cast<C>(alpha);
    parallel_for(outer * panels, 1 + pointwise_grain / (m * std::min(panel, inner)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t k = begin; k < end; ++k) {
                     const std::int64_t o = k / panels, c = k % panels * panel;
                     const std::int64_t w = std::min(panel, inner - c);
                     for (std::int64_t i = 0; i < m; ++i) {
                       T* row = to + (o * n + at[i]) * inner + c;
                       const T* add = from + (o * m + i) * inner + c;
                       for (std::int64_t j = 0; j < w; ++j) {
                         row[j] = T(static_cast<C>(C(row[j]) + factor * C(add[j])));
                       }
                     }
                   }
                 });
  });
}

std::int64_t nonzero(const Tensor& input, const Tensor& y) {
  const Tensor x = as_contiguous(input);
  return visit(x.dtype(), [&]<class T>() -> std::int64_t {
    using C = compute_t<T>;
    const T* p = static_cast<const T*>(x.data());
    std::int64_t* to = y ? y.data<std::int64_t>() : nullptr;
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      if (C(p[i]) == C(0)) continue;
      if (to != nullptr) {
        std::int64_t rest = i;
        for (int d = x.dim() - 1; d >= 0; --d) {
          to[count * x.dim() + d] = rest % x.shape()[d];
          rest /= x.shape()[d];
        }
      }
      ++count;
    }
    return count;
  });
}

void triangle(const Tensor& input, std::int64_t k, bool lower, const Tensor& y) {
  const Tensor x = as_contiguous(input);
  const std::int64_t m = x.shape()[x.dim() - 1], n = x.shape()[x.dim() - 2];
  if (x.numel() == 0) return;
  visit_width(x.dtype(), [&]<class T> {
    const T* from = static_cast<const T*>(x.data());
    T* to = static_cast<T*>(y.data());
    parallel_for(x.numel() / m, 1 + pointwise_grain / m, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        // The k-th diagonal of row i is column i + k: lower keeps it and all before it.
        const std::int64_t on = r % n + k,
                           cut = std::clamp<std::int64_t>(lower ? on + 1 : on, 0, m);
        std::copy_n(from + r * m, m, to + r * m);
        std::fill(to + r * m + (lower ? cut : 0), to + r * m + (lower ? m : cut), T(0));
      }
    });
  });
}

}  // namespace gradus::cpu
