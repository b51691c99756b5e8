#include "gradus/kernels/matmul.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/column_sum.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

void product(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& options = {}) {
  dispatch<cpu::matmul, cuda::matmul>(c.device(), a, b, c, options);
}

Tensor turned(const Tensor& t) { return views::transpose(t, -1, -2); }

/// The leading dimensions of both, broadcast, then (m, n).
Shape product_shape(const Tensor& a, const Tensor& b) {
  Shape lead_a = a.shape(), lead_b = b.shape();
  for (Shape* s : {&lead_a, &lead_b}) {
    s->erase(s->size() - 1);
    s->erase(s->size() - 1);
  }
  Shape shape = lead_a == lead_b ? lead_a : broadcast_shapes("matmul", lead_a, lead_b);
  shape.push_back(a.size(-2));
  shape.push_back(b.size(-1));
  return shape;
}

/// The gradient of an operand: left right, into the target where no dimension was broadcast.
void give_product(GradOut& out, const Tensor& left, const Tensor& right, const Shape& shape,
                  Dtype dtype) {
  const Shape full = product_shape(left, right);
  if (full == shape) {
    const GradTarget t = out.target(shape, dtype);
    return product(left, right, t.to, {.add = t.add, .alpha = t.alpha});
  }
  const Tensor d = empty(full, {dtype, left.device()});
  product(left, right, d);
  out.give(sum_to(d, shape));
}

/// Both with at least two dimensions and one dtype.
Tensor product_of(const char* name, const Tensor& left, const Tensor& right) {
  const Operand a(left), b(right);
  check(a->dtype() == b->dtype(), ErrorKind::dtype, name, ": a is ", left.dtype(), ", b is ",
        right.dtype());
  const Tensor y = empty(product_shape(*a, *b), a->options());
  product(*a, *b, y);
  return record(name, y, on(left, right), keep(*a, *b),
                [of_a = left.dtype(), of_b = right.dtype()](
                    const Tensor& dy, const Tensor& a, const Tensor& b, GradOut da, GradOut db) {
                  // da = dy b^T, db = a^T dy
                  const Tensor left = db.wanted() && da.overwrites_input() ? a.clone() : a;
                  if (da.wanted()) give_product(da, dy, turned(b), a.shape(), of_a);
                  if (db.wanted()) give_product(db, turned(left), dy, b.shape(), of_b);
                });
}

void check_dims(const char* name, const Tensor& t, int dims) {
  check(t.dim() == dims, ErrorKind::shape, name, ": expected ", dims, " dimensions, got ",
        t.shape());
}

}  // namespace

Tensor matmul(const Tensor& left, const Tensor& right) {
  check(left.dim() > 0 && right.dim() > 0, ErrorKind::shape,
        "matmul: a 0-dim tensor has no rows: a is ", left.shape(), ", b is ", right.shape());
  check_same_device("matmul", left.device(), right.device());
  Tensor a = left.dim() == 1 ? left.unsqueeze(0) : left;
  const Tensor b = right.dim() == 1 ? right.unsqueeze(1) : right;
  check(a.size(-1) == b.size(-2), ErrorKind::shape, "matmul: inner dimensions differ: a is ",
        left.shape(), ", b is ", right.shape());
  // Many matrices times one matrix are one tall matrix times it.
  const bool tall = b.dim() == 2 && a.dim() > 2;
  if (tall) a = a.flatten(0, -2);
  Tensor y = product_of("matmul", a, b);
  if (tall) {
    Shape shape = left.shape();
    shape[shape.size() - 1] = b.size(1);
    y = y.reshape(shape);
  }
  if (right.dim() == 1) y = y.squeeze(-1);
  if (left.dim() == 1) y = y.squeeze(right.dim() == 1 ? -1 : -2);
  return y;
}

Tensor mm(const Tensor& a, const Tensor& b) {
  check_dims("mm", a, 2);
  check_dims("mm", b, 2);
  return matmul(a, b);
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  check_dims("bmm", a, 3);
  check_dims("bmm", b, 3);
  check(a.size(0) == b.size(0), ErrorKind::shape, "bmm: batches differ: a is ", a.shape(),
        ", b is ", b.shape());
  return matmul(a, b);
}

Tensor mv(const Tensor& a, const Tensor& x) {
  check_dims("mv", a, 2);
  check_dims("mv", x, 1);
  return matmul(a, x);
}

Tensor dot(const Tensor& a, const Tensor& b) {
  check_dims("dot", a, 1);
  check_dims("dot", b, 1);
  return matmul(a, b);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check_dims("outer", a, 1);
  check_dims("outer", b, 1);
  return mul(a.unsqueeze(1), b.unsqueeze(0));
}

namespace {

/// beta c + alpha product. A beta of 0 keeps NaN in c out.
Tensor sum_of_products(const char* op, const Tensor& c, const Tensor& product, Scalar beta,
                       Scalar alpha) {
  if (!product.is_floating()) {
    check(c.dtype() == product.dtype(), ErrorKind::dtype, op, ": c is ", c.dtype(),
          ", the product is ", product.dtype());
    check(!beta.is_real() && !alpha.is_real(), ErrorKind::argument, op,
          ": beta and alpha must be integers for ", product.dtype(), ", got ", beta.real(), " and ",
          alpha.real());
  }
  check(broadcast_shapes(op, c.shape(), product.shape()) == product.shape(), ErrorKind::shape, op,
        ": c ", c.shape(), " does not broadcast to the product's ", product.shape());
  const Tensor scaled = alpha.real() == 1 ? product : mul(product, alpha);
  if (beta.real() == 0) return scaled;
  return add(beta.real() == 1 ? c : mul(c, beta), scaled);
}

}  // namespace

Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return sum_of_products("addmm", c, mm(a, b), beta, alpha);
}

Tensor baddbmm(const Tensor& c, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return sum_of_products("baddbmm", c, bmm(a, b), beta, alpha);
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b) {
  if (w.dim() == 1) return b ? add(matmul(x, w), b) : matmul(x, w);  // one output, no dimension
  check_dims("linear", w, 2);
  check(x.dim() > 0 && x.size(-1) == w.size(1), ErrorKind::shape, "linear: x is ", x.shape(),
        ", w is ", w.shape(), "; expected x (..., K), w (N, K)");
  check(!b || b.shape() == Shape{w.size(0)}, ErrorKind::shape, "linear: bias is ",
        b ? b.shape() : Shape{}, ", expected (", w.size(0), ")");
  check_same_device("linear", x.device(), w.device());
  if (b) check_same_device("linear", x.device(), b.device());
  const Tensor rows = x.dim() == 2   ? x
                      : x.dim() == 1 ? x.unsqueeze(0)
                                     : x.flatten(0, -2);  // (M, K)
  const Operand a(rows), weight(w);
  check(a->dtype() == weight->dtype() && (!b || b.dtype() == x.dtype() || b.dtype() == w.dtype()),
        ErrorKind::dtype, "linear: x is ", x.dtype(), ", w is ", w.dtype(), ", bias is ",
        b ? b.dtype() : w.dtype());
  if (b && !a->is_floating()) return add(linear(x, w), b);  // the product's bias is a real one
  Tensor y = empty({rows.size(0), w.size(0)}, a->options());
  product(*a, turned(*weight), y, {.bias = b});
  Tensor out = record(
      "linear", std::move(y), on(rows, w, b), keep(*a, *weight),
      [of_x = x.dtype(), of_w = w.dtype(), of_b = b ? b.dtype() : w.dtype()](
          const Tensor& dy, const Tensor& x, const Tensor& w, GradOut dx, GradOut dw, GradOut db) {
        // dx = dy w, dw = dy^T x, db = sum over rows of dy: all three may add in place
        if (dx.wanted()) {
          const GradTarget t = dx.target(x.shape(), of_x);
          product(dy, w, t.to, {.add = t.add, .alpha = t.alpha});
        }
        if (dw.wanted()) {
          const GradTarget t = dw.target(w.shape(), of_w);
          product(turned(dy), x, t.to, {.add = t.add, .alpha = t.alpha});
        }
        if (db.wanted()) {
          const GradTarget t = db.target({w.size(0)}, of_b);
          dispatch<cpu::column_sum, cuda::column_sum>(dy.device(), dy, t.to, t.add, t.alpha);
        }
      });
  if (x.dim() == 2) return out;
  Shape shape = x.shape();
  shape[shape.size() - 1] = w.size(0);
  return out.reshape(shape);
}

}  // namespace gradus
