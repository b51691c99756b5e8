#include "gradus/trainer/scores.h"

#include <algorithm>
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/trainer/task.h"

namespace gradus::trainer {
namespace {

/// Means over all but the samples: (N, ...) -> (N).
Tensor each(const Tensor& x) { return x.dim() <= 1 ? x : mean(x.flatten(1, -1), Dims{1}); }

struct Sum {
  const char* name;
  Tensor ErrorSums::*of;
};
constexpr Sum sums_of[] = {
    {"_squared", &ErrorSums::squared},
    {"_absolute", &ErrorSums::absolute},
    {"_bias", &ErrorSums::bias},
    {"_target", &ErrorSums::target},
    {"_target_squared", &ErrorSums::target_squared},
    {"_both", &ErrorSums::both},
    {"_predicted_anomaly", &ErrorSums::predicted_anomaly},
    {"_anomaly", &ErrorSums::anomaly},
};

}  // namespace

Tensor is_in_top(const Tensor& scores, const Tensor& right, std::int64_t k) {
  const Tensor own = gather(scores, 1, right.unsqueeze(1));  // (N, 1)
  // Counted from below, so that a score that is no number is in no top.
  const Tensor not_larger = sum(le(scores, own).to(Dtype::f32), Dims{1});
  return gt(not_larger, static_cast<double>(scores.size(1) - k));
}

Tensor confusion(const Tensor& predicted, const Tensor& right, std::int64_t classes) {
  const NoGrad no_grad;
  const Tensor all = arange(static_cast<double>(classes), {Dtype::i64, right.device()});
  const auto rows = [&](const Tensor& one) {  // (N, C): 1 at each sample's class
    return eq(one.to(Dtype::i64).unsqueeze(1), all).to(Dtype::f64);
  };
  return rows(right).t().matmul(rows(predicted)).to(Dtype::i64);
}

Table confusion_table(const Tensor& counts) {
  const std::vector<std::int64_t> all = counts.to_vector<std::int64_t>();
  const std::int64_t n = counts.size(0);
  Table table;
  table.columns.push_back("right \\ predicted");
  for (std::int64_t c = 0; c < n; ++c) table.columns.push_back(std::to_string(c));
  for (std::int64_t r = 0; r < n; ++r) {
    std::vector<std::string>& row = table.rows.emplace_back();
    row.push_back(std::to_string(r));
    for (std::int64_t c = 0; c < n; ++c)
      row.push_back(std::to_string(all[static_cast<std::size_t>(r * n + c)]));
  }
  return table;
}

/// With the members sorted, x_(1) <= ... <= x_(M), the sum of |x_i - x_j| over all ordered pairs is
/// 2 sum (2 i - M - 1) x_(i): M log M instead of M^2.
Tensor crps(const Tensor& ensemble, const Tensor& y, double fair) {
  check(ensemble.dim() == y.dim() + 1 && ensemble.size(1) > (fair > 0 ? 1 : 0), ErrorKind::shape,
        "crps: expected an ensemble (N, M, ...) with M > 1 and (N, ...), got ", ensemble.shape(),
        " and ", y.shape());
  const std::int64_t m = ensemble.size(1);
  const Tensor distance = mean(abs(ensemble - y.unsqueeze(1)), Dims{1});
  const Tensor sorted = sort(ensemble, 1).values;
  Shape shape = {1, m};
  while (shape.size() < ensemble.dim()) shape.push_back(1);
  const Tensor weights = arange(1 - static_cast<double>(m), static_cast<double>(m), 2,
                                {ensemble.dtype(), ensemble.device()})
                             .reshape(shape);
  const double kernel = 1 / static_cast<double>(m * m),
               without_own = m > 1 ? 1 / static_cast<double>(m * (m - 1)) : 0;
  const double share = fair * without_own + (1 - fair) * kernel;
  return each(distance - sum(sorted * weights, Dims{1}) * share);
}

Tensor ensemble_variance(const Tensor& ensemble) { return each(var(ensemble, Dims{1})); }

ErrorSums error_sums(const Tensor& predicted, const Tensor& target, const Tensor& climate) {
  check(predicted.shape() == target.shape(), ErrorKind::shape, "error_sums: predicted ",
        predicted.shape(), ", target ", target.shape());
  const NoGrad no_grad;
  const Tensor y = predicted.detach(), error = y - target;
  ErrorSums s;
  s.squared = each(square(error));
  s.absolute = each(abs(error));
  s.bias = each(error);
  s.target = each(target);
  s.target_squared = each(square(target));
  if (!climate) return s;
  const Tensor f = y - climate, o = target - climate;
  s.both = each(f * o);
  s.predicted_anomaly = each(square(f));
  s.anomaly = each(square(o));
  return s;
}

void add_records(PooledVector<Metric>& records, const ErrorSums& sums) {
  for (const Sum& s : sums_of)
    if (sums.*s.of) records.push_back({s.name, sums.*s.of});
}

void summarize_errors(std::string_view dataset, Values& means) {
  const std::string group = std::string(dataset) + "/";
  const auto value = [&](const char* name) {
    const double* v = find(means, group + name);
    return v != nullptr ? *v : std::nan("");
  };
  if (find(means, group + "_squared") == nullptr) return;
  const double squared = value("_squared"), mean = value("_target");
  // A variance as a difference of means: exact enough for a score, not for a constant target.
  const double variance = value("_target_squared") - mean * mean;
  Values out = {{group + "rmse", std::sqrt(squared)},
                {group + "mae", value("_absolute")},
                {group + "bias", value("_bias")},
                {group + "r2", 1 - squared / variance}};
  if (find(means, group + "_both") != nullptr)
    out.emplace_back(group + "acc",
                     value("_both") / std::sqrt(value("_predicted_anomaly") * value("_anomaly")));
  std::erase_if(means, [&](const auto& v) {
    return std::any_of(std::begin(sums_of), std::end(sums_of),
                       [&](const Sum& s) { return v.first == group + s.name; });
  });
  means.insert(means.end(), out.begin(), out.end());
}

}  // namespace gradus::trainer
