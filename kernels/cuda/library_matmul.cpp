#include "gradus/kernels/cuda/library_matmul.h"

#include <cublasLt.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/blas_layout.h"
#include "gradus/tensor/cuda/runtime.h"
#include "gradus/tensor/cuda/stream.h"

namespace gradus::cuda {
namespace {

constexpr std::uint64_t most_workspace = std::uint64_t{32} << 20;
constexpr std::int64_t most_alignment = 256;

/// The library's functions that are used; all of them, if `complete`.
struct Library {
  void* const file = open();
  bool complete = file != nullptr;
#define GRADUS_CUBLASLT(name) \
  decltype(&cublasLt##name) name = find<decltype(name)>("cublasLt" #name)
  GRADUS_CUBLASLT(Create);
  GRADUS_CUBLASLT(GetStatusName);
  GRADUS_CUBLASLT(MatmulDescCreate);
  GRADUS_CUBLASLT(MatmulDescSetAttribute);
  GRADUS_CUBLASLT(MatrixLayoutCreate);
  GRADUS_CUBLASLT(MatrixLayoutSetAttribute);
  GRADUS_CUBLASLT(MatmulPreferenceCreate);
  GRADUS_CUBLASLT(MatmulPreferenceSetAttribute);
  GRADUS_CUBLASLT(MatmulPreferenceDestroy);
  GRADUS_CUBLASLT(MatmulAlgoGetHeuristic);
  GRADUS_CUBLASLT(Matmul);
#undef GRADUS_CUBLASLT

 private:
  static void* open() {
    // Of the version that this was compiled for: another one's structs may differ.
    const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
    void* const opened = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr)
      log_message({"cuda: ", name, " was not found: matrix products by our own tiles"});
    return opened;
  }
  template <class F>
  F find(const char* name) {
    void* const found = complete ? dlsym(file, name) : nullptr;
    complete = found != nullptr;
    return reinterpret_cast<F>(found);
  }
};

const Library& library() {
  static const auto* const once = new Library;  // never unloaded: its threads may outlive main()
  return *once;
}

void expect(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]]
    raise(ErrorKind::device, {"cuda: cublasLt", call, ": ", library().GetStatusName(status)});
}

template <class T>
void set(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t which, const T& value) {
  expect(library().MatmulDescSetAttribute(d, which, &value, sizeof(value)),
         "MatmulDescSetAttribute");
}
template <class T>
void set(cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t which, const T& value) {
  expect(library().MatrixLayoutSetAttribute(l, which, &value, sizeof(value)),
         "MatrixLayoutSetAttribute");
}
template <class T>
void set(cublasLtMatmulPreference_t p, cublasLtMatmulPreferenceAttributes_t which, const T& value) {
  expect(library().MatmulPreferenceSetAttribute(p, which, &value, sizeof(value)),
         "MatmulPreferenceSetAttribute");
}

cudaDataType_t type_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64: return CUDA_R_64F;
    case Dtype::bf16: return CUDA_R_16BF;
    case Dtype::f16: return CUDA_R_16F;
    default: return CUDA_R_32F;
  }
}

using Numbers = std::array<std::int64_t, 17>;

/// What a plan depends on.
struct Key {
  BlasProduct product;
  Dtype in, out;
  cublasLtEpilogue_t epilogue;
  bool tf32;
  std::uint32_t alignment;

  Numbers numbers() const {
    const auto& [rows, columns, depth, batch, l, r, c] = product;
    return {rows,   columns,  depth,  batch,   l.turned, l.stride, l.step, r.turned, r.stride,
            r.step, c.stride, c.step, int(in), int(out), epilogue, tf32,   alignment};
  }
};

/// Made once for a key and kept; not usable if the library has nothing for it.
struct Plan {
  bool usable = false;
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t left = nullptr, right = nullptr, result = nullptr;
  cublasLtMatmulHeuristicResult_t choice = {};
};

cublasLtMatrixLayout_t layout(Dtype dtype, std::int64_t rows, std::int64_t columns,
                              std::int64_t batch, const BlasMatrix& m) {
  if (m.turned) std::swap(rows, columns);
  cublasLtMatrixLayout_t l = nullptr;
  expect(library().MatrixLayoutCreate(&l, type_of(dtype), static_cast<std::uint64_t>(rows),
                                      static_cast<std::uint64_t>(columns), m.stride),
         "MatrixLayoutCreate");
  set(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
  set(l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, m.step);
  return l;
}

Plan make_plan(cublasLtHandle_t handle, const Key& key, const void* bias) {
  const BlasProduct& p = key.product;
  Plan plan;
  const bool is_double = key.in == Dtype::f64;
  const cublasComputeType_t compute = is_double  ? CUBLAS_COMPUTE_64F
                                      : key.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                 : CUBLAS_COMPUTE_32F;
  expect(library().MatmulDescCreate(&plan.operation, compute, is_double ? CUDA_R_64F : CUDA_R_32F),
         "MatmulDescCreate");
  const auto op = [](const BlasMatrix& m) {
    return static_cast<std::int32_t>(m.turned ? CUBLAS_OP_T : CUBLAS_OP_N);
  };
  set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, op(p.left));
  set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSB, op(p.right));
  set(plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(key.epilogue));
  if (bias != nullptr) set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  plan.left = layout(key.in, p.rows, p.depth, p.batch, p.left);
  plan.right = layout(key.in, p.depth, p.columns, p.batch, p.right);
  plan.result = layout(key.out, p.rows, p.columns, p.batch, p.result);

  cublasLtMatmulPreference_t preference = nullptr;
  expect(library().MatmulPreferenceCreate(&preference), "MatmulPreferenceCreate");
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
  // Parts of a split sum are joined in their own type, in order, never through the output's.
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  for (const auto which :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    set(preference, which, key.alignment);
  }
  int found = 0;
  const cublasStatus_t status =
      library().MatmulAlgoGetHeuristic(handle, plan.operation, plan.left, plan.right, plan.result,
                                       plan.result, preference, 1, &plan.choice, &found);
  library().MatmulPreferenceDestroy(preference);
  plan.usable =
      status == CUBLAS_STATUS_SUCCESS && found > 0 && plan.choice.state == CUBLAS_STATUS_SUCCESS;
  return plan;
}

/// The library's state on a device. The lock is held until a product is in the stream, because the
/// plan's operation holds the pointer to the bias.
struct BlasState {
  std::mutex mutex;
  cublasLtHandle_t handle = nullptr;
  std::map<Numbers, Plan> plans;
};

BlasState& blas_state(int device) {
  static auto* const all =
      new std::vector<BlasState>(static_cast<std::size_t>(runtime::device_count()));
  return (*all)[static_cast<std::size_t>(device)];
}

/// The epilogue that does what the contract says, or none at all: the library's GELU is an
/// approximation of the one by tanh, close enough for a half type; and what its ReLU makes of NaN
/// is not documented.
bool epilogue_for(const MatmulOptions& o, Dtype out, cublasLtEpilogue_t& epilogue) {
  const bool half = out == Dtype::bf16 || out == Dtype::f16;
  if (o.activation == Activation::none)
    epilogue = o.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  else if (o.activation == Activation::gelu_tanh && half)
    epilogue = o.bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  else
    return false;
  return true;
}

std::uint32_t alignment_of(std::initializer_list<const void*> pointers) {
  std::uintptr_t bits = most_alignment;
  for (const void* p : pointers) bits |= reinterpret_cast<std::uintptr_t>(p);
  return std::uint32_t{1} << std::countr_zero(bits);
}

}  // namespace

bool library_matmul(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& o) {
  cublasLtEpilogue_t epilogue;
  if (!c.is_floating() || a.size(-1) == 0 || !epilogue_for(o, c.dtype(), epilogue)) return false;
  const std::optional<BlasProduct> product = as_blas(a, b, c);
  if (!product || product->batch > INT32_MAX || !library().complete) return false;

  const Tensor bias = o.bias ? as_contiguous(as_dtype(o.bias, c.dtype())) : Tensor();
  const void* bias_data = bias ? bias.data() : nullptr;
  const Key key{*product,
                a.dtype(),
                c.dtype(),
                epilogue,
                a.dtype() == Dtype::f32 && matmul_uses_tf32(),
                alignment_of({a.data(), b.data(), c.data(), bias_data})};
  const Stream stream = compute_stream(c.device().index());
  BlasState& state = blas_state(stream.device);
  const std::lock_guard lock(state.mutex);
  runtime::use_in_library(stream);
  if (state.handle == nullptr) expect(library().Create(&state.handle), "Create");
  auto at = state.plans.find(key.numbers());
  if (at == state.plans.end())
    at = state.plans.emplace(key.numbers(), make_plan(state.handle, key, bias_data)).first;
  Plan& plan = at->second;
  if (!plan.usable) return false;

  if (bias_data != nullptr) set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias_data);
  const auto bytes = static_cast<std::int64_t>(plan.choice.workspaceSize);
  const Tensor workspace = empty({bytes}, {Dtype::u8, c.device()});
  // alpha and beta are of the scale type: double for f64, float for all else.
  const double alpha = o.alpha, beta = o.add ? 1 : 0;
  const float alpha_f32 = static_cast<float>(alpha), beta_f32 = static_cast<float>(beta);
  const bool is_double = key.in == Dtype::f64;
  const cublasStatus_t status = library().Matmul(
      state.handle, plan.operation, is_double ? static_cast<const void*>(&alpha) : &alpha_f32,
      b.data(), plan.left, a.data(), plan.right,
      is_double ? static_cast<const void*>(&beta) : &beta_f32, c.data(), plan.result, c.data(),
      plan.result, &plan.choice.algo, bytes == 0 ? nullptr : workspace.data(),
      plan.choice.workspaceSize, static_cast<cudaStream_t>(stream.handle));
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) {  // it was planned all the same: nothing has started
    plan.usable = false;
    return false;
  }
  expect(status, "Matmul");
  runtime::count_library_launch(stream);
  return true;
}

}  // namespace gradus::cuda
