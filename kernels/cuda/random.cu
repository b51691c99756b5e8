// Random values: a thread computes one Philox block and its four values. They are those of the CPU
// (kernels/random_values.h), f64 normal values excepted.
#include "gradus/kernels/cuda/pointwise.cuh"
#include "gradus/kernels/cuda/report.cuh"
#include "gradus/kernels/random.h"
#include "gradus/kernels/random_values.h"
#include "gradus/tensor/cuda/capture.h"

namespace gradus::cuda {
namespace {

using random::Word;

constexpr int threads = 256;

/// A draw whose step is read when the kernel runs, where it is a part of a captured graph.
struct DrawOnDevice : Draw {
  const std::uint32_t* recorded_step;
  explicit DrawOnDevice(const Draw& d) : Draw(d), recorded_step(cuda::recorded_step()) {}
  __device__ Draw now() const {
    Draw d = *this;
    if (recorded_step != nullptr) d.step = *recorded_step;
    return d;
  }
};

/// Words of block `block` of a draw.
__device__ void words_of(const Draw& d, std::int64_t block, bool second, Word (&w)[4]) {
  const Counter k = counter_of(d, static_cast<std::uint64_t>(block), second);
  Word c[4][1];
  for (int j = 0; j < 4; ++j) c[j][0] = k.word[j];
  philox::rounds(c, d.seed);
  for (int j = 0; j < 4; ++j) w[j] = c[j][0];
}

/// Calls f(words, second words, place): `place` is where the block's first value lies in the
/// tensor, negative if the draw begins inside the block.
template <bool wide, class F>
__device__ void for_block(const Draw& d, std::int64_t q, F&& f) {
  Word w[4], s[4] = {};
  const std::int64_t block = d.first / 4 + q;
  words_of(d, block, false, w);
  if constexpr (wide) words_of(d, block, true, s);
  f(w, s, 4 * block - d.first);
}

/// How many blocks n values from d.first on are in.
std::int64_t block_count(const Draw& d, std::int64_t n) {
  return n == 0 ? 0 : (d.first % 4 + n + 3) / 4;
}

template <bool wide, class T, class Make>
__global__ void __launch_bounds__(threads)
    generate(DrawOnDevice given, std::int64_t n, std::int64_t blocks, Make make, T* y) {
  const std::int64_t q = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (q >= blocks) return;
  const Draw d = given.now();
  for_block<wide>(d, q, [&](const Word(&w)[4], const Word(&s)[4], std::int64_t at) {
    Vector<T, 4> v;
    make(w, s, v.v);
    if (at >= 0 && at % 4 == 0 && at + 4 <= n &&
        reinterpret_cast<std::uintptr_t>(y) % sizeof(v) == 0) {
      store(y + at, v);
      return;
    }
    for (int j = 0; j < 4; ++j) {
      if (at + j >= 0 && at + j < n) y[at + j] = v[j];
    }
  });
}

/// Each value from its own word.
template <class T, class Value>
struct Each {
  Value value;
  __device__ void operator()(const Word (&w)[4], const Word (&s)[4], T (&v)[4]) const {
    for (int j = 0; j < 4; ++j) v[j] = T(value(w[j], s[j]));
  }
};

template <class T>
struct Normal {
  compute_t<T> mean, deviation;
  __device__ void operator()(const Word (&w)[4], const Word (&s)[4], T (&v)[4]) const {
    for (int j = 0; j < 4; j += 2) {
      random::Pair<compute_t<T>> pair;
      if constexpr (random::is_wide<T>)
        pair = random::normal_pair(random::join(w[j], s[j]), random::join(w[j + 1], s[j + 1]));
      else
        pair = random::normal_pair(w[j], w[j + 1]);
      v[j] = T(mean + deviation * pair.x);
      v[j + 1] = T(mean + deviation * pair.y);
    }
  }
};

template <bool wide, class T, class Make>
void run(const Draw& draw, Make make, const Tensor& y) {
  const std::int64_t blocks = block_count(draw, y.numel());
  launch<generate<wide, T, Make>>(pieces(blocks, threads), threads, 0,
                                  compute_stream(y.device().index()), DrawOnDevice(draw), y.numel(),
                                  blocks, make, y.data<T>());
}

template <class P, class T>
__global__ void __launch_bounds__(threads)
    draw_bernoulli(DrawOnDevice given, std::int64_t n, std::int64_t blocks, Reporter out,
                   const P* p, T* y) {
  const std::int64_t q = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (q >= blocks) return;
  const Draw d = given.now();
  for_block<false>(d, q, [&](const Word(&w)[4], const Word(&)[4], std::int64_t at) {
    for (int j = 0; j < 4; ++j) {
      if (at + j < 0 || at + j >= n) continue;
      const double v = static_cast<double>(static_cast<compute_t<P>>(p[at + j]));
      out.probability(v);
      y[at + j] = T(compute_t<T>(w[j] < v * 0x1p32 ? 1 : 0));
    }
  });
}

template <bool contiguous, class T>
__global__ void __launch_bounds__(threads)
    drop(DrawOnDevice given, std::int64_t n, std::int64_t blocks, Word threshold,
         compute_t<T> scale, Walk<2> walk) {
  using C = compute_t<T>;
  const std::int64_t q = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (q >= blocks) return;
  const Draw d = given.now();
  T* y = static_cast<T*>(walk.data[0]);
  const T* x = static_cast<const T*>(walk.data[1]);
  for_block<false>(d, q, [&](const Word(&w)[4], const Word(&)[4], std::int64_t at) {
    const auto one = [&](T v, int j) { return T(C(v) * (w[j] < threshold ? C(0) : scale)); };
    if constexpr (contiguous) {
      const auto misaligned =
          (reinterpret_cast<std::uintptr_t>(x) | reinterpret_cast<std::uintptr_t>(y)) %
          sizeof(Vector<T, 4>);
      if (at >= 0 && at % 4 == 0 && at + 4 <= n && misaligned == 0) {
        Vector<T, 4> v = load<4>(x + at);
        for (int j = 0; j < 4; ++j) v[j] = one(v[j], j);
        store(y + at, v);
        return;
      }
    }
    for (int j = 0; j < 4; ++j) {
      const std::int64_t i = at + j;
      if (i < 0 || i >= n) continue;
      std::int64_t place[2] = {i, i};
      if constexpr (!contiguous) walk.offsets(static_cast<std::uint32_t>(i), place);
      y[place[0]] = one(x[place[1]], j);
    }
  });
}

}  // namespace

void uniform(const Draw& draw, double low, double high, const Tensor& y) {
  visit_floating(y.dtype(), "uniform", [&]<class T> {
    using Value = random::Uniform<T>;
    run<random::is_wide<T>, T>(draw, Each<T, Value>{Value(low, high)}, y);
  });
}

void normal(const Draw& draw, double mean, double deviation, const Tensor& y) {
  visit_floating(y.dtype(), "normal", [&]<class T> {
    using C = compute_t<T>;
    run<random::is_wide<T>, T>(draw, Normal<T>{C(mean), C(deviation)}, y);
  });
}

void trunc_normal(const Draw& draw, double mean, double deviation, double low, double high,
                  const Tensor& y) {
  visit_floating(y.dtype(), "trunc_normal", [&]<class T> {
    using Value = random::TruncNormal<T>;
    run<random::is_wide<T>, T>(draw, Each<T, Value>{Value(mean, deviation, low, high)}, y);
  });
}

void integers(const Draw& draw, std::int64_t low, std::uint64_t range, const Tensor& y) {
  visit(y.dtype(), [&]<class T> {
    using Value = random::Integers<T>;
    run<true, T>(draw, Each<T, Value>{Value{low, range}}, y);
  });
}

void bernoulli(const Draw& draw, const Tensor& p, const Tensor& y) {
  const std::int64_t blocks = block_count(draw, y.numel());
  const int device = y.device().index();
  visit_floating(p.dtype(), "bernoulli", [&]<class P> {
    visit(y.dtype(), [&]<class T> {
      launch<draw_bernoulli<P, T>>(pieces(blocks, threads), threads, 0, compute_stream(device),
                                   DrawOnDevice(draw), y.numel(), blocks,
                                   reporter("bernoulli", device), p.data<P>(), y.data<T>());
    });
  });
}

void dropout(const Draw& draw, double p, const Tensor& x, const Tensor& y) {
  const Word threshold = random::dropout_threshold(p);
  const double scale = p < 1 ? 1 / (1 - p) : 0;
  const std::int64_t n = x.numel(), blocks = block_count(draw, n);
  const Stream stream = compute_stream(y.device().index());
  visit_floating(x.dtype(), "dropout", [&]<class T> {
    const auto factor = static_cast<compute_t<T>>(scale);
    if (x.is_contiguous() && y.is_contiguous()) {
      Walk<2> walk;
      walk.data[0] = y.data();
      walk.data[1] = x.data();
      launch<drop<true, T>>(pieces(blocks, threads), threads, 0, stream, DrawOnDevice(draw), n,
                            blocks, threshold, factor, walk);
    } else {
      launch<drop<false, T>>(pieces(blocks, threads), threads, 0, stream, DrawOnDevice(draw), n,
                             blocks, threshold, factor, row_major_walk<2>({&y, &x}));
    }
  });
}

}  // namespace gradus::cuda
