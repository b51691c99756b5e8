#include "gradus/trainer/monitors.h"

#include <algorithm>
#include <cmath>

namespace gradus::trainer {
namespace {

using Matrix = std::vector<std::vector<double>>;  // columns

Matrix columns_of(const Tensor& matrix) {
  const std::vector<double> values = matrix.detach().to_vector<double>();
  const auto rows = static_cast<std::size_t>(matrix.size(0)),
             columns = static_cast<std::size_t>(matrix.size(1));
  Matrix m(columns, std::vector<double>(rows));
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) m[c][r] = values[r * columns + c];
  return m;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double s = 0;
  for (std::size_t i = 0; i < a.size(); ++i) s += a[i] * b[i];
  return s;
}

/// Turns pairs of columns until all are at right angles; their lengths are the singular values.
std::vector<double> lengths_at_right_angles(Matrix m) {
  for (int sweep = 0; sweep < 60; ++sweep) {
    bool turned = false;
    for (std::size_t p = 0; p + 1 < m.size(); ++p) {
      for (std::size_t q = p + 1; q < m.size(); ++q) {
        const double a = dot(m[p], m[p]), b = dot(m[q], m[q]), c = dot(m[p], m[q]);
        if (!(std::abs(c) > 1e-14 * std::sqrt(a * b))) continue;
        turned = true;
        const double zeta = (b - a) / (2 * c);
        const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double cosine = 1 / std::hypot(1.0, t), sine = cosine * t;
        for (std::size_t i = 0; i < m[p].size(); ++i) {
          const double x = m[p][i], y = m[q][i];
          m[p][i] = cosine * x - sine * y;
          m[q][i] = sine * x + cosine * y;
        }
      }
    }
    if (!turned) break;
  }
  std::vector<double> lengths;
  for (const auto& column : m) lengths.push_back(std::sqrt(dot(column, column)));
  std::sort(lengths.rbegin(), lengths.rend());
  return lengths;
}

Matrix transposed(const Matrix& m) {
  Matrix t(m.front().size(), std::vector<double>(m.size()));
  for (std::size_t i = 0; i < m.size(); ++i)
    for (std::size_t j = 0; j < t.size(); ++j) t[j][i] = m[i][j];
  return t;
}

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

std::vector<double> singular_values(const Tensor& matrix) {
  check(matrix.dim() == 2 && matrix.numel() > 0, ErrorKind::shape,
        "singular_values: expected a matrix, got ", matrix.shape());
  const bool wide = matrix.size(1) > matrix.size(0);  // fewer columns are fewer pairs
  return lengths_at_right_angles(columns_of(wide ? matrix.transpose(0, 1) : matrix));
}

double rankme(const Tensor& embeddings) { return effective_number(singular_values(embeddings)); }

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
  for (auto& row : means) {  // L z = mean_i - mean, forwards
    for (std::size_t a = 0; a < k; ++a) {
      double s = row[a] - mean[a];
      for (std::size_t b = 0; b < a; ++b) s -= l[a][b] * row[b];
      row[a] = s / l[a][a];
    }
  }
  std::vector<double> eigenvalues;
  for (const double s : lengths_at_right_angles(n > k ? transposed(means) : means))
    eigenvalues.push_back(s * s / double(n - 1));
  return effective_number(eigenvalues);
}

}  // namespace gradus::trainer
