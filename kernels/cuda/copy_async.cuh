// Copies from device memory to shared memory that go on while the block computes.
#pragma once

#include "gradus/kernels/cuda/vector.cuh"

namespace gradus::cuda {

/// 16 bytes, both sides on 16 bytes; zeros if the source does not exist (it is not read then, but
/// must point into device memory).
template <class T>
__device__ void copy_async(T* to, const T* from, bool exists) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "l"(from), "r"(exists ? 16 : 0)
               : "memory");
#else
  constexpr int n = access_bytes / static_cast<int>(sizeof(T));
  store(to, exists ? load<n>(from) : Vector<T, n>{});
#endif
}

/// Until what this thread has begun is there; others see it after a barrier.
__device__ inline void wait_for_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

}  // namespace gradus::cuda
