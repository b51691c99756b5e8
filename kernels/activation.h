// The activations that matmul, linear and convolution can apply to their own output.
#pragma once

#include <cstdint>

namespace gradus {

enum class Activation : std::uint8_t { none, relu, gelu, gelu_tanh, silu, sigmoid, tanh };

}  // namespace gradus
