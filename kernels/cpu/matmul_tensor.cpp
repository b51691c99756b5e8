// matmul on tensors: batches of broadcast shapes become as few calls of gemm as their strides
// allow.
#include "gradus/kernels/cpu/gemm.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/matmul.h"
#include "gradus/tensor/views.h"

namespace gradus::cpu {
namespace {

/// Stride of dimension `d` counted from the end; 0 where the tensor is broadcast.
std::int64_t stride_or_0(const Tensor& t, int d) {
  const int at = t.dim() + d;
  return at < 0 || t.shape()[at] == 1 ? 0 : t.strides()[at];
}

/// The dimensions before the matrices, joined where the strides of all three allow.
Batch batch_of(const Tensor& a, const Tensor& b, const Tensor& c) {
  Batch batch;
  for (int d = -c.dim(); d < -2; ++d) {
    const std::int64_t n = c.shape()[c.dim() + d];
    if (n == 1) continue;
    const std::int64_t sa = stride_or_0(a, d), sb = stride_or_0(b, d),
                       sc = c.strides()[c.dim() + d];
    const int k = batch.dims - 1;
    if (k >= 0 && batch.a[k] == sa * n && batch.b[k] == sb * n && batch.c[k] == sc * n) {
      batch.size[k] *= n, batch.a[k] = sa, batch.b[k] = sb, batch.c[k] = sc;
    } else {
      batch.add(n, sa, sb, sc);
    }
  }
  return batch;
}

template <class T, class S>
void run(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& o) {
  Gemm<T, S> g;
  g.m = c.size(-2), g.n = c.size(-1), g.k = a.size(-1);
  g.a_row = a.strides()[a.dim() - 2], g.a_col = a.strides()[a.dim() - 1];
  g.b_row = b.strides()[b.dim() - 2], g.b_col = b.strides()[b.dim() - 1];
  g.c_row = c.strides()[c.dim() - 2];
  g.alpha = static_cast<T>(o.alpha);
  g.add = o.add;
  Tensor bias;
  if (o.bias) {
    bias = as_contiguous(as_dtype(o.bias, dtype_of<T>));
    g.finish.bias = bias.data<T>();
  }
  g.finish.activation = o.activation;
  g.batch = batch_of(a, b, c);
  g.a = static_cast<const S*>(a.data());
  g.b = static_cast<const S*>(b.data());
  g.c = static_cast<T*>(c.data());
  gemm(g);
}

/// Integers: exact, so the order does not matter; wraps as the hardware does.
template <class T>
void integer_product(const Tensor& a, const Tensor& b, const Tensor& c, bool add) {
  const std::int64_t m = c.size(0), n = c.size(1), k = a.size(1);
  using U = std::make_unsigned_t<T>;
  const auto at = [](const Tensor& t, std::int64_t i, std::int64_t j) -> T& {
    return static_cast<T*>(t.data())[i * t.strides()[0] + j * t.strides()[1]];
  };
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      U sum = add ? static_cast<U>(at(c, i, j)) : U(0);
      for (std::int64_t l = 0; l < k; ++l)
        sum = static_cast<U>(sum + U(at(a, i, l)) * U(at(b, l, j)));
      at(c, i, j) = static_cast<T>(sum);
    }
  }
}

void integer_matmul(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& o) {
  check(!o.bias && o.activation == Activation::none && o.alpha == 1, ErrorKind::dtype,
        "matmul: bias, activation and alpha need a floating dtype, got ", c.dtype());
  if (c.dim() > 2) {
    for (std::int64_t i = 0; i < c.size(0); ++i) {
      const auto part = [&](const Tensor& t) {
        if (t.dim() < c.dim()) return t;
        return views::select(t, 0, t.size(0) == 1 ? 0 : i);
      };
      integer_matmul(part(a), part(b), views::select(c, 0, i), o);
    }
    return;
  }
  switch (c.dtype()) {
    case Dtype::i32: return integer_product<std::int32_t>(a, b, c, o.add);
    case Dtype::i64: return integer_product<std::int64_t>(a, b, c, o.add);
    case Dtype::u8: return integer_product<std::uint8_t>(a, b, c, o.add);
    default: raise(ErrorKind::dtype, {"matmul: not defined for ", c.dtype()});
  }
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& o) {
  if (c.numel() == 0) return;
  if (!c.is_floating()) return integer_matmul(a, b, c, o);
  // gemm writes rows of adjacent elements; half types are summed in float beside it and rounded
  // once.
  if (is_half(c.dtype()) || c.strides()[c.dim() - 1] != 1) {
    const Tensor own = empty(c.shape(), {is_half(c.dtype()) ? Dtype::f32 : c.dtype()});
    if (o.add) copy(c, own);
    matmul(a, b, own, o);
    return copy(own, c);
  }
  switch (a.dtype()) {
    case Dtype::bf16: return run<float, bf16>(a, b, c, o);
    case Dtype::f16: return run<float, f16>(a, b, c, o);
    case Dtype::f32: return run<float, float>(a, b, c, o);
    default: return run<double, double>(a, b, c, o);
  }
}

}  // namespace gradus::cpu
