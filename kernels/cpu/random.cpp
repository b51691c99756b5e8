// Random values 32 Philox blocks (128 elements) at a time: the rounds, the transforms and the
// stores are plain loops over the blocks, which the compiler vectorises.
#include "gradus/kernels/random.h"

#include <algorithm>
#include <cmath>

#include "gradus/kernels/random_values.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

constexpr int lanes = 32;  // more than g++ unrolls, so that it vectorises instead
constexpr std::int64_t grain = 16384;
using random::is_wide;
using random::join;
using random::normal_pair;
using random::Pair;
using random::Word;
using Words = Word[4][lanes];
template <class V>
using Values = V[4][lanes];

void words_of(const Draw& d, std::uint64_t block, bool second, Words& c) {
  for (int i = 0; i < lanes; ++i) {
    const Counter k = counter_of(d, block + static_cast<std::uint64_t>(i), second);
    for (int j = 0; j < 4; ++j) c[j][i] = k.word[j];
  }
  philox::rounds(c, d.seed);
}

/// out[i] = value of element begin + i. `make(w, s, v)` computes v[4][lanes] from the words w and,
/// where the values are `wide`, the second words s.
template <bool wide, class V, class T, class Make>
void generate(const Draw& d, std::int64_t begin, std::int64_t count, T* out, Make&& make) {
  const std::int64_t first = d.first + begin, end = first + count;
  for (std::int64_t at = first / 4 * 4; at < end; at += 4 * lanes) {
    Words w, s;
    words_of(d, static_cast<std::uint64_t>(at / 4), false, w);
    if constexpr (wide) words_of(d, static_cast<std::uint64_t>(at / 4), true, s);
    Values<V> v;
    make(w, s, v);
    T row[4 * lanes];
    for (int i = 0; i < lanes; ++i) {
      for (int j = 0; j < 4; ++j) row[4 * i + j] = T(v[j][i]);
    }
    const std::int64_t from = std::max(first, at), to = std::min(end, at + 4 * lanes);
    std::copy(row + (from - at), row + (to - at), out + (from - first));
  }
}

/// The same where each value has its own word.
template <bool wide, class V, class T, class Value>
void generate_each(const Draw& d, std::int64_t begin, std::int64_t count, T* out, Value value) {
  generate<wide, V>(d, begin, count, out, [value](const Words& w, const Words& s, Values<V>& v) {
    const Value f = value;  // a local copy: the stores below cannot change it
    for (int j = 0; j < 4; ++j) {
      const Word *a = w[j], *b = wide ? s[j] : w[j];
      V* y = v[j];
      for (int i = 0; i < lanes; ++i) y[i] = f(a[i], b[i]);
    }
  });
}

template <class F>
void over(const Tensor& y, F&& f) {
  parallel_for(y.numel(), grain,
               [&](std::int64_t begin, std::int64_t end) { f(begin, end - begin); });
}

}  // namespace

void uniform(const Draw& draw, double low, double high, const Tensor& y) {
  visit_floating(y.dtype(), "uniform", [&]<class T> {
    const random::Uniform<T> value(low, high);
    over(y, [&](std::int64_t begin, std::int64_t n) {
      generate_each<is_wide<T>, T>(draw, begin, n, y.data<T>() + begin, value);
    });
  });
}

void normal(const Draw& draw, double mean, double deviation, const Tensor& y) {
  visit_floating(y.dtype(), "normal", [&]<class T> {
    using C = compute_t<T>;
    const C m = C(mean), d = C(deviation);
    over(y, [&](std::int64_t begin, std::int64_t n) {
      const auto make = [=](const Words& w, const Words& s, Values<C>& v) {
        for (int j = 0; j < 4; j += 2) {
          const Word *a = w[j], *b = w[j + 1], *a2 = s[j], *b2 = s[j + 1];
          C *x = v[j], *z = v[j + 1];
          for (int i = 0; i < lanes; ++i) {
            Pair<C> pair;
            if constexpr (is_wide<T>)
              pair = normal_pair(join(a[i], a2[i]), join(b[i], b2[i]));
            else
              pair = normal_pair(a[i], b[i]);
            x[i] = m + d * pair.x;
            z[i] = m + d * pair.y;
          }
        }
      };
      generate<is_wide<T>, C>(draw, begin, n, y.data<T>() + begin, make);
    });
  });
}

void trunc_normal(const Draw& draw, double mean, double deviation, double low, double high,
                  const Tensor& y) {
  visit_floating(y.dtype(), "trunc_normal", [&]<class T> {
    const random::TruncNormal<T> value(mean, deviation, low, high);
    over(y, [&](std::int64_t begin, std::int64_t n) {
      generate_each<is_wide<T>, compute_t<T>>(draw, begin, n, y.data<T>() + begin, value);
    });
  });
}

void integers(const Draw& draw, std::int64_t low, std::uint64_t range, const Tensor& y) {
  visit(y.dtype(), [&]<class T> {
    over(y, [&](std::int64_t begin, std::int64_t n) {
      generate_each<true, T>(draw, begin, n, y.data<T>() + begin, random::Integers<T>{low, range});
    });
  });
}

void bernoulli(const Draw& draw, const Tensor& p, const Tensor& y) {
  visit_floating(p.dtype(), "bernoulli", [&]<class P> {
    const P* probability = p.data<P>();
    visit(y.dtype(), [&]<class T> {
      over(y, [&](std::int64_t begin, std::int64_t n) {
        T* out = y.data<T>() + begin;
        Word words[4 * lanes];
        for (std::int64_t at = 0; at < n; at += 4 * lanes) {
          const std::int64_t some = std::min<std::int64_t>(4 * lanes, n - at);
          generate_each<false, Word>(draw, begin + at, some, words, [](Word w, Word) { return w; });
          for (std::int64_t i = 0; i < some; ++i) {
            const double v = static_cast<double>(compute_t<P>(probability[begin + at + i]));
            check(v >= 0 && v <= 1, ErrorKind::argument, "bernoulli: probability ", v,
                  " is not in [0, 1]");
            out[at + i] = T(compute_t<T>(words[i] < v * 0x1p32 ? 1 : 0));
          }
        }
      });
    });
  });
}

namespace {

/// y = x * factor for `n` elements from element `begin` on, at the given strides.
template <class T>
void dropout_run(const Draw& draw, Word threshold, compute_t<T> scale, std::int64_t begin,
                 std::int64_t n, const T* x, std::int64_t sx, T* y, std::int64_t sy) {
  using C = compute_t<T>;
  constexpr std::int64_t block = 8 * lanes;
  C factor[block];
  for (std::int64_t at = 0; at < n; at += block) {
    const std::int64_t some = std::min(block, n - at);
    generate_each<false, C>(draw, begin + at, some, factor,
                            [=](Word w, Word) { return w < threshold ? C(0) : scale; });
    const T* a = x + at * sx;
    T* b = y + at * sy;
    if (sx == 1 && sy == 1) {
      for (std::int64_t i = 0; i < some; ++i) b[i] = T(C(a[i]) * factor[i]);
    } else {
      for (std::int64_t i = 0; i < some; ++i) b[i * sy] = T(C(a[i * sx]) * factor[i]);
    }
  }
}

}  // namespace

void dropout(const Draw& draw, double p, const Tensor& x, const Tensor& y) {
  const Word threshold = random::dropout_threshold(p);
  const double scale = p < 1 ? 1 / (1 - p) : 0;
  visit_floating(x.dtype(), "dropout", [&]<class T> {
    using C = compute_t<T>;
    const T* from = x.data<T>();
    T* to = y.data<T>();
    if (x.is_contiguous() && y.is_contiguous()) {
      parallel_for(x.numel(), grain, [&](std::int64_t begin, std::int64_t end) {
        dropout_run(draw, threshold, C(scale), begin, end - begin, from + begin, 1, to + begin, 1);
      });
      return;
    }
    const int last = x.dim() - 1;  // a tensor without dimensions is contiguous
    const std::int64_t n = x.shape()[last];
    parallel_for(x.numel() / std::max<std::int64_t>(n, 1), std::max<std::int64_t>(1, grain / n),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin; row < end; ++row) {
                     std::int64_t rest = row, at_x = 0, at_y = 0;
                     for (int d = last - 1; d >= 0; --d) {
                       const std::int64_t index = rest % x.shape()[d];
                       rest /= x.shape()[d];
                       at_x += index * x.strides()[d];
                       at_y += index * y.strides()[d];
                     }
                     dropout_run(draw, threshold, C(scale), row * n, n, from + at_x,
                                 x.strides()[last], to + at_y, y.strides()[last]);
                   }
                 });
  });
}

}  // namespace gradus::cpu
