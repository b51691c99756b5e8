// What convolutions and transposed ones share: the check of their channels, and the first values.
#pragma once

#include <cmath>

#include "gradus/nn/init.h"
#include "gradus/tensor/error.h"

namespace gradus::nn {

inline void check_channels(const char* layer, std::int64_t in, std::int64_t out,
                           std::int64_t groups) {
  check(in > 0 && out > 0 && groups > 0 && in % groups == 0 && out % groups == 0,
        ErrorKind::argument, layer, ": ", in, " input and ", out,
        " output channels must be multiples of ", groups, " groups");
}

/// PyTorch's first values: kaiming_uniform_ with slope sqrt(5) is uniform on +-1 / sqrt(fan in). Of
/// a transposed convolution's weight the fan in is counted as if it were a convolution's, as
/// PyTorch does.
inline void reset_convolution(const Tensor& weight, const Tensor& bias) {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  const double bound = 1 / std::sqrt(init::fans(weight).in);
  if (bias) init::uniform_(bias, -bound, bound);
}

}  // namespace gradus::nn
