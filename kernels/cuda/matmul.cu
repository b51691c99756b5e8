// Matrix products: by cuBLASLt where it can (library_matmul.h), else by our own tiles
// (product.cuh), for any strides and types. The simulator has the tiles only.
#include <algorithm>

#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/activate.cuh"
#include "gradus/kernels/cuda/library_matmul.h"
#include "gradus/kernels/cuda/product.cuh"
#include "gradus/kernels/matmul.h"

namespace gradus::cuda {
namespace {

/// Where matrix z of a tensor (..., M, N) begins: dimensions before the last two, broadcast to c's.
struct BatchOffsets {
  int dims = 0;
  std::int64_t sizes[Shape::max_dims], strides[Shape::max_dims];
  BatchOffsets(const Tensor& t, const Tensor& c) {
    for (int d = c.dim() - 3; d >= 0; --d, ++dims) {
      const int at = d - (c.dim() - t.dim());
      sizes[dims] = c.shape()[d];
      strides[dims] = at < 0 || t.shape()[at] == 1 ? 0 : t.strides()[at];
    }
  }
  __device__ std::int64_t of(std::int64_t z) const {
    std::int64_t offset = 0;
    for (int d = 0; d < dims; ++d) {
      offset += z % sizes[d] * strides[d];
      z /= sizes[d];
    }
    return offset;
  }
};

/// T is what a and b are in memory, Out what c is; computed in float where they are half types.
template <class T, class Out>
struct MatrixProduct {
  using A = compute_t<T>;
  const T *a_data, *b_data;
  Out* c_data;
  const T* bias;  // or null
  std::int64_t a_row, a_column, b_row, b_column, c_row, c_column;
  BatchOffsets a_batch, b_batch, c_batch;
  A alpha;
  bool add, a_runs_along_l, b_runs_along_l;
  Activation activation;

  MatrixProduct(const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& bias_tensor,
                const MatmulOptions& o)
      : a_data(static_cast<const T*>(a.data())),
        b_data(static_cast<const T*>(b.data())),
        c_data(static_cast<Out*>(c.data())),
        bias(bias_tensor ? static_cast<const T*>(bias_tensor.data()) : nullptr),
        a_row(a.strides()[a.dim() - 2]),
        a_column(a.strides()[a.dim() - 1]),
        b_row(b.strides()[b.dim() - 2]),
        b_column(b.strides()[b.dim() - 1]),
        c_row(c.strides()[c.dim() - 2]),
        c_column(c.strides()[c.dim() - 1]),
        a_batch(a, c),
        b_batch(b, c),
        c_batch(c, c),
        alpha(static_cast<A>(o.alpha)),
        add(o.add),
        a_runs_along_l(a_column <= a_row),
        b_runs_along_l(b_row < b_column),
        activation(o.activation) {}

  __device__ MatrixProduct product(std::int64_t z) const {
    MatrixProduct p = *this;
    p.a_data += a_batch.of(z);
    p.b_data += b_batch.of(z);
    p.c_data += c_batch.of(z);
    return p;
  }
  __device__ A a(std::int64_t i, std::int64_t l) const {
    return static_cast<A>(a_data[i * a_row + l * a_column]);
  }
  __device__ A b(std::int64_t l, std::int64_t j) const {
    return static_cast<A>(b_data[l * b_row + j * b_column]);
  }
  __device__ Out& c(std::int64_t i, std::int64_t j) const {
    return c_data[i * c_row + j * c_column];
  }
  __device__ A start(std::int64_t i, std::int64_t j) const {
    return add && alpha == A(1) ? static_cast<A>(c(i, j)) : A(0);
  }
  __device__ void finish(std::int64_t i, std::int64_t j, A sum) const {
    if (alpha != A(1)) sum = alpha * sum + (add ? static_cast<A>(c(i, j)) : A(0));
    if constexpr (std::is_floating_point_v<A>) {
      if (bias != nullptr) sum += static_cast<A>(bias[j]);
      sum = activate(activation, sum);
    }
    c(i, j) = static_cast<Out>(sum);
  }
};

template <class T, class Out>
void run(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& o) {
  const Tensor bias = o.bias ? as_contiguous(as_dtype(o.bias, dtype_of<T>)) : Tensor();
  const MatrixProduct<T, Out> p(a, b, c, bias, o);
  const std::int64_t m = c.size(-2), n = c.size(-1);
  run_product({m, n, a.size(-1), c.numel() / (m * n)}, p, compute_stream(c.device().index()));
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& o) {
  if (c.numel() == 0) return;
  if (!c.is_floating()) {
    check(!o.bias && o.activation == Activation::none && o.alpha == 1, ErrorKind::dtype,
          "matmul: bias, activation and alpha need a floating dtype, got ", c.dtype());
    check(c.dtype() != Dtype::boolean, ErrorKind::dtype, "matmul: not defined for ", c.dtype());
  }
#if defined(__CUDACC__)
  if (library_matmul(a, b, c, o)) return;
#endif
  visit(a.dtype(), [&]<class T> {
    if constexpr (!std::is_same_v<T, bool>) {
      if (c.dtype() == a.dtype()) return run<T, T>(a, b, c, o);
      if constexpr (sizeof(T) == 2) return run<T, float>(a, b, c, o);
    }
  });
}

}  // namespace gradus::cuda
