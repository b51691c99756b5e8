// How a kernel is started, and where its shared memory comes from. The same kernel source is
// compiled by nvcc, or by any C++ compiler for the simulator of kernels/simt: these few names are
// the difference.
//
//   __global__ void scale(float* x, float factor) {
//     GRADUS_SHARED(float, tile, [32][33]);       // one block of memory for all threads of a block
//     float* more = dynamic_shared<float>();      // as many bytes as launch() was told
//     ...
//   }
//   launch<scale>(grid, block, shared_bytes, compute_stream(device), x, 2.0f);
//
// The kernel is a template argument, so that errors can say its name.
#pragma once

#include <type_traits>
#include <utility>

#include "gradus/tensor/cuda/runtime.h"
#include "gradus/tensor/cuda/stream.h"

#if defined(__CUDACC__)
#define GRADUS_SHARED(T, name, dims) __shared__ __align__(16) T name dims
#define GRADUS_UNROLL _Pragma("unroll")
#define GRADUS_ROLLED _Pragma("unroll 1")  // where copies would need too many registers
#else
#define GRADUS_UNROLL
#define GRADUS_ROLLED
#include "gradus/kernels/simt/device.h"
#endif

namespace gradus::cuda {

#if defined(__CUDACC__)
/// What a grid has in y and z at most: kernels that could need more go round.
inline constexpr std::int64_t most_blocks_y = 65535;

template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char gradus_dynamic_shared[];
  return reinterpret_cast<T*>(gradus_dynamic_shared);
}
#else
using simt::dynamic_shared, simt::most_blocks_y;
#endif

namespace detail {

/// The compiler's spelling of `kernel`, cut out by whoever prints it.
template <auto kernel>
constexpr const char* name_of() {
  return __PRETTY_FUNCTION__;
}

template <auto kernel>
struct Start;
template <class... P, void (*kernel)(P...)>
struct Start<kernel> {
  static_assert((std::is_trivially_copyable_v<P> && ...), "arguments are copied as bytes");

  /// Calls the kernel as a function, for one simulated thread.
  static void invoke([[maybe_unused]] void** values) {
#if !defined(__CUDACC__)
    [&]<std::size_t... i>(std::index_sequence<i...>) { kernel(*static_cast<P*>(values[i])...); }
    (std::index_sequence_for<P...>{});
#endif
  }

  static void go(Size3 grid, Size3 block, std::size_t shared, Stream stream, P... p) {
    void* values[] = {const_cast<void*>(static_cast<const volatile void*>(&p))..., nullptr};
    static constexpr std::size_t sizes[] = {sizeof(P)..., 0};
    static constexpr bool pointers[] = {std::is_pointer_v<P>..., false};
    runtime::launch({name_of<kernel>(), reinterpret_cast<const void*>(kernel), invoke, values,
                     sizes, pointers, static_cast<int>(sizeof...(P))},
                    grid, block, shared, stream);
  }
};

}  // namespace detail

/// Puts one run of `kernel` into `stream` and returns. An empty grid is no run.
template <auto kernel, class... A>
void launch(Size3 grid, Size3 block, std::size_t shared, Stream stream, A... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  detail::Start<kernel>::go(grid, block, shared, stream, arguments...);
}

/// How many pieces of `size` cover n.
inline std::int64_t pieces(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

}  // namespace gradus::cuda
