#include "gradus/kernels/cuda/library_conv.h"

#include <dlfcn.h>

#include <memory>
#include <mutex>
#include <vector>

#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/dnn_convolution.h"
#include "gradus/kernels/matmul.h"
#include "gradus/tensor/cuda/runtime.h"
#include "gradus/tensor/cuda/stream.h"
#include "gradus/tensor/views.h"

#if __has_include(<cudnn.h>)
#include <cudnn.h>
#endif

namespace gradus::cuda {
namespace {

#if defined(CUDNN_MAJOR) && CUDNN_MAJOR == 9
// dnn_abi.h says what the library's own header says.
template <class Ours, class Theirs>
struct SameArguments : std::false_type {};
template <class R, class... A, class S, class... B>
struct SameArguments<R (*)(A...), S (*)(B...)> {
  template <class X, class Y>
  static constexpr bool same =
      sizeof(X) == sizeof(Y) && std::is_pointer_v<X> == std::is_pointer_v<Y>;
  static constexpr bool value = [] {
    if constexpr (sizeof...(A) != sizeof...(B))
      return false;
    else
      return same<R, S> && (same<A, B> && ...);
  }();
};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#define GRADUS_CUDNN(name) \
  static_assert(SameArguments<decltype(dnn::Api::name), decltype(&cudnn##name)>::value)
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
static_assert(dnn::success == CUDNN_STATUS_SUCCESS &&
              dnn::not_supported == CUDNN_STATUS_NOT_SUPPORTED);
static_assert(dnn::data_float == CUDNN_DATA_FLOAT && dnn::data_double == CUDNN_DATA_DOUBLE &&
              dnn::data_half == CUDNN_DATA_HALF && dnn::data_bfloat16 == CUDNN_DATA_BFLOAT16);
static_assert(dnn::nchw == CUDNN_TENSOR_NCHW && dnn::nhwc == CUDNN_TENSOR_NHWC);
static_assert(dnn::default_math == CUDNN_DEFAULT_MATH && dnn::fma_math == CUDNN_FMA_MATH &&
              dnn::tensor_op_math == CUDNN_TENSOR_OP_MATH);
static_assert(dnn::cross_correlation == CUDNN_CROSS_CORRELATION);
static_assert(dnn::forward_implicit_gemm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM &&
              dnn::forward_implicit_precomp_gemm ==
                  CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM &&
              dnn::input_algorithm_1 == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 &&
              dnn::weight_algorithm_1 == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
#pragma GCC diagnostic pop
#endif

/// Null where there is no cuDNN 9: another version's functions may differ.
const dnn::Api* api() {
  static const dnn::Api* const once = []() -> const dnn::Api* {
    constexpr const char* name = "libcudnn.so.9";
    void* const file = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    static dnn::Api loaded;  // never unloaded: its threads may outlive main()
    const bool complete =
        file != nullptr && loaded.load([&](const char* symbol) { return dlsym(file, symbol); });
    if (!complete) log_message({"cuda: ", name, " was not found: convolutions by our own kernels"});
    return complete ? &loaded : nullptr;
  }();
  return once;
}

struct DnnState {
  std::mutex mutex;
  std::unique_ptr<dnn::Convolutions> convolutions;
};

DnnState& dnn_state(int device) {
  static auto* const all =
      new std::vector<DnnState>(static_cast<std::size_t>(runtime::device_count()));
  return (*all)[static_cast<std::size_t>(device)];
}

bool run(dnn::Pass pass, const dnn::Problem& problem, const Tensor& a, const Tensor& b,
         const Tensor& to, double alpha, double beta) {
  const Device device = to.device();
  const Stream stream = compute_stream(device.index());
  DnnState& state = dnn_state(stream.device);
  const std::lock_guard lock(state.mutex);
  runtime::use_in_library(stream);
  if (!state.convolutions) state.convolutions = std::make_unique<dnn::Convolutions>(*api());
  const auto workspace = [&](std::size_t bytes) {
    return empty({static_cast<std::int64_t>(bytes)}, {Dtype::u8, device});
  };
  if (!state.convolutions->run(pass, problem, a.data(), b.data(), to.data(), alpha, beta,
                               stream.handle, workspace))
    return false;
  runtime::count_library_launch(stream);
  return true;
}

}  // namespace

bool library_conv(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& o) {
  if (o.activation != Activation::none || api() == nullptr) return false;
  const Tensor laid_out = dnn::as_laid_out(w, x, y);
  const auto problem = dnn::as_problem(x, laid_out, y, o, matmul_uses_tf32());
  if (!problem) return false;
  if (!o.bias) return run(dnn::Pass::forward, *problem, x, laid_out, y, 1, 0);
  // The bias is what the sum begins with, so that half types are rounded once.
  copy_into(dnn::each_channel(o.bias, y.shape()), y);
  return run(dnn::Pass::forward, *problem, x, laid_out, y, 1, 1);
}

bool library_conv_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                                 const ConvOptions& o) {
  if (api() == nullptr) return false;
  const Tensor laid_out = dnn::as_laid_out(w, dx, dy);
  const auto problem = dnn::as_problem(dx, laid_out, dy, o, matmul_uses_tf32());
  return problem && run(dnn::Pass::input_gradient, *problem, laid_out, dy, dx, 1, 0);
}

bool library_conv_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw,
                                  const ConvOptions& o, bool add, double alpha) {
  if (api() == nullptr) return false;
  const auto problem = dnn::as_problem(x, dw, dy, o, matmul_uses_tf32());
  return problem && run(dnn::Pass::weight_gradient, *problem, x, dy, dw, alpha, add ? 1 : 0);
}

}  // namespace gradus::cuda
