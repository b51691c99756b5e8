// Convolutions by cuDNN. The library is loaded when the first convolution is asked for; where it is
// not found, or a convolution is not one for it, the caller's own kernels do the work.
#pragma once

#include "gradus/kernels/conv.h"

namespace gradus::cuda {

/// The contracts of kernels/conv.h, the result not empty: true if it is done (put into the stream),
/// false if nothing was. Which algorithm the library takes depends on shapes, types and layouts;
/// only such that give the same bits each time.
bool library_conv(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& options);
bool library_conv_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                                 const ConvOptions& options);
bool library_conv_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw,
                                  const ConvOptions& options, bool add, double alpha);

}  // namespace gradus::cuda
