#include "gradus/trainer/monitors.h"

#include <cmath>
#include <vector>

#include "gradus/autograd/functions/linalg.h"
#include "gradus/kernels/create.h"

namespace gradus::trainer {
namespace {

using Matrix = std::vector<std::vector<double>>;  // rows

double effective_number(const std::vector<double>& shares_of) {
  double sum = 0, entropy = 0;
  for (const double s : shares_of) sum += s;
  for (const double s : shares_of) {
    const double p = s / sum + 1e-7;
    entropy -= p * std::log(p);
  }
  return std::exp(entropy);
}

/// L with L L' = a (a symmetric, positive), lower triangle by rows.
Matrix cholesky(Matrix a) {
  const std::size_t n = a.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double s = a[i][j];
      for (std::size_t k = 0; k < j; ++k) s -= a[i][k] * a[j][k];
      a[i][j] = i == j ? std::sqrt(s) : s / a[j][j];
    }
  }
  return a;
}

}  // namespace

double rankme(const Tensor& embeddings) {
  check(embeddings.dim() == 2 && embeddings.numel() > 0, ErrorKind::shape,
        "rankme: expected embeddings (N, K), got ", embeddings.shape());
  return effective_number(svdvals(embeddings.detach().to(Dtype::f64)).to_vector<double>());
}

/// The eigenvalues of W^-1/2 B W^-1/2 are those of L^-1 B L^-T for W = L L', and these are the
/// squared singular values of L^-1 times the samples' means about their mean, / sqrt(N - 1).
double lidar(const Tensor& views, double delta) {
  check(views.dim() == 3 && views.size(0) > 1 && views.size(1) > 1, ErrorKind::shape,
        "lidar: expected (samples, views, features), more than one of each, got ", views.shape());
  const auto n = static_cast<std::size_t>(views.size(0)),
             v = static_cast<std::size_t>(views.size(1)),
             k = static_cast<std::size_t>(views.size(2));
  const std::vector<double> x = views.detach().to_vector<double>();
  Matrix means(n, std::vector<double>(k));
  std::vector<double> mean(k);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < v; ++j)
      for (std::size_t c = 0; c < k; ++c) means[i][c] += x[(i * v + j) * k + c] / double(v);
    for (std::size_t c = 0; c < k; ++c) mean[c] += means[i][c] / double(n);
  }
  Matrix within(k, std::vector<double>(k));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < v; ++j) {
      const double* row = x.data() + (i * v + j) * k;
      for (std::size_t a = 0; a < k; ++a)
        for (std::size_t b = 0; b <= a; ++b)
          within[a][b] += (row[a] - means[i][a]) * (row[b] - means[i][b]) / double(n * (v - 1));
    }
  }
  for (std::size_t a = 0; a < k; ++a) within[a][a] += delta;
  const Matrix l = cholesky(std::move(within));
  const Tensor z = empty({views.size(0), views.size(2)}, {Dtype::f64});
  for (std::size_t i = 0; i < n; ++i) {  // L z = mean_i - mean, forwards
    double* const row = z.data<double>() + i * k;
    for (std::size_t a = 0; a < k; ++a) {
      double s = means[i][a] - mean[a];
      for (std::size_t b = 0; b < a; ++b) s -= l[a][b] * row[b];
      row[a] = s / l[a][a];
    }
  }
  std::vector<double> eigenvalues = svdvals(z).to_vector<double>();
  for (double& s : eigenvalues) s *= s / double(n - 1);
  return effective_number(eigenvalues);
}

}  // namespace gradus::trainer
