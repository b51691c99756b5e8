// How good predictions are, as numbers a sample: what tasks give as records. Means over a data set
// are then exact for any split into batches; what is no mean follows in Task::summarize().
#pragma once

#include "gradus/tensor/pooled.h"
#include "gradus/trainer/log/entry.h"
#include "gradus/trainer/metrics.h"

namespace gradus::trainer {

/// (N) boolean: fewer than k of the scores (N, C) are larger than that of `right` (N).
Tensor is_in_top(const Tensor& scores, const Tensor& right, std::int64_t k);

/// counts[right][predicted] (C, C) i64 of N samples, on their device, without a wait; a sample
/// whose class is none of 0 ... C - 1 counts nowhere.
Tensor confusion(const Tensor& predicted, const Tensor& right, std::int64_t classes);

/// The same to be read: a row for each right class, a column for each predicted one.
Table confusion_table(const Tensor& counts);

/// The continuous ranked probability score of an ensemble, a sample: mean |x_i - y| - (1/2) mean
/// |x_i - x_j| over all pairs, divided by M^2 (fair 0: the kernel form) or M (M - 1) (fair 1:
/// without the pairs of a member with itself, Ferro 2014), or a mixture (almost fair, Lang et al.
/// 2024: 0.95). ensemble (N, M, ...), y (N, ...) -> (N), means over the rest; a loss, too.
Tensor crps(const Tensor& ensemble, const Tensor& y, double fair = 1);
/// The variance over the members (M - 1 in the denominator), a sample: (N, M, ...) -> (N). The
/// spread of a data set is the root of its mean.
Tensor ensemble_variance(const Tensor& ensemble);

/// Sums over a sample that error measures are made of: add them as records, and take the measures
/// out of their means. `climate` (...) is what is expected without a forecast, for the anomaly
/// correlation; undefined for none.
struct ErrorSums {
  Tensor squared, absolute, bias;           // of y - target
  Tensor target, target_squared;            // for R2
  Tensor both, predicted_anomaly, anomaly;  // for ACC: products of departures from the climate
};
ErrorSums error_sums(const Tensor& predicted, const Tensor& target, const Tensor& climate);
/// Puts the sums among the records of a batch, under names that begin with `_`.
void add_records(PooledVector<struct Metric>& records, const ErrorSums& sums);
/// `<dataset>/rmse`, mae, bias, r2 and acc in place of the sums in `means`.
void summarize_errors(std::string_view dataset, Values& means);

}  // namespace gradus::trainer
