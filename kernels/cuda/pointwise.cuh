// Pointwise kernels over tensors of any strides and types: y[i] = f(x[i]...), where every x
// broadcasts to y's shape. Two kernels:
//
//   linear    all tensors lie the same way: 16-byte accesses, eight elements a thread
//   strided   offsets from the position, two elements a thread; the types are known when it runs,
//             so that an op compiles once for each arithmetic type, not once for each pair
//
// Arithmetic is in float for the half types. The functions themselves are those of the CPU
// (kernels/ops), compiled without contraction: f32 results have the CPU's bits.
#pragma once

#include "gradus/kernels/convert.h"
#include "gradus/kernels/cpu/loop.h"
#include "gradus/kernels/cuda/vector.cuh"

namespace gradus::cuda {

inline constexpr int pointwise_threads = 256;
inline constexpr int linear_elements = 8;  // a thread's: 32 bytes of f32, 16 of the half types
inline constexpr int strided_elements = 2;

/// Division of a 32-bit number by a fixed one as multiplication and shift (Granlund and Montgomery,
/// "Division by invariant integers using multiplication", PLDI 1994): exact for n < 2^31.
struct Divisor {
  std::uint32_t d = 1, multiplier = 1, shift = 0;
  Divisor() = default;
  explicit Divisor(std::uint32_t divisor) : d(divisor) {
    while (shift < 32 && (std::uint64_t{1} << shift) < d) ++shift;
    const std::uint64_t power = std::uint64_t{1} << 32;
    multiplier = static_cast<std::uint32_t>(power * ((std::uint64_t{1} << shift) - d) / d + 1);
  }
  __device__ std::uint32_t quotient(std::uint32_t n) const {
    return (__umulhi(n, multiplier) + n) >> shift;
  }
};

/// Where element i of y lies in each of N tensors. Dimension 0 is the innermost.
template <int N>
struct Walk {
  static constexpr int most_dims = Shape::max_dims;
  int dims = 0;
  std::uint32_t numel = 0;
  Divisor sizes[most_dims];
  std::int64_t strides[most_dims][N];  // elements
  void* data[N];
  Dtype dtypes[N];

  __device__ void offsets(std::uint32_t i, std::int64_t (&at)[N]) const {
    for (int k = 0; k < N; ++k) at[k] = 0;
    for (int d = 0; d < dims; ++d) {
      const std::uint32_t rest = d + 1 < dims ? sizes[d].quotient(i) : 0;
      const std::int64_t index = i - rest * sizes[d].d;
      for (int k = 0; k < N; ++k) at[k] += index * strides[d][k];
      i = rest;
    }
  }
};

/// The walk in row-major order of t[0]'s shape: position i is the logical one.
template <int N>
Walk<N> row_major_walk(const Tensor* const (&t)[N]) {
  const Shape& shape = t[0]->shape();
  check(t[0]->numel() <= std::int64_t{1} << 30, ErrorKind::unsupported, "cuda: ", t[0]->numel(),
        " elements in strided memory, at most 2^30");
  Walk<N> walk;
  walk.numel = static_cast<std::uint32_t>(t[0]->numel());
  for (int i = shape.size() - 1; i >= 0; --i, ++walk.dims) {
    walk.sizes[walk.dims] = Divisor(static_cast<std::uint32_t>(shape[i]));
    for (int k = 0; k < N; ++k) {
      const int at = i - (shape.size() - t[k]->dim());
      walk.strides[walk.dims][k] = at < 0 || t[k]->shape()[at] == 1 ? 0 : t[k]->strides()[at];
    }
  }
  for (int k = 0; k < N; ++k) {
    walk.data[k] = t[k]->data();
    walk.dtypes[k] = t[k]->dtype();
  }
  return walk;
}

/// One element of a tensor whose type is C, or a half type if C is float.
template <class C>
__device__ C load_as(const void* p, Dtype dtype, std::int64_t at) {
  if constexpr (std::is_same_v<C, float>) {
    if (dtype == Dtype::bf16) return static_cast<const bf16*>(p)[at];
    if (dtype == Dtype::f16) return static_cast<const f16*>(p)[at];
  }
  return static_cast<const C*>(p)[at];
}
template <class C>
__device__ void store_as(void* p, Dtype dtype, std::int64_t at, C v) {
  if constexpr (std::is_same_v<C, float>) {
    if (dtype == Dtype::bf16) return void(static_cast<bf16*>(p)[at] = bf16(v));
    if (dtype == Dtype::f16) return void(static_cast<f16*>(p)[at] = f16(v));
  }
  static_cast<C*>(p)[at] = v;
}

template <int V, class F, class Y, class... X>
__global__ void __launch_bounds__(pointwise_threads)
    pointwise_linear(F f, std::int64_t n, Y* y, const X*... x) {
  static_assert(linear_elements % V == 0);
  constexpr int rows = linear_elements / V;
  constexpr std::int64_t step = std::int64_t{pointwise_threads} * V;
  const auto one = [&](X... v) { return static_cast<Y>(f(static_cast<compute_t<X>>(v)...)); };
  const auto row = [&](const Vector<X, V>&... v) {
    Vector<Y, V> out;
    GRADUS_UNROLL
    for (int k = 0; k < V; ++k) out[k] = one(v[k]...);
    return out;
  };
  const std::int64_t begin = std::int64_t{blockIdx.x} * rows * step;
  if (begin + rows * step > n) {
    // The last block, an element at a time: f is heavy to compile, and this is its only other copy.
    for (std::int64_t i = begin + threadIdx.x; i < n; i += pointwise_threads) y[i] = one(x[i]...);
    return;
  }
  const std::int64_t i = begin + std::int64_t{threadIdx.x} * V;
  // All rows are computed before one is stored: their loads are under way together.
  Vector<Y, V> out[rows];
  GRADUS_UNROLL
  for (int u = 0; u < rows; ++u) out[u] = row(load<V>(x + i + u * step)...);
  GRADUS_UNROLL
  for (int u = 0; u < rows; ++u) store(y + i + u * step, out[u]);
}

template <class F, class Y, class... X>
__global__ void __launch_bounds__(pointwise_threads)
    pointwise_strided(F f, Walk<1 + sizeof...(X)> walk) {
  constexpr int N = 1 + sizeof...(X), unroll = strided_elements;
  const std::uint32_t begin = blockIdx.x * (unroll * pointwise_threads) + threadIdx.x;
  Y values[unroll];
  std::int64_t places[unroll];
  GRADUS_UNROLL
  for (int u = 0; u < unroll; ++u) {  // no store in between: all loads may be under way together
    const std::uint32_t i = begin + static_cast<std::uint32_t>(u) * pointwise_threads;
    if (i >= walk.numel) break;
    std::int64_t at[N];
    walk.offsets(i, at);
    places[u] = at[0];
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      values[u] = static_cast<Y>(f(load_as<X>(walk.data[k + 1], walk.dtypes[k + 1], at[k + 1])...));
    }
    (std::index_sequence_for<X...>{});
  }
  GRADUS_UNROLL
  for (int u = 0; u < unroll; ++u) {
    if (begin + static_cast<std::uint32_t>(u) * pointwise_threads >= walk.numel) break;
    store_as<Y>(walk.data[0], walk.dtypes[0], places[u], values[u]);
  }
}

namespace detail {

/// A loop that knows its tensors' element sizes, so that it can be cut.
template <int N>
struct Parts : cpu::Loop<N> {
  using cpu::Loop<N>::Loop;
  std::int64_t bytes[N];
};

/// Parts of at most 2^30 elements, so that positions fit into 32 bits: cut at the outermost
/// dimension, as often as needed.
template <int N, class F>
void each_part(Parts<N>& loop, F&& f) {
  constexpr std::int64_t most = std::int64_t{1} << 30;
  if (loop.numel <= most) return f(loop);
  int d = loop.dims - 1;
  while (loop.sizes[d] == 1) --d;
  const Parts<N> whole = loop;
  for (const std::int64_t begin : {std::int64_t{0}, whole.sizes[d] / 2}) {
    loop.sizes[d] = begin == 0 ? whole.sizes[d] / 2 : whole.sizes[d] - begin;
    loop.numel = whole.numel / whole.sizes[d] * loop.sizes[d];
    for (int k = 0; k < N; ++k) {
      loop.data[k] =
          static_cast<char*>(whole.data[k]) + begin * whole.strides[k][d] * loop.bytes[k];
    }
    each_part(loop, f);
  }
  loop = whole;
}

template <class Y, class... X, class F, int N>
void run_strided(F f, const Tensor* const (&t)[N], const cpu::Loop<N>& loop) {
  Walk<N> walk;
  walk.dims = loop.dims;
  walk.numel = static_cast<std::uint32_t>(loop.numel);
  for (int d = 0; d < loop.dims; ++d) {
    walk.sizes[d] = Divisor(static_cast<std::uint32_t>(loop.sizes[d]));
    for (int k = 0; k < N; ++k) walk.strides[d][k] = loop.strides[k][d];
  }
  for (int k = 0; k < N; ++k) {
    walk.dtypes[k] = t[k]->dtype();
    walk.data[k] = loop.data[k];
  }
  launch<pointwise_strided<F, Y, X...>>(pieces(loop.numel, strided_elements * pointwise_threads),
                                        pointwise_threads, 0,
                                        compute_stream(t[0]->device().index()), f, walk);
}

/// The type that a tensor of `stored` arithmetic C has in memory, if all half tensors are H.
template <class C, class H>
using StoredAs = std::conditional_t<std::is_same_v<C, float>, H, C>;

template <class Y, class... X, class F, int N, std::size_t... k>
void run_linear(F f, const Tensor* const (&t)[N], std::index_sequence<k...>) {
  constexpr int V = width_of<Y, X...>();
  launch<pointwise_linear<V, F, Y, X...>>(
      pieces(t[0]->numel(), linear_elements * pointwise_threads), pointwise_threads, 0,
      compute_stream(t[0]->device().index()), f, t[0]->numel(), static_cast<Y*>(t[0]->data()),
      static_cast<const X*>(t[k + 1]->data())...);
}

/// True if a linear walk of these as types T is possible: aligned, and stored so.
template <class... T, int N>
bool can_run_linear(const Tensor* const (&t)[N], const cpu::Loop<N>& loop) {
  constexpr int V = width_of<T...>();
  const Dtype dtypes[] = {dtype_of<T>...};
  const std::size_t sizes[] = {sizeof(T)...};
  for (int k = 0; k < N; ++k) {
    const auto address = reinterpret_cast<std::uintptr_t>(t[k]->data());
    if (t[k]->dtype() != dtypes[k] || loop.strides[k][0] != 1) return false;
    if (address % (sizes[k] * V) != 0) return false;
  }
  return loop.dims == 1;
}

}  // namespace detail

/// t[0] = f(t[1], ...), elementwise, each broadcast to t[0]'s shape. Y and X are the types that f
/// computes with; a tensor of type float here may be stored as any half type. f is copied to the
/// device. An input may be the output itself.
template <class Y, class... X, class F, int N>
void pointwise(F f, const Tensor* const (&t)[N]) {
  static_assert(N == 1 + static_cast<int>(sizeof...(X)));
  detail::Parts<N> loop(t);
  if (loop.numel == 0) return;
  constexpr auto rest = std::index_sequence_for<X...>{};
  // Only what training moves has a vector form of its own; all else is fast enough without.
  if constexpr ((std::is_same_v<Y, float> || ... || std::is_same_v<X, float>)) {
    using detail::StoredAs;
    if (detail::can_run_linear<Y, X...>(t, loop)) return detail::run_linear<Y, X...>(f, t, rest);
    if (detail::can_run_linear<StoredAs<Y, bf16>, StoredAs<X, bf16>...>(t, loop))
      return detail::run_linear<StoredAs<Y, bf16>, StoredAs<X, bf16>...>(f, t, rest);
    if (detail::can_run_linear<StoredAs<Y, f16>, StoredAs<X, f16>...>(t, loop))
      return detail::run_linear<StoredAs<Y, f16>, StoredAs<X, f16>...>(f, t, rest);
  }
  for (int k = 0; k < N; ++k) loop.bytes[k] = static_cast<std::int64_t>(size_of(t[k]->dtype()));
  detail::each_part(
      loop, [&](const detail::Parts<N>& part) { detail::run_strided<Y, X...>(f, t, part); });
}

}  // namespace gradus::cuda
