#include "gradus/kernels/cuda/dnn_convolution.h"

#include <climits>
#include <span>

#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus::cuda::dnn {
namespace {

int type_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64: return data_double;
    case Dtype::f16: return data_half;
    case Dtype::bf16: return data_bfloat16;
    default: return data_float;
  }
}

/// f32 stays f32 unless asked otherwise; f16 has to be told that tensor cores are welcome.
int math_of(Dtype dtype, bool tf32) {
  if (dtype == Dtype::f32 && !tf32) return fma_math;
  return dtype == Dtype::f16 ? tensor_op_math : default_math;
}

/// The strides of dense memory.
std::array<int, 5> strides_of(const std::array<int, 5>& size, int dims, bool channels_last) {
  std::array<int, 5> stride = {};
  int step = 1;
  if (channels_last) {
    stride[1] = 1;
    step = size[1];
  }
  for (int d = dims - 1; d >= 0; --d) {
    if (channels_last && d == 1) continue;
    stride[std::size_t(d)] = step;
    step *= size[std::size_t(d)];
  }
  return stride;
}

bool fits(const Tensor& t) {
  return t.numel() > 0 && t.numel() <= INT_MAX && t.is_floating() &&
         reinterpret_cast<std::uintptr_t>(t.data()) % 16 == 0;
}

/// (N, C, W) as (N, C, 1, W).
std::array<int, 5> sizes_of(const Tensor& t) {
  std::array<int, 5> size = {};
  std::size_t at = 0;
  for (int d = 0; d < t.dim(); ++d) {
    if (t.dim() == 3 && d == 2) size[at++] = 1;
    size[at++] = static_cast<int>(t.shape()[d]);
  }
  return size;
}

}  // namespace

bool is_dense(const Tensor& t, bool channels_last) {
  if (!channels_last) return t.is_contiguous();
  int order[5] = {0};
  for (int d = 2; d < t.dim(); ++d) order[d - 1] = d;
  order[t.dim() - 1] = 1;
  return views::permute(t, std::span<const int>(order, std::size_t(t.dim()))).is_contiguous();
}

Tensor as_laid_out(const Tensor& w, const Tensor& x, const Tensor& y) {
  for (const bool channels_last : {false, true}) {
    if (!is_dense(x, channels_last) || !is_dense(y, channels_last)) continue;
    if (is_dense(w, channels_last)) return w;
    Strides strides = contiguous_strides(w.shape());
    if (channels_last) {
      std::int64_t step = w.shape()[1];
      for (int d = w.dim() - 1; d >= 2; --d) {
        strides[d] = step;
        step *= w.shape()[d];
      }
      strides[1] = 1;
    }
    const Tensor to = empty_strided(w.shape(), strides, w.options());
    copy_into(w, to);
    return to;
  }
  return w;
}

Tensor each_channel(const Tensor& bias, const Shape& shape) {
  Strides strides = contiguous_strides(shape);
  for (int d = 0; d < shape.size(); ++d) strides[d] = d == 1 ? bias.strides()[0] : 0;
  return as_view(bias, shape, strides, bias.raw()->offset);
}

std::optional<Problem> as_problem(const Tensor& x, const Tensor& w, const Tensor& y,
                                  const ConvOptions& o, bool tf32) {
  if (x.dim() < 3 || x.dim() > 5 || !fits(x) || !fits(w) || !fits(y)) return {};
  if (w.dtype() != x.dtype() || y.dtype() != x.dtype()) return {};
  Problem p;
  const auto all_are = [&](bool channels_last) {
    return is_dense(x, channels_last) && is_dense(w, channels_last) && is_dense(y, channels_last);
  };
  if (!all_are(false)) {
    if (!all_are(true)) return {};
    p.channels_last = true;
  }
  p.dims = x.dim() == 3 ? 4 : x.dim();
  p.x = sizes_of(x);
  p.w = sizes_of(w);
  p.y = sizes_of(y);
  const std::size_t spatial = std::size_t(p.dims - 2), given = std::size_t(x.dim() - 2);
  for (std::size_t d = 0; d < spatial; ++d) {
    const bool inserted = spatial > given && d == 0;
    const std::size_t from = d - (spatial - given);
    const std::int64_t padding = inserted ? 0 : o.padding[from];
    const std::int64_t stride = inserted ? 1 : o.stride[from];
    const std::int64_t dilation = inserted ? 1 : o.dilation[from];
    if (padding > INT_MAX || stride > INT_MAX || dilation > INT_MAX) return {};
    p.padding[d] = static_cast<int>(padding);
    p.stride[d] = static_cast<int>(stride);
    p.dilation[d] = static_cast<int>(dilation);
  }
  p.groups = static_cast<int>(o.groups);
  p.type = type_of(x.dtype());
  p.math = math_of(x.dtype(), tf32);
  return p;
}

void Convolutions::expect(Status status, const char* call) const {
  if (status != success) [[unlikely]]
    raise(ErrorKind::device, {"cuda: cudnn", call, ": ", api_.GetErrorString(status)});
}

Status Convolutions::workspace_of(Pass pass, const Plan& plan, int algorithm,
                                  std::size_t& bytes) const {
  const auto& [x, w, y, convolution, chosen, unused] = plan;
  switch (pass) {
    case Pass::forward:
      return api_.GetConvolutionForwardWorkspaceSize(handle_, x, w, convolution, y, algorithm,
                                                     &bytes);
    case Pass::input_gradient:
      return api_.GetConvolutionBackwardDataWorkspaceSize(handle_, w, y, convolution, x, algorithm,
                                                          &bytes);
    case Pass::weight_gradient: break;
  }
  return api_.GetConvolutionBackwardFilterWorkspaceSize(handle_, x, y, convolution, w, algorithm,
                                                        &bytes);
}

/// The first of our algorithms that the library has for this problem. Descriptors are never
/// destroyed: a program has as many as it has shapes, and the library may be gone before us.
Convolutions::Plan Convolutions::make_plan(Pass pass, const Problem& p) {
  Plan plan;
  expect(api_.CreateTensorDescriptor(&plan.x), "CreateTensorDescriptor");
  expect(api_.CreateTensorDescriptor(&plan.y), "CreateTensorDescriptor");
  expect(api_.CreateFilterDescriptor(&plan.w), "CreateFilterDescriptor");
  expect(api_.CreateConvolutionDescriptor(&plan.convolution), "CreateConvolutionDescriptor");
  const int compute = p.type == data_double ? data_double : data_float;
  const std::array<int, 5> x = strides_of(p.x, p.dims, p.channels_last),
                           y = strides_of(p.y, p.dims, p.channels_last);
  // What the library does not know is no error: there are kernels of our own.
  const Status statuses[] = {
      api_.SetTensorNdDescriptor(plan.x, p.type, p.dims, p.x.data(), x.data()),
      api_.SetTensorNdDescriptor(plan.y, p.type, p.dims, p.y.data(), y.data()),
      api_.SetFilterNdDescriptor(plan.w, p.type, p.channels_last ? nhwc : nchw, p.dims, p.w.data()),
      api_.SetConvolutionNdDescriptor(plan.convolution, p.dims - 2, p.padding.data(),
                                      p.stride.data(), p.dilation.data(), cross_correlation,
                                      compute),
      api_.SetConvolutionGroupCount(plan.convolution, p.groups),
      api_.SetConvolutionMathType(plan.convolution, p.math)};
  for (const Status status : statuses) {
    if (status != success) return plan;
  }
  constexpr int of_forward[] = {forward_implicit_precomp_gemm, forward_implicit_gemm};
  constexpr int of_input[] = {input_algorithm_1}, of_weight[] = {weight_algorithm_1};
  const std::span<const int> algorithms =
      pass == Pass::forward
          ? std::span<const int>(of_forward)
          : std::span<const int>(pass == Pass::input_gradient ? of_input : of_weight);
  for (const int algorithm : algorithms) {
    std::size_t bytes = 0;
    if (workspace_of(pass, plan, algorithm, bytes) == success && bytes <= most_workspace) {
      plan.algorithm = algorithm;
      plan.workspace = bytes;
      return plan;
    }
  }
  return plan;
}

bool Convolutions::run(Pass pass, const Problem& problem, const void* a, const void* b, void* to,
                       double alpha, double beta, void* stream,
                       const std::function<Tensor(std::size_t)>& workspace) {
  if (handle_ == nullptr) expect(api_.Create(&handle_), "Create");
  expect(api_.SetStream(handle_, stream), "SetStream");
  const Key key{pass, problem};
  auto at = plans_.find(key);
  if (at == plans_.end()) at = plans_.emplace(key, make_plan(pass, problem)).first;
  Plan& plan = at->second;
  if (plan.algorithm < 0) return false;

  // The factors are doubles beside doubles, floats beside all else.
  const float alpha_f32 = static_cast<float>(alpha), beta_f32 = static_cast<float>(beta);
  const bool is_double = problem.type == data_double;
  const void* of_alpha = is_double ? static_cast<const void*>(&alpha) : &alpha_f32;
  const void* of_beta = is_double ? static_cast<const void*>(&beta) : &beta_f32;
  const std::size_t bytes = plan.workspace;
  const Tensor memory = bytes > 0 ? workspace(bytes) : Tensor();
  void* const room = memory ? memory.data() : nullptr;
  Status status = success;
  switch (pass) {
    case Pass::forward:
      status = api_.ConvolutionForward(handle_, of_alpha, plan.x, a, plan.w, b, plan.convolution,
                                       plan.algorithm, room, bytes, of_beta, plan.y, to);
      break;
    case Pass::input_gradient:
      status =
          api_.ConvolutionBackwardData(handle_, of_alpha, plan.w, a, plan.y, b, plan.convolution,
                                       plan.algorithm, room, bytes, of_beta, plan.x, to);
      break;
    case Pass::weight_gradient:
      status =
          api_.ConvolutionBackwardFilter(handle_, of_alpha, plan.x, a, plan.y, b, plan.convolution,
                                         plan.algorithm, room, bytes, of_beta, plan.w, to);
      break;
  }
  if (status == not_supported) {  // it was planned all the same: nothing has started
    plan.algorithm = -1;
    return false;
  }
  expect(status, "Convolution");
  return true;
}

}  // namespace gradus::cuda::dnn
