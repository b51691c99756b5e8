#include "gradus/kernels/cpu/lanes.h"
#include "gradus/kernels/norm.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

/// Columns of an affine gradient that are summed together.
constexpr std::int64_t column_block = 32;

template <class T>
struct Rows {
  using C = compute_t<T>;
  RowNorm norm;
  std::int64_t n, count;
  const T* x;
  const T* weight;  // or null
  C *mean, *rstd;

  Rows(const Tensor& x, const Tensor& weight, const RowNorm& norm, const Tensor& stats)
      : norm(norm),
        n(std::max<std::int64_t>(1, norm.row())),  // 0 only where x has no element
        count(x.numel() / n),
        x(static_cast<const T*>(x.data())),
        weight(weight ? static_cast<const T*>(weight.data()) : nullptr),
        mean(static_cast<C*>(stats.data())),
        rstd(mean + count) {}
  std::int64_t grain() const { return std::max<std::int64_t>(1, pointwise_grain / 4 / n); }
  /// The channel of the first element of row r.
  std::int64_t channel(std::int64_t r) const {
    return r % (norm.channels / norm.row_channels) * norm.row_channels;
  }
  C weight_of(std::int64_t c) const { return weight != nullptr ? C(weight[c]) : C(1); }
};

template <class T>
void statistics(const Rows<T>& rows, std::int64_t r) {
  using C = compute_t<T>;
  const T* x = rows.x + r * rows.n;
  const C n = static_cast<C>(rows.n);
  const C mean = rows.norm.centre ? sum_row<C>(x, rows.n) / n : C(0);
  Lanes<C> squares;
  for_each_chunk(x, rows.n, mean, [&](std::int64_t, C* v, int, int padded) {
    for (int j = 0; j < padded; ++j) v[j] = (v[j] - mean) * (v[j] - mean);
    squares.add(v, padded);
  });
  rows.mean[r] = mean;
  rows.rstd[r] = math::rsqrt(squares.sum() / n + static_cast<C>(rows.norm.eps));
}

/// y[i] = (x[i] - mean) rstd w[i] + b[i] for an n of channels, or one channel's w and b (step 0).
template <class T, class C>
void apply(const T* x, C mean, C rstd, const T* w, const T* b, std::int64_t step, std::int64_t n,
           T* y) {
  if (step == 0) {
    const C scale = w != nullptr ? C(*w) : C(1), shift = b != nullptr ? C(*b) : C(0);
    for (std::int64_t i = 0; i < n; ++i) y[i] = T((C(x[i]) - mean) * rstd * scale + shift);
  } else if (w != nullptr && b != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = T((C(x[i]) - mean) * rstd * C(w[i]) + C(b[i]));
  } else if (w != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = T((C(x[i]) - mean) * rstd * C(w[i]));
  } else {
    for (std::int64_t i = 0; i < n; ++i) {
      y[i] = T((C(x[i]) - mean) * rstd + (b != nullptr ? C(b[i]) : C(0)));
    }
  }
}

template <class T>
void forward_row(const Rows<T>& rows, std::int64_t r, const T* bias, T* y) {
  statistics(rows, r);
  const RowNorm& norm = rows.norm;
  const std::int64_t c = rows.channel(r);
  const T* x = rows.x + r * rows.n;
  y += r * rows.n;
  const auto at = [](const T* p, std::int64_t i) { return p != nullptr ? p + i : nullptr; };
  if (norm.inner == 1) {
    return apply(x, rows.mean[r], rows.rstd[r], at(rows.weight, c), at(bias, c), 1, rows.n, y);
  }
  for (std::int64_t k = 0; k < norm.row_channels; ++k) {
    apply(x + k * norm.inner, rows.mean[r], rows.rstd[r], at(rows.weight, c + k), at(bias, c + k),
          0, norm.inner, y + k * norm.inner);
  }
}

template <class T>
void backward_row(const Rows<T>& rows, std::int64_t r, const T* dy, T* dx) {
  using C = compute_t<T>;
  const RowNorm& norm = rows.norm;
  const std::int64_t n = rows.n, c = rows.channel(r), inner = norm.inner;
  const T* x = rows.x + r * n;
  dy += r * n;
  dx += r * n;
  const C mean = rows.mean[r], rstd = rows.rstd[r];
  const auto xhat = [=](std::int64_t i) { return (C(x[i]) - mean) * rstd; };
  C sum = 0, dot = 0;  // of g, of g xhat
  const T* w = rows.weight != nullptr ? rows.weight + c : nullptr;
  if (inner == 1 && w != nullptr) {
    if (norm.centre) sum = sum_row<C>(n, [=](std::int64_t i) { return C(dy[i]) * C(w[i]); });
    dot = sum_row<C>(n, [=](std::int64_t i) { return C(dy[i]) * C(w[i]) * xhat(i); });
  } else {
    const std::int64_t parts = w != nullptr ? norm.row_channels : 1, length = n / parts;
    for (std::int64_t k = 0; k < parts; ++k) {
      const std::int64_t from = k * length;
      const C scale = w != nullptr ? C(w[k]) : C(1);
      if (norm.centre) sum += scale * sum_row<C>(dy + from, length);
      dot += scale *
             sum_row<C>(length, [=](std::int64_t i) { return C(dy[from + i]) * xhat(from + i); });
    }
  }
  sum /= static_cast<C>(n);
  dot /= static_cast<C>(n);
  if (inner == 1 && w != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) {
      dx[i] = T(rstd * (C(dy[i]) * C(w[i]) - sum - xhat(i) * dot));
    }
    return;
  }
  for (std::int64_t k = 0; k < norm.row_channels; ++k) {
    const C scale = w != nullptr ? C(w[k]) : C(1);
    for (std::int64_t i = k * inner; i < (k + 1) * inner; ++i) {
      dx[i] = T(rstd * (C(dy[i]) * scale - sum - xhat(i) * dot));
    }
  }
}

/// Where an affine gradient goes.
template <class T>
struct Affine {
  T* to = nullptr;
  bool add = false;
  double alpha = 1;
  compute_t<T> begin(std::int64_t c) const { return add ? compute_t<T>(to[c]) : compute_t<T>(0); }
};

/// Layer norm: columns [c, c + width), rows in order.
template <class T>
void columns(const Rows<T>& rows, const T* dy, std::int64_t c, std::int64_t width,
             const Affine<T>& dw, const Affine<T>& db) {
  using C = compute_t<T>;
  C w[column_block] = {}, b[column_block] = {};
  for (std::int64_t j = 0; j < width; ++j) {
    if (dw.to != nullptr) w[j] = dw.begin(c + j);
    if (db.to != nullptr) b[j] = db.begin(c + j);
  }
  const C aw = static_cast<C>(dw.alpha), ab = static_cast<C>(db.alpha);
  const auto add_row = [&](std::int64_t r, auto n) {
    const T *x = rows.x + r * rows.n + c, *d = dy + r * rows.n + c;
    const C mean = rows.mean[r], rstd = rows.rstd[r];
    for (int j = 0; j < n; ++j) w[j] += aw * (C(d[j]) * ((C(x[j]) - mean) * rstd));
    for (int j = 0; j < n; ++j) b[j] += ab * C(d[j]);
  };
  for (std::int64_t r = 0; r < rows.count; ++r) {
    if (width == column_block)
      add_row(r, std::integral_constant<int, column_block>());
    else
      add_row(r, static_cast<int>(width));
  }
  for (std::int64_t j = 0; j < width; ++j) {
    if (dw.to != nullptr) dw.to[c + j] = T(w[j]);
    if (db.to != nullptr) db.to[c + j] = T(b[j]);
  }
}

/// Group norm: one channel, samples in order.
template <class T>
void channel(const Rows<T>& rows, const T* dy, std::int64_t c, const Affine<T>& dw,
             const Affine<T>& db) {
  using C = compute_t<T>;
  const RowNorm& norm = rows.norm;
  const std::int64_t groups = norm.channels / norm.row_channels, inner = norm.inner;
  C w = dw.to != nullptr ? dw.begin(c) : C(0), b = db.to != nullptr ? db.begin(c) : C(0);
  for (std::int64_t s = 0; s < rows.count / groups; ++s) {
    const std::int64_t r = s * groups + c / norm.row_channels;
    const std::int64_t at = (s * norm.channels + c) * inner;
    const T *x = rows.x + at, *d = dy + at;
    const C mean = rows.mean[r], rstd = rows.rstd[r];
    const C dot =
        sum_row<C>(inner, [=](std::int64_t i) { return C(d[i]) * ((C(x[i]) - mean) * rstd); });
    w += static_cast<C>(dw.alpha) * dot;
    b += static_cast<C>(db.alpha) * sum_row<C>(d, inner);
  }
  if (dw.to != nullptr) dw.to[c] = T(w);
  if (db.to != nullptr) db.to[c] = T(b);
}

}  // namespace

void row_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const RowNorm& norm,
              const Tensor& y, const Tensor& stats) {
  if (x.numel() == 0) return;
  visit_floating(x.dtype(), "norm", [&]<class T> {
    const Rows<T> rows(x, weight, norm, stats);
    const T* b = bias ? static_cast<const T*>(bias.data()) : nullptr;
    T* to = static_cast<T*>(y.data());
    parallel_for(rows.count, rows.grain(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) forward_row(rows, r, b, to);
    });
  });
}

void row_norm_backward(const Tensor& x, const Tensor& weight, const RowNorm& norm,
                       const Tensor& stats, const Tensor& dy, const Tensor& dx) {
  if (x.numel() == 0) return;
  visit_floating(x.dtype(), "norm", [&]<class T> {
    const Rows<T> rows(x, weight, norm, stats);
    const T* d = static_cast<const T*>(dy.data());
    T* to = static_cast<T*>(dx.data());
    parallel_for(rows.count, rows.grain(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) backward_row(rows, r, d, to);
    });
  });
}

void row_norm_backward_affine(const Tensor& x, const RowNorm& norm, const Tensor& stats,
                              const Tensor& dy, const Tensor& dweight, bool add_weight,
                              double alpha_weight, const Tensor& dbias, bool add_bias,
                              double alpha_bias) {
  visit_floating(x.dtype(), "norm", [&]<class T> {
    const Rows<T> rows(x, Tensor(), norm, stats);
    const T* d = static_cast<const T*>(dy.data());
    const auto target = [](const Tensor& t, bool add, double alpha) {
      return Affine<T>{t ? static_cast<T*>(t.data()) : nullptr, add, alpha};
    };
    const Affine<T> dw = target(dweight, add_weight, alpha_weight),
                    db = target(dbias, add_bias, alpha_bias);
    const std::int64_t each = norm.inner == 1 ? column_block : 1;  // channels a step
    const std::int64_t steps = (norm.channels + each - 1) / each;
    const std::int64_t work = std::max<std::int64_t>(1, x.numel() / norm.channels * each);
    parallel_for(steps, pointwise_grain / 4 / work + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t s = begin; s < end; ++s) {
        if (norm.inner == 1 && norm.row_channels == norm.channels) {
          const std::int64_t c = s * each;
          columns(rows, d, c, std::min(each, norm.channels - c), dw, db);
        } else {
          for (std::int64_t c = s * each; c < std::min(norm.channels, (s + 1) * each); ++c) {
            channel(rows, d, c, dw, db);
          }
        }
      }
    });
  });
}

}  // namespace gradus::cpu
