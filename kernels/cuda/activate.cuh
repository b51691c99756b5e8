// The activations that a product applies to its own output.
#pragma once

#include "gradus/kernels/activation.h"
#include "gradus/kernels/cuda/launch.cuh"
#include "gradus/kernels/math.h"

#if defined(__CUDACC__)
#define GRADUS_NOINLINE __noinline__
#else
#define GRADUS_NOINLINE
#endif

namespace gradus::cuda {

/// Never inlined: a product stores up to 64 elements a thread, and this is long.
template <class C>
__device__ GRADUS_NOINLINE C activate_any(Activation activation, C x) {
  switch (activation) {
    case Activation::none: return x;
    case Activation::relu: return x < 0 ? C(0) : x;  // keeps NaN
    case Activation::gelu: return math::gelu(x);
    case Activation::gelu_tanh: return math::gelu_tanh(x);
    case Activation::silu: return math::silu(x);
    case Activation::sigmoid: return math::sigmoid(x);
    case Activation::tanh: return math::tanh(x);
  }
  return x;
}

template <class C>
__device__ C activate(Activation activation, C x) {
  return activation == Activation::none ? x : activate_any(activation, x);
}

}  // namespace gradus::cuda
