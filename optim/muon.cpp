// The matrix products of Muon: x <- (a + b g + c g^2) x with g = x x', a few times, on x of norm 1,
// drives the singular values of x towards 1.
#include "gradus/optim/muon.h"

#include <algorithm>
#include <cmath>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"

namespace gradus::optim {
namespace {

/// All steps on an x whose g is given, as the one matrix that x is multiplied by. The factors are
/// functions of the same g, so they commute with it, and a step's g is the one before times the
/// square of its factor: (m, m) throughout. What g has lost of the least singular values grows no
/// faster than they do.
Tensor steps_together(Tensor g, const MuonOptions& options) {
  const auto [a, b, c] = options.ns_coefficients;
  const Tensor one = eye(g.size(0), g.options());
  Tensor all = one;
  for (int i = 0; i < options.ns_steps; ++i) {
    const Tensor factor = addmm(one * a + g * b, g, g, 1, c);
    all = i == 0 ? factor : matmul(factor, all);
    if (i + 1 < options.ns_steps) g = matmul(factor, matmul(factor, g));
  }
  return all;
}

Tensor one_by_one(Tensor x, const MuonOptions& options) {
  const auto [a, b, c] = options.ns_coefficients;
  for (int i = 0; i < options.ns_steps; ++i) {
    const Tensor gram = matmul(x, x.t());
    x = addmm(x, addmm(gram, gram, gram, b, c), x, a);
  }
  return x;
}

}  // namespace

void make_orthogonal(const Tensor& update, const MuonOptions& options, double eps) {
  if (update.numel() == 0) return;
  const NoGrad no_grad;
  const Autocast in_full(Dtype::f32);
  const std::int64_t rows = update.size(0), columns = update.numel() / rows;
  const Tensor matrix = update.reshape({rows, columns});
  const bool tall = rows > columns;  // the products are of the shorter side
  Tensor x = tall ? matrix.t() : matrix;
  x = x / clamp(norm(x), eps);
  // With sides m <= n, five steps take 20 m^2 n + 10 m^3 operations, together 4 m^2 n + 34 m^3.
  const bool long_rows = x.size(1) >= 2 * x.size(0);
  x = long_rows ? matmul(steps_together(matmul(x, x.t()), options), x) : one_by_one(x, options);
  const double m = static_cast<double>(rows), n = static_cast<double>(columns);
  const double factor = options.adjust_lr == MuonRate::original ? std::sqrt(std::max(1.0, m / n))
                                                                : 0.2 * std::sqrt(std::max(m, n));
  copy_into((tall ? x.t() : x) * factor, matrix);
}

}  // namespace gradus::optim
