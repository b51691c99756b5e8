// Sixteen bytes at a time: what a GPU's memory likes best. A warp that loads 16 bytes a thread asks
// for 512 bytes with one instruction.
#pragma once

#include <cstdint>

#include "gradus/kernels/cuda/launch.cuh"

namespace gradus::cuda {

inline constexpr int access_bytes = 16;

/// V elements side by side, moved by one instruction if they are 16 bytes or less.
template <class T, int V>
struct alignas(sizeof(T) * V) Vector {
  T v[V];
  __device__ T& operator[](int i) { return v[i]; }
  __device__ const T& operator[](int i) const { return v[i]; }
};

template <int V, class T>
__device__ Vector<T, V> load(const T* from) {
  return *reinterpret_cast<const Vector<T, V>*>(from);
}
template <int V, class T>
__device__ void store(T* to, const Vector<T, V>& v) {
  *reinterpret_cast<Vector<T, V>*>(to) = v;
}

/// How many elements of the widest of the types are 16 bytes.
template <class... T>
constexpr int width_of() {
  std::size_t widest = 0;
  ((widest = sizeof(T) > widest ? sizeof(T) : widest), ...);
  return static_cast<int>(access_bytes / widest);
}

/// Can rows of V elements be moved as vectors from here on?
template <int V, class T>
bool is_aligned(const T* p) {
  return reinterpret_cast<std::uintptr_t>(p) % (sizeof(T) * V) == 0;
}

}  // namespace gradus::cuda
