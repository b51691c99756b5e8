// The activations that a product applies to its own output.
#pragma once

#include "gradus/kernels/activation.h"
#include "gradus/kernels/cuda/launch.cuh"
#include "gradus/kernels/math.h"

namespace gradus::cuda {

template <class C>
__device__ C activate(Activation activation, C x) {
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

}  // namespace gradus::cuda
