// The matrix products of Muon: x <- a x + (b x x' + c (x x')^2) x, a few times, on x of norm 1,
// drives the singular values of x towards 1.
#include "gradus/optim/muon.h"

#include <algorithm>
#include <cmath>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"

namespace gradus::optim {

void make_orthogonal(const Tensor& update, const MuonOptions& options, double eps) {
  if (update.numel() == 0) return;
  const NoGrad no_grad;
  const Autocast in_full(Dtype::f32);
  const std::int64_t rows = update.size(0), columns = update.numel() / rows;
  const Tensor matrix = update.reshape({rows, columns});
  const bool tall = rows > columns;  // the products are of the shorter side
  const auto [a, b, c] = options.ns_coefficients;
  Tensor x = tall ? matrix.t() : matrix;
  x = x / clamp(norm(x), eps);
  for (int i = 0; i < options.ns_steps; ++i) {
    const Tensor gram = matmul(x, x.t());
    x = addmm(x, addmm(gram, gram, gram, b, c), x, a);
  }
  const double m = static_cast<double>(rows), n = static_cast<double>(columns);
  const double factor = options.adjust_lr == MuonRate::original ? std::sqrt(std::max(1.0, m / n))
                                                                : 0.2 * std::sqrt(std::max(m, n));
  copy_into((tall ? x.t() : x) * factor, matrix);
}

}  // namespace gradus::optim
