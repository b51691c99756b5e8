// What of cuDNN 9 is used, as its documentation declares it: the build needs none of its headers
// (where they are, library_conv.cpp compares), and a test can put functions of its own here.
//
// These are the functions of its oldest interface, not the graph one: their arguments say
// everything, and the algorithm is named by the caller.
#pragma once

#include <cstddef>

namespace gradus::cuda::dnn {

using Status = int;
inline constexpr Status success = 0, not_supported = 3000, bad_parameter = 2000;
inline constexpr int data_float = 0, data_double = 1, data_half = 2, data_bfloat16 = 9;
inline constexpr int nchw = 0, nhwc = 1;
inline constexpr int default_math = 0, tensor_op_math = 1, fma_math = 3;
inline constexpr int cross_correlation = 1;
// Products of implicit matrices, all deterministic; none transforms its inputs (FFT, Winograd),
// which would cost bits.
inline constexpr int forward_implicit_gemm = 0, forward_implicit_precomp_gemm = 1;
inline constexpr int input_algorithm_1 = 1, weight_algorithm_1 = 1;

using Handle = void*;
using Descriptor = void*;  // of a tensor, a filter or a convolution

struct Api {
  Status (*Create)(Handle* handle);
  Status (*SetStream)(Handle handle, void* stream);
  const char* (*GetErrorString)(Status status);
  Status (*CreateTensorDescriptor)(Descriptor* d);
  Status (*CreateFilterDescriptor)(Descriptor* d);
  Status (*CreateConvolutionDescriptor)(Descriptor* d);
  Status (*SetTensorNdDescriptor)(Descriptor d, int type, int dims, const int* size,
                                  const int* stride);
  Status (*SetFilterNdDescriptor)(Descriptor d, int type, int format, int dims, const int* size);
  Status (*SetConvolutionNdDescriptor)(Descriptor d, int dims, const int* padding,
                                       const int* stride, const int* dilation, int mode,
                                       int compute_type);
  Status (*SetConvolutionGroupCount)(Descriptor d, int groups);
  Status (*SetConvolutionMathType)(Descriptor d, int type);
  Status (*GetConvolutionForwardWorkspaceSize)(Handle handle, Descriptor x, Descriptor w,
                                               Descriptor conv, Descriptor y, int algorithm,
                                               std::size_t* bytes);
  Status (*GetConvolutionBackwardDataWorkspaceSize)(Handle handle, Descriptor w, Descriptor dy,
                                                    Descriptor conv, Descriptor dx, int algorithm,
                                                    std::size_t* bytes);
  Status (*GetConvolutionBackwardFilterWorkspaceSize)(Handle handle, Descriptor x, Descriptor dy,
                                                      Descriptor conv, Descriptor dw, int algorithm,
                                                      std::size_t* bytes);
  Status (*ConvolutionForward)(Handle handle, const void* alpha, Descriptor x_of, const void* x,
                               Descriptor w_of, const void* w, Descriptor conv, int algorithm,
                               void* workspace, std::size_t bytes, const void* beta,
                               Descriptor y_of, void* y);
  Status (*ConvolutionBackwardData)(Handle handle, const void* alpha, Descriptor w_of,
                                    const void* w, Descriptor dy_of, const void* dy,
                                    Descriptor conv, int algorithm, void* workspace,
                                    std::size_t bytes, const void* beta, Descriptor dx_of,
                                    void* dx);
  Status (*ConvolutionBackwardFilter)(Handle handle, const void* alpha, Descriptor x_of,
                                      const void* x, Descriptor dy_of, const void* dy,
                                      Descriptor conv, int algorithm, void* workspace,
                                      std::size_t bytes, const void* beta, Descriptor dw_of,
                                      void* dw);

  /// Fills everything in by `find(name)`; false if one is missing.
  template <class Find>
  bool load(Find&& find) {
    bool complete = true;
    const auto take = [&]<class F>(F& f, const char* name) {
      void* const found = complete ? find(name) : nullptr;
      complete = found != nullptr;
      f = reinterpret_cast<F>(found);
    };
#define GRADUS_CUDNN(name) take(name, "cudnn" #name)
    GRADUS_CUDNN(Create);
    GRADUS_CUDNN(SetStream);
    GRADUS_CUDNN(GetErrorString);
    GRADUS_CUDNN(CreateTensorDescriptor);
    GRADUS_CUDNN(CreateFilterDescriptor);
    GRADUS_CUDNN(CreateConvolutionDescriptor);
    GRADUS_CUDNN(SetTensorNdDescriptor);
    GRADUS_CUDNN(SetFilterNdDescriptor);
    GRADUS_CUDNN(SetConvolutionNdDescriptor);
    GRADUS_CUDNN(SetConvolutionGroupCount);
    GRADUS_CUDNN(SetConvolutionMathType);
    GRADUS_CUDNN(GetConvolutionForwardWorkspaceSize);
    GRADUS_CUDNN(GetConvolutionBackwardDataWorkspaceSize);
    GRADUS_CUDNN(GetConvolutionBackwardFilterWorkspaceSize);
    GRADUS_CUDNN(ConvolutionForward);
    GRADUS_CUDNN(ConvolutionBackwardData);
    GRADUS_CUDNN(ConvolutionBackwardFilter);
#undef GRADUS_CUDNN
    return complete;
  }
};

}  // namespace gradus::cuda::dnn
