#include "gradus/kernels/attention.h"

#include <cmath>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

constexpr auto attention_name = "scaled_dot_product_attention";

/// (..., rows, columns) as (B, H, rows, columns) with contiguous columns. Recorded.
Tensor as_heads(const Tensor& t) {
  const int dims = t.dim();
  const Tensor heads = dims == 4   ? t
                       : dims == 3 ? t.unsqueeze(1)
                       : dims == 2 ? t.unsqueeze(0).unsqueeze(0)
                                   : t.flatten(0, dims - 4);
  return heads.size(3) <= 1 || heads.strides()[3] == 1 ? heads : heads.contiguous();
}

/// A new (B, H, rows, columns) that lies as `like` does: heads outside rows, or inside (B, T, H, D)
/// as projections leave them.
Tensor empty_heads(const Shape& shape, const Tensor& like) {
  if (like.strides()[1] >= like.strides()[2] || shape[1] == 1) return empty(shape, like.options());
  const std::int64_t row = shape[1] * shape[3];
  return empty_strided(shape, {shape[2] * row, shape[3], row, 1}, like.options());
}

/// Lets a kernel read (B, H, T, E) gradients of any strides.
Tensor with_contiguous_columns(const Tensor& t) {
  return t.size(3) <= 1 || t.strides()[3] == 1 ? t : as_contiguous(t);
}

Tensor fused(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
             const Attention& options) {
  const std::int64_t b = q.size(0), h = q.size(1), t = q.size(2), s = k.size(2);
  const TensorOptions wide{q.dtype() == Dtype::f64 ? Dtype::f64 : Dtype::f32, q.device()};
  const Tensor stats = empty({2, b, h, t}, wide);
  Tensor y = empty_heads({b, h, t, v.size(3)}, q);
  dispatch<cpu::attention, cuda::attention>(q.device(), q, k, v, mask, options, y, stats);
  // dv = P^T dy, dS = P (dy v^T - sum P dy v^T), dq = scale dS k, dk = scale dS^T q, dmask = dS
  return record(
      attention_name, y, on(q, k, v, mask), keep(q, k, v, mask, stats, y),
      [options, b, h, t, s](const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v,
                            const Tensor& mask, const Tensor& stats, const Tensor& y, GradOut dq,
                            GradOut dk, GradOut dv, GradOut dmask) {
        Tensor to_q = empty_heads(q.shape(), q), to_k = empty_heads(k.shape(), k),
               to_v = empty_heads(v.shape(), v), to_mask;
        if (dmask.wanted()) to_mask = empty({b, h, t, s}, stats.options());
        dispatch<cpu::attention_backward, cuda::attention_backward>(
            q.device(), q, k, v, mask, options, stats, y, with_contiguous_columns(dy), to_q, to_k,
            to_v, to_mask);
        dq.give(std::move(to_q));
        dk.give(std::move(to_k));
        dv.give(std::move(to_v));
        if (to_mask) dmask.give(std::move(to_mask));
      });
}

/// k or v (..., H, S, E) with every head as often as q has heads for it. Recorded.
Tensor for_heads_of(const Tensor& q, const Tensor& t) {
  check(q.dim() >= 3 && t.dim() >= 3, ErrorKind::shape, attention_name,
        ": enable_gqa needs heads (..., H, T, D), got ", q.shape(), " and ", t.shape());
  const std::int64_t heads = q.size(-3), own = t.size(-3);
  check(own > 0 && heads % own == 0, ErrorKind::shape, attention_name, ": ", heads,
        " heads of q are no multiple of ", own, " heads of k or v");
  return heads == own ? t : repeat_interleave(t, heads / own, -3);
}

/// Where dropout stands between softmax and values the weights must exist.
Tensor with_dropout(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                    const Attention& options, double p) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) * options.scale;
  Tensor allowed = ones(Shape{q.size(-2), k.size(-2)}, {Dtype::boolean, q.device()});
  if (options.causal) allowed = tril(allowed);
  if (mask && mask.dtype() == Dtype::boolean) allowed = logical_and(allowed, mask);
  if (mask && mask.dtype() != Dtype::boolean) {
    scores = scores + mask;
    allowed = logical_and(allowed, ne(mask.detach(), -INFINITY));
  }
  const Tensor weights = softmax(where(allowed, scores, full({}, -INFINITY, q.options())), -1);
  // Rows without any key are NaN so far.
  return matmul(dropout(where(allowed, weights, full({}, 0, q.options())), p), v);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const Tensor& mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale, bool enable_gqa) {
  if (enable_gqa) {
    return scaled_dot_product_attention(q, for_heads_of(q, k), for_heads_of(q, v), mask, dropout_p,
                                        is_causal, scale);
  }
  check(q.dim() >= 2 && k.dim() >= 2 && v.dim() >= 2, ErrorKind::shape, attention_name,
        ": expected q (..., T, D), k (..., S, D), v (..., S, E), got ", q.shape(), ", ", k.shape(),
        ", ", v.shape());
  check(q.size(-1) == k.size(-1) && k.size(-2) == v.size(-2), ErrorKind::shape, attention_name,
        ": q ", q.shape(), ", k ", k.shape(), " and v ", v.shape(),
        " do not fit: expected (..., T, D), (..., S, D), (..., S, E)");
  if (const Dtype low = autocast_dtype(); low != Dtype::f32 && q.dtype() != Dtype::f64) {
    const Autocast none(Dtype::f32);
    const auto lowered = [low](const Tensor& t) {
      return t.is_floating() && t.dtype() != Dtype::f64 ? t.to(low) : t;
    };
    return scaled_dot_product_attention(lowered(q), lowered(k), lowered(v), mask, dropout_p,
                                        is_causal, scale);
  }
  check(q.is_floating() && q.dtype() == k.dtype() && q.dtype() == v.dtype(), ErrorKind::dtype,
        attention_name, ": expected one floating dtype, got ", q.dtype(), ", ", k.dtype(), ", ",
        v.dtype());
  check(!mask || mask.dtype() == Dtype::boolean || mask.is_floating(), ErrorKind::dtype,
        attention_name, ": expected a boolean or floating mask, got ",
        mask ? mask.dtype() : Dtype::boolean);
  check_same_device(attention_name, q.device(), k.device());
  check_same_device(attention_name, q.device(), v.device());
  if (mask) check_same_device(attention_name, q.device(), mask.device());
  if (is_half(q.dtype()) && dropout_p != 0) {  // what lies between is in float
    const Tensor wide = mask && mask.is_floating() ? mask.to(Dtype::f32) : mask;
    return scaled_dot_product_attention(q.to(Dtype::f32), k.to(Dtype::f32), v.to(Dtype::f32), wide,
                                        dropout_p, is_causal, scale)
        .to(q.dtype());
  }
  const double width = static_cast<double>(std::max<std::int64_t>(1, q.size(-1)));
  const Attention options{scale.value_or(1 / std::sqrt(width)), is_causal};

  // Leading dimensions of all three together.
  const auto leading = [](const Tensor& t) {
    return Shape(std::span(t.shape().begin(), static_cast<std::size_t>(t.dim() - 2)));
  };
  const Shape lead = broadcast_shapes(
      attention_name, broadcast_shapes(attention_name, leading(q), leading(k)), leading(v));
  const auto broadcast = [&](const Tensor& t, std::int64_t rows, std::int64_t columns) {
    Shape shape = lead;
    shape.push_back(rows);
    shape.push_back(columns);
    return t.shape() == shape ? t : t.expand(shape);
  };
  const Tensor m = !mask || mask.dtype() == Dtype::boolean ? mask
                   : q.dtype() == Dtype::f64               ? mask.to(Dtype::f64)
                                                           : mask.to(Dtype::f32);
  if (dropout_p != 0) return with_dropout(q, k, v, m, options, dropout_p);
  const std::int64_t t = q.size(-2), s = k.size(-2);
  Tensor heads_mask;
  if (m) {
    const Tensor full_mask = broadcast(m, t, s);
    heads_mask = full_mask.dim() <= 4 ? full_mask : full_mask.flatten(0, full_mask.dim() - 4);
    while (heads_mask.dim() < 4) heads_mask = heads_mask.unsqueeze(heads_mask.dim() == 3 ? 1 : 0);
  }
  const Tensor y =
      fused(as_heads(broadcast(q, t, q.size(-1))), as_heads(broadcast(k, s, k.size(-1))),
            as_heads(broadcast(v, s, v.size(-1))), heads_mask, options);
  if (y.dim() == lead.size() + 2) return y;
  Shape shape = lead;
  shape.push_back(t);
  shape.push_back(v.size(-1));
  return y.reshape(shape);
}

}  // namespace gradus
