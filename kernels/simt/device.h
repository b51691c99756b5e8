// What a kernel sees of the simulated device: CUDA's names for a plain C++ compiler. Included by
// kernels/cuda/launch.cuh in place of nvcc's own definitions.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <typeinfo>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define GRADUS_SHARED(T, name, dims) auto& name = ::gradus::simt::shared<T dims>([] {})

namespace gradus::simt {

/// What a grid has in y and z at most. A GPU has 65535; here it is so few that tests get beyond it.
inline constexpr std::int64_t most_blocks_y = 60;

struct Index3 {
  unsigned x, y, z;
};

// Of the thread that runs; set whenever the simulator switches to one.
extern Index3 thread_index, block_index, block_size, grid_size;

/// Lanes of a warp meet here and exchange a word each.
enum class Meeting { barrier, warp, index, up, down, exclusive_or, ballot };
/// `value` of the lane that `argument` means (or the votes), when all lanes of `mask` are here.
std::uint64_t meet(Meeting kind, std::uint32_t mask, std::uint64_t value, int argument, int width);
/// The barrier of the block; returns how many threads came with `vote`.
int block_barrier(bool vote);

/// This block's memory for `key`, `bytes` long to the byte and filled with NaN.
void* shared_bytes(const void* key, std::size_t bytes, std::size_t alignment);
void* dynamic_bytes();

/// Each place of GRADUS_SHARED has a lambda, and so a type, of its own.
template <class Array, class Place>
Array& shared(Place) {
  return *static_cast<Array*>(shared_bytes(&typeid(Place), sizeof(Array), alignof(Array)));
}
template <class T>
T* dynamic_shared() {
  return static_cast<T*>(dynamic_bytes());
}

template <class T>
T shuffle(Meeting kind, std::uint32_t mask, T value, int argument, int width) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
  std::uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  word = meet(kind, mask, word, argument, width);
  std::memcpy(&value, &word, sizeof(T));
  return value;
}

}  // namespace gradus::simt

using gradus::simt::Index3;
static constexpr Index3& threadIdx = gradus::simt::thread_index;
static constexpr Index3& blockIdx = gradus::simt::block_index;
static constexpr Index3& blockDim = gradus::simt::block_size;
static constexpr Index3& gridDim = gradus::simt::grid_size;
static constexpr int warpSize = 32;

inline void __syncthreads() { gradus::simt::block_barrier(false); }
inline int __syncthreads_count(int vote) { return gradus::simt::block_barrier(vote != 0); }
inline int __syncthreads_or(int vote) { return gradus::simt::block_barrier(vote != 0) > 0; }
inline int __syncthreads_and(int vote) { return gradus::simt::block_barrier(vote == 0) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu) {
  gradus::simt::meet(gradus::simt::Meeting::warp, mask, 0, 0, 32);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  return gradus::simt::shuffle(gradus::simt::Meeting::index, mask, value, lane, width);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  return gradus::simt::shuffle(gradus::simt::Meeting::up, mask, value, int(by), width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  return gradus::simt::shuffle(gradus::simt::Meeting::down, mask, value, int(by), width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32) {
  return gradus::simt::shuffle(gradus::simt::Meeting::exclusive_or, mask, value, by, width);
}
inline unsigned __ballot_sync(unsigned mask, int vote) {
  return static_cast<unsigned>(
      gradus::simt::meet(gradus::simt::Meeting::ballot, mask, vote != 0, 0, 32));
}
inline int __any_sync(unsigned mask, int vote) { return __ballot_sync(mask, vote) != 0; }
inline int __all_sync(unsigned mask, int vote) { return __ballot_sync(mask, vote) == mask; }

// One fiber runs at a time, so a plain read and write is atomic.
template <class T>
T atomicAdd(T* at, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "sums of floats in the order of arrival change their bits");
  const T old = *at;
  *at = static_cast<T>(old + value);
  return old;
}
template <class T>
T atomicMax(T* at, std::type_identity_t<T> value) {
  const T old = *at;
  *at = old < value ? value : old;
  return old;
}
template <class T>
T atomicMin(T* at, std::type_identity_t<T> value) {
  const T old = *at;
  *at = value < old ? value : old;
  return old;
}
template <class T>
T atomicExch(T* at, std::type_identity_t<T> value) {
  const T old = *at;
  *at = value;
  return old;
}
template <class T>
T atomicCAS(T* at, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  const T old = *at;
  if (old == expected) *at = value;
  return old;
}

inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(std::uint64_t{a} * b >> 32);
}
inline std::uint64_t __umul64hi(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(Wide{a} * b >> 64);
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
