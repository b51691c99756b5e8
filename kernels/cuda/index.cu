// Elements chosen by indices. Where several indices name one place they act in the order of the
// index: one thread has all that can meet there, a line along `dim`, and walks it in order; or,
// where lines are long, the index is sorted first (here, and in add_rows.cuh).
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/add_rows.cuh"
#include "gradus/kernels/cuda/pointwise.cuh"
#include "gradus/kernels/index.h"
#include "gradus/kernels/reduce.h"

namespace gradus::cuda {
namespace {

constexpr int threads = 256;

/// Calls f with an integer as wide as `dtype`: for moving bits.
template <class F>
void visit_width(Dtype dtype, F&& f) {
  switch (size_of(dtype)) {
    case 1: return f.template operator()<std::uint8_t>();
    case 2: return f.template operator()<std::uint16_t>();
    case 4: return f.template operator()<std::uint32_t>();
    default: return f.template operator()<std::uint64_t>();
  }
}

/// Lines along `dim` of `shape`, and where each begins in N tensors of at least that shape.
template <int N>
struct Lines {
  int dims = 0;
  std::int64_t count = 1, length = 1;
  std::int64_t sizes[Shape::max_dims], strides[Shape::max_dims][N], along[N];
  Lines(const Shape& shape, int dim, const Tensor* const (&t)[N]) {
    for (int k = 0; k < N; ++k) along[k] = shape.size() == 0 ? 0 : t[k]->strides()[dim];
    if (shape.size() > 0) length = shape[dim];
    for (int i = shape.size() - 1; i >= 0; --i) {
      if (i == dim) continue;
      sizes[dims] = shape[i];
      count *= shape[i];
      for (int k = 0; k < N; ++k) strides[dims][k] = t[k]->strides()[i];
      ++dims;
    }
  }
  __device__ void begin(std::int64_t line, std::int64_t (&at)[N]) const {
    for (int k = 0; k < N; ++k) at[k] = 0;
    for (int d = 0; d < dims; ++d) {
      const std::int64_t i = line % sizes[d];
      line /= sizes[d];
      for (int k = 0; k < N; ++k) at[k] += i * strides[d][k];
    }
  }
};

/// y, x, index; a thread for each element of y.
template <class T>
__global__ void __launch_bounds__(threads)
    gather_elements(Lines<3> lines, Reporter out, std::int64_t size, T* y, const T* x,
                    const std::int64_t* index) {
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= lines.count * lines.length) return;
  std::int64_t at[3];
  lines.begin(k % lines.count, at);
  const std::int64_t i = k / lines.count, from = index[at[2] + i * lines.along[2]];
  if (out.in_range(from, size)) y[at[0] + i * lines.along[0]] = x[at[1] + from * lines.along[1]];
}

/// y, src, index; a thread for each line.
template <bool add, class T>
__global__ void __launch_bounds__(threads)
    scatter_lines(Lines<3> lines, Reporter out, std::int64_t size, T* y, const T* src,
                  const std::int64_t* index) {
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= lines.count) return;
  std::int64_t at[3];
  lines.begin(k, at);
  for (std::int64_t i = 0; i < lines.length; ++i) {
    const std::int64_t to = index[at[2] + i * lines.along[2]];
    if (!out.in_range(to, size)) continue;
    T& place = y[at[0] + to * lines.along[0]];
    const T v = src[at[1] + i * lines.along[1]];
    if constexpr (add) {
      using C = compute_t<T>;
      place = T(static_cast<C>(C(place) + C(v)));
    } else {
      place = v;
    }
  }
}

/// The key of element i of a line: the place in y that it goes to.
struct PlaceKeys {
  Lines<3> lines;
  Reporter out;
  std::int64_t size;
  const std::int64_t* index;
  __device__ std::uint32_t operator()(std::int64_t line, std::int64_t i) const {
    std::int64_t at[3];
    lines.begin(line, at);
    const std::int64_t to = index[at[2] + i * lines.along[2]];
    return out.in_range(to, size) ? static_cast<std::uint32_t>(to) : no_row;
  }
};

/// scatter_lines() after a sort: a thread for each element, of which the first of a place does all
/// that meet there.
template <bool add, class T>
__global__ void __launch_bounds__(threads)
    scatter_runs(Lines<3> lines, const Placed<std::uint32_t>* sorted, T* y, const T* src) {
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= lines.count * lines.length) return;
  const std::uint32_t to = sorted[k].key;
  if (to == no_row || (k % lines.length > 0 && sorted[k - 1].key == to)) return;
  std::int64_t at[3];
  lines.begin(k / lines.length, at);
  T& place = y[at[0] + to * lines.along[0]];
  const std::int64_t end = (k / lines.length + 1) * lines.length;
  for (std::int64_t i = k; i < end && sorted[i].key == to; ++i) {
    const T v = src[at[1] + sorted[i].place * lines.along[1]];
    if constexpr (add) {
      using C = compute_t<T>;
      place = T(static_cast<C>(C(place) + C(v)));
    } else {
      place = v;
    }
  }
}

/// y[o][i][j] = x[o][index[i]][j]
template <class T>
__global__ void __launch_bounds__(threads)
    select_slices(Reporter out, const T* x, const std::int64_t* index, std::int64_t count,
                  std::int64_t n, std::int64_t m, std::int64_t inner, T* y) {
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= count) return;
  const std::int64_t j = k % inner, i = k / inner % m, o = k / inner / m, from = index[i];
  if (out.in_range(from, n)) y[k] = x[(o * n + from) * inner + j];
}

/// Elements of each piece of `threads` that are not zero.
template <class T>
__global__ void __launch_bounds__(threads)
    count_nonzero(const T* x, std::int64_t n, std::int64_t* counts) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const int count = __syncthreads_count(i < n && !(C(x[i]) == C(0)));
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

struct Sizes {
  int dims;
  std::int64_t v[Shape::max_dims];
};

/// `up_to`: the running sum of the counts.
template <class T>
__global__ void __launch_bounds__(threads)
    write_nonzero(const T* x, std::int64_t n, const std::int64_t* up_to, Sizes sizes,
                  std::int64_t* y) {
  using C = compute_t<T>;
  GRADUS_SHARED(unsigned, warps, [threads / 32]);
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const bool here = i < n && !(C(x[i]) == C(0));
  const unsigned votes = __ballot_sync(0xffffffffu, here), lane = threadIdx.x % 32;
  if (lane == 0) warps[threadIdx.x / 32] = static_cast<unsigned>(__popc(votes));
  __syncthreads();
  if (!here) return;
  std::int64_t at = blockIdx.x == 0 ? 0 : up_to[blockIdx.x - 1];
  at += __popc(votes & ((1u << lane) - 1));
  for (unsigned w = 0; w < threadIdx.x / 32; ++w) at += warps[w];
  std::int64_t rest = i;
  for (int d = sizes.dims - 1; d >= 0; --d) {
    y[at * sizes.dims + d] = rest % sizes.v[d];
    rest /= sizes.v[d];
  }
}

/// The sort key of element i of a line of x.
template <class T, class C>
struct LineKeys {
  using Key = SortKey<C>;
  Lines<2> lines;  // y, x
  bool descending;
  const T* x;
  __device__ Key operator()(std::int64_t line, std::int64_t i) const {
    std::int64_t at[2];
    lines.begin(line, at);
    const Key key = sort_key(C(compute_t<T>(x[at[1] + i * lines.along[1]])));
    return descending ? static_cast<Key>(~key) : key;  // equals keep their order either way
  }
};

template <class Key>
__global__ void __launch_bounds__(threads)
    write_places(const Placed<Key>* sorted, Lines<2> lines, std::int64_t* y) {
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= lines.count * lines.length) return;
  std::int64_t at[2];
  lines.begin(k / lines.length, at);
  y[at[0] + k % lines.length * lines.along[0]] = sorted[k].place;
}

template <class T>
__global__ void __launch_bounds__(threads)
    keep_triangle(const T* x, std::int64_t count, std::int64_t n, std::int64_t m, std::int64_t k,
                  bool lower, T* y) {
  const std::int64_t at = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (at >= count) return;
  const std::int64_t i = at / m % n, j = at % m;
  y[at] = (lower ? j <= i + k : j >= i + k) ? x[at] : T(0);
}

std::int64_t product(const Shape& s, int from, int to) {
  std::int64_t n = 1;
  for (int d = from; d < to; ++d) n *= s[d];
  return n;
}

}  // namespace

void gather(const Tensor& x, int dim, const Tensor& index, const Tensor& y) {
  const Lines<3> lines(y.shape(), dim, {&y, &x, &index});
  const int device = x.device().index();
  visit_width(y.dtype(), [&]<class T> {
    launch<gather_elements<T>>(pieces(y.numel(), threads), threads, 0, compute_stream(device),
                               lines, reporter("gather", device), x.dim() == 0 ? 1 : x.shape()[dim],
                               static_cast<T*>(y.data()), static_cast<const T*>(x.data()),
                               index.data<std::int64_t>());
  });
}

void scatter(const char* op, int dim, const Tensor& index, const Tensor& src, bool add,
             const Tensor& y) {
  if (index.numel() == 0) return;
  const Lines<3> lines(index.shape(), dim, {&y, &src, &index});
  const int device = y.device().index();
  const std::int64_t size = y.dim() == 0 ? 1 : y.shape()[dim];
  // A sort costs some twenty passes over the index; a thread that walks alone, its line's length.
  const bool long_lines = lines.length > 256 && lines.count < 16384 && size < no_row;
  const auto run = [&]<bool adds, class T> {
    if (long_lines) {
      const auto sorted = sort_lines<std::uint32_t>(
          PlaceKeys{lines, reporter(op, device), size, index.data<std::int64_t>()}, lines.count,
          lines.length, y.device());
      return launch<scatter_runs<adds, T>>(
          pieces(lines.count * lines.length, threads), threads, 0, compute_stream(device), lines,
          sorted.data(), static_cast<T*>(y.data()), static_cast<const T*>(src.data()));
    }
    launch<scatter_lines<adds, T>>(pieces(lines.count, threads), threads, 0, compute_stream(device),
                                   lines, reporter(op, device), size, static_cast<T*>(y.data()),
                                   static_cast<const T*>(src.data()), index.data<std::int64_t>());
  };
  if (add)
    visit(y.dtype(), [&]<class T> { run.template operator()<true, T>(); });
  else
    visit_width(y.dtype(), [&]<class T> { run.template operator()<false, T>(); });
}

void index_select(const Tensor& input, int dim, const Tensor& index, const Tensor& y) {
  const Tensor x = as_contiguous(input), at = as_contiguous(index);
  const std::int64_t inner = product(x.shape(), dim + 1, x.dim());
  const int device = x.device().index();
  visit_width(x.dtype(), [&]<class T> {
    launch<select_slices<T>>(pieces(y.numel(), threads), threads, 0, compute_stream(device),
                             reporter("index_select", device), static_cast<const T*>(x.data()),
                             at.data<std::int64_t>(), y.numel(), x.shape()[dim], at.numel(), inner,
                             static_cast<T*>(y.data()));
  });
}

void index_add(int dim, const Tensor& index, const Tensor& source, double alpha, const Tensor& y) {
  const Tensor src = as_contiguous(source), at = as_contiguous(index);
  if (src.numel() == 0) return;
  const std::int64_t outer = product(y.shape(), 0, dim);
  const std::int64_t inner = product(y.shape(), dim + 1, y.dim());
  visit(y.dtype(), [&]<class T> {
    add_rows<true>("index_add", at.data<std::int64_t>(), at.numel(), -1, src.data<T>(), outer,
                   y.shape()[dim], inner, alpha, y.data<T>(), y.device());
  });
}

std::int64_t nonzero(const Tensor& input, const Tensor& y) {
  const Tensor x = as_contiguous(input);
  const std::int64_t n = x.numel(), blocks = pieces(n, threads);
  if (n == 0) return 0;
  const Stream stream = compute_stream(x.device().index());
  const Tensor counts = empty({blocks}, {Dtype::i64, x.device()});
  std::int64_t* at = counts.data<std::int64_t>();
  Sizes sizes{x.dim(), {}};
  for (int d = 0; d < x.dim(); ++d) sizes.v[d] = x.shape()[d];
  visit(x.dtype(), [&]<class T> {
    launch<count_nonzero<T>>(blocks, threads, 0, stream, x.data<T>(), n, at);
    cumulative_sum(counts, 0, false, counts);
    if (y) {
      launch<write_nonzero<T>>(blocks, threads, 0, stream, x.data<T>(), n, at, sizes,
                               y.data<std::int64_t>());
    }
  });
  std::int64_t count = 0;
  download(&count, at + blocks - 1, sizeof(count), x.device().index());
  return count;
}

void arg_sort(const Tensor& x, int dim, bool descending, const Tensor& y) {
  if (x.numel() == 0) return;
  const Lines<2> lines(x.shape(), dim, {&y, &x});
  visit(x.dtype(), [&]<class T> {
    using C = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, compute_t<T>>;
    using Keys = LineKeys<T, C>;
    using Key = typename Keys::Key;
    const auto sorted = sort_lines<Key>(Keys{lines, descending, x.data<T>()}, lines.count,
                                        lines.length, x.device());
    launch<write_places<Key>>(pieces(x.numel(), threads), threads, 0,
                              compute_stream(x.device().index()), sorted.data(), lines,
                              y.data<std::int64_t>());
  });
}

void triangle(const Tensor& input, std::int64_t k, bool lower, const Tensor& y) {
  const Tensor x = as_contiguous(input);
  const std::int64_t m = x.shape()[x.dim() - 1], n = x.shape()[x.dim() - 2];
  visit_width(x.dtype(), [&]<class T> {
    launch<keep_triangle<T>>(pieces(x.numel(), threads), threads, 0,
                             compute_stream(x.device().index()), static_cast<const T*>(x.data()),
                             x.numel(), n, m, k, lower, static_cast<T*>(y.data()));
  });
}

}  // namespace gradus::cuda
