// A block of query rows at a time: its scores against all keys it sees, softmax, the product with
// the values. A row's bits do not depend on the block it is in.
#include "gradus/kernels/attention_heads.h"
#include "gradus/kernels/cpu/lanes.h"
#include "gradus/kernels/cpu/pack.h"
#include "gradus/kernels/cpu/packed_product.h"

namespace gradus::cpu {
namespace {

/// One (rows, columns) matrix of a batch of heads.
template <class T>
struct Matrix {
  T* data;
  std::int64_t row, col = 1;
  Matrix transposed() const { return {data, col, row}; }
  Matrix from_row(std::int64_t i) const { return {data + i * row, row, col}; }
};

/// A matrix for each item.
template <class T>
struct Heads : AttentionHeads<T> {
  using AttentionHeads<T>::AttentionHeads;
  Matrix<T> operator[](std::int64_t i) const { return {this->item(i), this->row, this->column}; }
};

/// c = alpha a b (add: on top of c), on this thread. a (m, k), b (k, n), c (m, n).
template <class T>
void multiply(Matrix<T> a, Matrix<T> b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
              bool add, Matrix<T> c) {
  if (m == 0 || n == 0) return;
  multiply_block(PackA<T, T>(a.data, a.row, a.col, alpha), PackB<T, T>{b.data, b.row, b.col},
                 Range{0, m}, Range{0, n}, k, Result<T>{c.data, c.row, add, {}});
}

template <class T>
struct Problem {
  std::int64_t items, queries, keys, width, value_width, block;
  Heads<T> q, k, v;
  Heads<const bool> allowed;  // a boolean mask, or
  Heads<const T> bias;        // one that is added
  T scale;
  bool causal;
  T *largest, *sum;  // (items, queries)

  Problem(const Tensor& q_, const Tensor& k_, const Tensor& v_, const Tensor& mask,
          const Attention& options, const Tensor& stats)
      : items(q_.shape()[0] * q_.shape()[1]),
        queries(q_.shape()[2]),
        keys(k_.shape()[2]),
        width(q_.shape()[3]),
        value_width(v_.shape()[3]),
        // Scores of a block stay in the L2 cache.
        block(std::clamp<std::int64_t>(32768 / std::max<std::int64_t>(1, keys), 32, 128)),
        q(q_),
        k(k_),
        v(v_),
        allowed(mask && mask.dtype() == Dtype::boolean ? mask : Tensor()),
        bias(mask && mask.dtype() != Dtype::boolean ? mask : Tensor()),
        scale(static_cast<T>(options.scale)),
        causal(options.causal),
        largest(static_cast<T*>(stats.data())),
        sum(largest + items * queries) {}

  /// Keys that query i may see.
  std::int64_t seen(std::int64_t i) const { return causal ? std::min(keys, i + 1) : keys; }

  /// scores (rows, keys) = scale q k^T + mask for queries [i0, i1), as far as any of them sees.
  void scores(std::int64_t item, std::int64_t i0, std::int64_t i1, T* s) const {
    multiply(q[item].from_row(i0), k[item].transposed(), i1 - i0, seen(i1 - 1), width, scale, false,
             Matrix<T>{s, keys});
    for (std::int64_t i = i0; i < i1; ++i, s += keys) {
      const std::int64_t n = seen(i);
      if (allowed.data != nullptr) {
        const auto m = allowed[item].from_row(i);
        for (std::int64_t j = 0; j < n; ++j) s[j] = m.data[j * m.col] ? s[j] : T(-math::kInf);
      } else if (bias.data != nullptr) {
        const auto m = bias[item].from_row(i);
        for (std::int64_t j = 0; j < n; ++j) s[j] += m.data[j * m.col];
      }
    }
  }
  /// Keys in use behind which a block's rows hold zeros.
  void clear_unseen(std::int64_t i, std::int64_t i1, T* row) const {
    std::fill(row + seen(i), row + seen(i1 - 1), T(0));
  }
};

/// Scores to weights, in place; remembers what the backward needs.
template <class T>
void softmax_row(T* s, std::int64_t n, T& largest, T& sum) {
  largest = max_row<T>(s, n);
  sum = 1;
  if (largest == T(-math::kInf)) {  // sees nothing
    std::fill_n(s, n, T(0));
    return;
  }
  sum = sum_exp_row(s, n, largest, [s](std::int64_t i, const T* v, int used) {
    for (int j = 0; j < used; ++j) s[i + j] = v[j];
  });
  for (std::int64_t j = 0; j < n; ++j) s[j] /= sum;
}

/// The same weights from what was remembered.
template <class T>
void weights_row(T* s, std::int64_t n, T largest, T sum) {
  if (largest == T(-math::kInf)) {
    std::fill_n(s, n, T(0));
    return;
  }
  map_row(s, s, n, [=](T v) { return math::exp(v - largest) / sum; });
}

template <class T>
void forward(const Problem<T>& p, const Heads<T>& y) {
  const std::int64_t blocks = (p.queries + p.block - 1) / p.block;
  const double flops = 2.0 * static_cast<double>(p.block * p.keys * (p.width + p.value_width + 16));
  const std::int64_t grain = static_cast<std::int64_t>(1e6 / flops) + 1;
  parallel_for(p.items * blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    const Scratch<T> scratch(p.block * p.keys);
    T* const s = scratch.data();
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int64_t item = t / blocks, i0 = t % blocks * p.block;
      const std::int64_t i1 = std::min(p.queries, i0 + p.block);
      p.scores(item, i0, i1, s);
      for (std::int64_t i = i0; i < i1; ++i) {
        T* const row = s + (i - i0) * p.keys;
        const std::int64_t at = item * p.queries + i;
        softmax_row(row, p.seen(i), p.largest[at], p.sum[at]);
        p.clear_unseen(i, i1, row);
      }
      multiply(Matrix<T>{s, p.keys}, p.v[item], i1 - i0, p.value_width, p.seen(i1 - 1), T(1), false,
               y[item].from_row(i0));
    }
  });
}

/// dS = P (dP - sum P dP), in place of dP.
template <class T>
void softmax_backward_row(const T* p, std::int64_t n, T* dp) {
  const T dot = sum_row<T>(n, [=](std::int64_t j) { return p[j] * dp[j]; });
  for (std::int64_t j = 0; j < n; ++j) dp[j] = p[j] * (dp[j] - dot);
}

template <class T>
void clear(Matrix<T> m, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; ++i) std::fill_n(m.data + i * m.row, columns, T(0));
}

template <class T>
void backward_item(const Problem<T>& p, std::int64_t item, Matrix<T> dy, Matrix<T> dq, Matrix<T> dk,
                   Matrix<T> dv, T* dmask, T* s, T* ds) {
  clear(dk, p.keys, p.width);
  clear(dv, p.keys, p.value_width);
  for (std::int64_t i0 = 0; i0 < p.queries; i0 += p.block) {
    const std::int64_t i1 = std::min(p.queries, i0 + p.block), rows = i1 - i0,
                       used = p.seen(i1 - 1);
    const Matrix<T> weights{s, p.keys}, dscores{ds, p.keys};
    p.scores(item, i0, i1, s);
    multiply(dy.from_row(i0), p.v[item].transposed(), rows, used, p.value_width, T(1), false,
             dscores);
    for (std::int64_t i = i0; i < i1; ++i) {
      const std::int64_t at = item * p.queries + i, from = (i - i0) * p.keys;
      weights_row(s + from, p.seen(i), p.largest[at], p.sum[at]);
      softmax_backward_row(s + from, p.seen(i), ds + from);
      p.clear_unseen(i, i1, s + from);
      p.clear_unseen(i, i1, ds + from);
      if (dmask == nullptr) continue;
      T* const row = dmask + i * p.keys;
      std::copy_n(ds + from, used, row);
      std::fill(row + used, row + p.keys, T(0));
    }
    multiply(weights.transposed(), dy.from_row(i0), used, p.value_width, rows, T(1), true, dv);
    multiply(dscores, p.k[item], rows, p.width, used, p.scale, false, dq.from_row(i0));
    multiply(dscores.transposed(), p.q[item].from_row(i0), used, p.width, rows, p.scale, true, dk);
  }
}

}  // namespace

void attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
               const Attention& options, const Tensor& y, const Tensor& stats) {
  if (is_half(q.dtype())) return attention_in_float<attention>(q, k, v, mask, options, y, stats);
  visit_floating(q.dtype(), "attention", [&]<class T> {
    if constexpr (std::is_same_v<T, compute_t<T>>) {
      forward(Problem<T>(q, k, v, mask, options, stats), Heads<T>(y));
    }
  });
}

void attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                        const Attention& options, const Tensor& stats, const Tensor& y,
                        const Tensor& dy, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        const Tensor& dmask) {
  if (is_half(q.dtype()))
    return attention_backward_in_float<attention_backward>(q, k, v, mask, options, stats, y, dy, dq,
                                                           dk, dv, dmask);
  visit_floating(q.dtype(), "attention", [&]<class T> {
    if constexpr (std::is_same_v<T, compute_t<T>>) {
      const Problem<T> p(q, k, v, mask, options, stats);
      const Heads<T> from_y(dy), to_q(dq), to_k(dk), to_v(dv), to_mask(dmask);
      parallel_for(p.items, 1, [&](std::int64_t begin, std::int64_t end) {
        const Scratch<T> scratch(2 * p.block * p.keys);
        for (std::int64_t item = begin; item < end; ++item) {
          T* const m = dmask ? to_mask[item].data : nullptr;
          backward_item(p, item, from_y[item], to_q[item], to_k[item], to_v[item], m,
                        scratch.data(), scratch.data() + p.block * p.keys);
        }
      });
    }
  });
}

}  // namespace gradus::cpu
