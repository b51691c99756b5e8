// Singular values by one-sided Jacobi rotations (Hestenes 1958): columns of A are turned in pairs
// until all are orthogonal; their lengths are the singular values, A V = U S.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "gradus/autograd/functions/linalg.h"
#include "gradus/autograd/functions/matmul.h"
#include "gradus/autograd/functions/pointwise.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

/// Columns one after the other.
using Columns = std::vector<double>;

/// Turns columns p and q of `a` (and `v`) so that a's become orthogonal; false if they are.
bool rotate(Columns& a, Columns& v, std::int64_t m, std::int64_t n, std::int64_t p,
            std::int64_t q) {
  double *x = a.data() + p * m, *y = a.data() + q * m;
  double xx = 0, yy = 0, xy = 0;
  for (std::int64_t i = 0; i < m; ++i) xx += x[i] * x[i], yy += y[i] * y[i], xy += x[i] * y[i];
  if (std::abs(xy) <= 1e-16 * std::sqrt(xx * yy) || xy == 0) return false;
  const double zeta = (yy - xx) / (2 * xy);
  const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
  const double c = 1 / std::hypot(1.0, t), s = c * t;
  const auto turn = [&](double* x, double* y, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const double xi = x[i];
      x[i] = c * xi - s * y[i];
      y[i] = s * xi + c * y[i];
    }
  };
  turn(x, y, m);
  turn(v.data() + p * n, v.data() + q * n, n);
  return true;
}

/// One matrix (m, n), m >= n, row-major: values (n), and U (m, n) and V^T (n, n) for the gradient.
void decompose(const double* matrix, std::int64_t m, std::int64_t n, double* values, double* u,
               double* vt) {
  Columns a(static_cast<std::size_t>(m * n)), v(static_cast<std::size_t>(n * n), 0.0);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) a[static_cast<std::size_t>(j * m + i)] = matrix[i * n + j];
  for (std::int64_t j = 0; j < n; ++j) v[static_cast<std::size_t>(j * n + j)] = 1;
  bool turned = true;
  for (int sweep = 0; turned && sweep < 60; ++sweep) {  // converges quadratically: ten do
    turned = false;
    for (std::int64_t p = 0; p < n; ++p)
      for (std::int64_t q = p + 1; q < n; ++q) turned = rotate(a, v, m, n, p, q) || turned;
  }
  std::vector<double> lengths(static_cast<std::size_t>(n));
  for (std::int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (std::int64_t i = 0; i < m; ++i)
      sum = std::hypot(sum, a[static_cast<std::size_t>(j * m + i)]);
    lengths[static_cast<std::size_t>(j)] = sum;
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t p, std::int64_t q) {
    return lengths[static_cast<std::size_t>(p)] > lengths[static_cast<std::size_t>(q)];
  });
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t j = order[static_cast<std::size_t>(k)];
    const double length = values[k] = lengths[static_cast<std::size_t>(j)];
    for (std::int64_t i = 0; i < m; ++i)
      u[i * n + k] = length == 0 ? 0 : a[static_cast<std::size_t>(j * m + i)] / length;
    for (std::int64_t i = 0; i < n; ++i) vt[k * n + i] = v[static_cast<std::size_t>(j * n + i)];
  }
}

}  // namespace

Tensor svdvals(const Tensor& x) {
  check(x.dim() >= 2, ErrorKind::shape, "svdvals: expected matrices (..., M, N), got ", x.shape());
  check(x.is_floating() && !is_half(x.dtype()), ErrorKind::dtype,
        "svdvals: expected f32 or f64, got ", x.dtype());
  if (x.size(-2) < x.size(-1)) return svdvals(x.transpose(-2, -1));
  const std::int64_t m = x.size(-2), n = x.size(-1);
  const Tensor a = as_contiguous(x.detach().to(Device::cpu()).to(Dtype::f64));
  Shape many = x.shape();
  many.erase(many.size() - 1);
  many.erase(many.size() - 1);
  const auto with = [&](std::initializer_list<std::int64_t> last) {
    Shape shape = many;
    for (std::int64_t s : last) shape.push_back(s);
    return empty(shape, {Dtype::f64});
  };
  const Tensor values = with({n}), u = with({m, n}), vt = with({n, n});
  for (std::int64_t i = 0; i < many.numel(); ++i) {
    decompose(a.data<double>() + i * m * n, m, n, values.data<double>() + i * n,
              u.data<double>() + i * m * n, vt.data<double>() + i * n * n);
  }
  const auto back = [&](const Tensor& t) { return t.to(x.dtype()).to(x.device()); };
  return record("svdvals", back(values), on(x), keep(back(u), back(vt)),
                [](const Tensor& dy, const Tensor& u, const Tensor& vt, GradOut dx) {
                  dx.give(matmul(mul(u, dy.unsqueeze(-2)), vt));
                });
}

}  // namespace gradus
