// What follows the last backward: the norm of all gradients, clipping, AdamW, a moving average.
// Memory decides: gradients are read twice, p, m, v and the average are read and written, 40 bytes
// a parameter in f32. The tensors are those of GPT-2 124M: 148 of them, most small.
//
//   rung                  bytes a parameter   launches for L tensors   waits   what it removes
//   an operation each     88                  9 L                      1       -
//   one kernel a tensor   40                  2 L                      1       values written to be
//   read again decided there         40                  2 L + 1                  0       the host
//   in the middle of the step one table             40                  3                        0
//   launches, blocks with little to do vectors               40                  3 0       3 of 4
//   load and store instructions
//
// kernels/cuda/epilogue.cu is the engine's own: the last rung with more rules, types and policies.
#include <cmath>

#include "gradus/bench/ladder/ladder.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/kernels/cuda/vector.cuh"
#include "gradus/kernels/fold.h"
#include "gradus/kernels/random.h"
#include "gradus/kernels/update.h"

namespace gradus::ladder {
namespace {

using namespace cuda;

constexpr int threads = 256;
constexpr std::int64_t chunk = 16384;
constexpr double max_norm = 1, average = 0.999;
constexpr rules::AdamW rule{};
constexpr rules::Now first_step{.lr = 1e-3, .momentum = 0.9, .decay = 0.01};

struct Parameter {
  float *g, *p, *m, *v, *average;
  std::int64_t n;
};
struct Chunk {
  std::int64_t parameter, begin, n;
};

/// work.in: gradients. work.out: p, m, v, averages, each a list. work.scratch: what was prepared.
struct Step {
  std::int64_t count;
  std::vector<Parameter> parameters;
  const Parameter* table;  // the same on the device
  const Chunk* chunks;
  std::int64_t chunk_count;
  double* partials;  // [chunks or tensors]
  float* factor;
  float* spare;  // as large as the largest tensor
  cuda::Stream stream = compute_stream(0);

  explicit Step(const Work& w)
      : count(static_cast<std::int64_t>(w.in.size())),
        table(static_cast<const Parameter*>(w.scratch[0].data())),
        chunks(static_cast<const Chunk*>(w.scratch[1].data())),
        chunk_count(w.scratch[1].size(0)),
        partials(w.scratch[2].data<double>()),
        factor(w.scratch[3].data<float>()),
        spare(w.scratch[4].data<float>()) {
    for (std::int64_t i = 0; i < count; ++i) parameters.push_back(parameter(w, i));
  }
  static Parameter parameter(const Work& w, std::int64_t i) {
    const auto l = static_cast<std::int64_t>(w.in.size());
    const auto out = [&](std::int64_t list) {
      return w.out[static_cast<std::size_t>(list * l + i)].data<float>();
    };
    const Tensor& g = w.in[static_cast<std::size_t>(i)];
    return {g.data<float>(), out(0), out(1), out(2), out(3), g.numel()};
  }
};

/// One block: the sum of squares of n elements.
__device__ double sum_of_squares(const float* g, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += threads) sum += double(g[i]) * double(g[i]);
  return block_reduce<threads, fold::Sum>(sum);
}
__device__ float clip_factor(double squares) {
  const double factor = max_norm / (sqrt(squares) + 1e-6);
  return static_cast<float>(factor < 1 ? factor : 1);
}
using Update = rules::AdamW::At<float>;
__device__ void update(const Update& rule, float factor, const Parameter& t, std::int64_t i) {
  rule(t.p[i], factor * t.g[i], t.m[i], t.v[i]);
  t.average[i] =
      static_cast<float>(average) * t.average[i] + static_cast<float>(1 - average) * t.p[i];
}

__global__ void squares_of_tensor(const float* g, std::int64_t n, double* to) {
  const double sum = sum_of_squares(g, n);
  if (threadIdx.x == 0) *to = sum;
}

/// y[i] = f(i) for n elements: one operation of a library that has no others.
template <class F>
__global__ void operation(std::int64_t n, F f) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < n) f(i);
}
/// The operations, each as a framework's eager mode would run it.
struct Scale {
  float* y;
  float by;
  __device__ void operator()(std::int64_t i) const { y[i] *= by; }
};
struct Lerp {
  float *y, b;
  const float* x;
  __device__ void operator()(std::int64_t i) const { y[i] = b * y[i] + (1 - b) * x[i]; }
};
struct AddSquare {
  float *y, c;
  const float* x;
  __device__ void operator()(std::int64_t i) const { y[i] += c * x[i] * x[i]; }
};
struct RootPlus {
  float* y;
  const float* x;
  float root, eps;
  __device__ void operator()(std::int64_t i) const { y[i] = sqrtf(x[i]) * root + eps; }
};
struct AddQuotient {
  float *y, c;
  const float *a, *b;
  __device__ void operator()(std::int64_t i) const { y[i] += c * a[i] / b[i]; }
};

/// The clip factor, on the host: it has to wait for the device.
float factor_on_host(const Step& s) {
  for (std::int64_t i = 0; i < s.count; ++i) {
    const Parameter& t = s.parameters[static_cast<std::size_t>(i)];
    launch<squares_of_tensor>(1, threads, 0, s.stream, static_cast<const float*>(t.g), t.n,
                              s.partials + i);
  }
  std::vector<double> squares(static_cast<std::size_t>(s.count));
  download(squares.data(), s.partials, squares.size() * sizeof(double), 0);
  double sum = 0;
  for (const double v : squares) sum += v;
  return static_cast<float>(std::min(1.0, max_norm / (std::sqrt(sum) + 1e-6)));
}

void an_operation_each(const Work& w) {
  const Step s(w);
  const float factor = factor_on_host(s);
  const Update u = rule.at<float>(first_step);
  for (const Parameter& t : s.parameters) {
    const auto each = [&]<class F>(F f) {
      launch<operation<F>>(pieces(t.n, threads), threads, 0, s.stream, t.n, f);
    };
    each(Scale{t.g, factor});
    each(Scale{t.p, u.keep});
    each(Lerp{t.m, u.b1, t.g});
    each(Scale{t.v, u.b2});
    each(AddSquare{t.v, u.c2, t.g});
    each(RootPlus{s.spare, t.v, u.root, u.eps});
    each(AddQuotient{t.p, -u.step, t.m, s.spare});
    each(Lerp{t.average, static_cast<float>(average), t.p});
  }
}

__global__ void update_tensor(Parameter t, Update rule, float factor) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < t.n) update(rule, factor, t, i);
}

void one_kernel_a_tensor(const Work& w) {
  const Step s(w);
  const float factor = factor_on_host(s);
  for (const Parameter& t : s.parameters)
    launch<update_tensor>(pieces(t.n, threads), threads, 0, s.stream, t, rule.at<float>(first_step),
                          factor);
}

/// One block adds what all others left, in their order; the factor stays where it is needed.
__global__ void decide(const double* partials, std::int64_t n, float* factor) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += threads) sum += partials[i];
  sum = block_reduce<threads, fold::Sum>(sum);
  if (threadIdx.x == 0) *factor = clip_factor(sum);
}
__global__ void update_tensor_by(Parameter t, Update rule, const float* factor) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < t.n) update(rule, *factor, t, i);
}

void decided_there(const Work& w) {
  const Step s(w);
  for (std::int64_t i = 0; i < s.count; ++i) {
    const Parameter& t = s.parameters[static_cast<std::size_t>(i)];
    launch<squares_of_tensor>(1, threads, 0, s.stream, static_cast<const float*>(t.g), t.n,
                              s.partials + i);
  }
  launch<decide>(1, threads, 0, s.stream, static_cast<const double*>(s.partials), s.count,
                 s.factor);
  for (const Parameter& t : s.parameters)
    launch<update_tensor_by>(pieces(t.n, threads), threads, 0, s.stream, t,
                             rule.at<float>(first_step), static_cast<const float*>(s.factor));
}

/// A block takes 16,384 elements of whichever tensor they are in.
template <int width>
__global__ void squares_of_chunks(const Parameter* table, const Chunk* chunks, double* to) {
  const Chunk c = chunks[blockIdx.x];
  const float* g = table[c.parameter].g + c.begin;
  double sum = 0;
  std::int64_t i = threadIdx.x * width;
  for (; i + width <= c.n; i += threads * width) {
    const auto v = load<width>(g + i);
    for (int e = 0; e < width; ++e) sum += double(v[e]) * double(v[e]);
  }
  for (; i < c.n; ++i) sum += double(g[i]) * double(g[i]);
  sum = block_reduce<threads, fold::Sum>(sum);
  if (threadIdx.x == 0) to[blockIdx.x] = sum;
}

template <int width>
__global__ void update_chunks(const Parameter* table, const Chunk* chunks, Update rule,
                              const float* factor) {
  const Chunk c = chunks[blockIdx.x];
  const Parameter& t = table[c.parameter];
  std::int64_t i = threadIdx.x * width;
  for (; i + width <= c.n; i += threads * width) {
    const std::int64_t at = c.begin + i;
    const auto g = load<width>(t.g + at);
    auto p = load<width>(t.p + at), m = load<width>(t.m + at), v = load<width>(t.v + at),
         mean = load<width>(t.average + at);
    for (int e = 0; e < width; ++e) {
      rule(p[e], *factor * g[e], m[e], v[e]);
      mean[e] = static_cast<float>(average) * mean[e] + static_cast<float>(1 - average) * p[e];
    }
    store(t.p + at, p);
    store(t.m + at, m);
    store(t.v + at, v);
    store(t.average + at, mean);
  }
  for (; i < c.n; ++i) update(rule, *factor, t, c.begin + i);
}

template <int width>
void one_table(const Work& w) {
  const Step s(w);
  launch<squares_of_chunks<width>>(s.chunk_count, threads, 0, s.stream, s.table, s.chunks,
                                   s.partials);
  launch<decide>(1, threads, 0, s.stream, static_cast<const double*>(s.partials), s.chunk_count,
                 s.factor);
  launch<update_chunks<width>>(s.chunk_count, threads, 0, s.stream, s.table, s.chunks,
                               rule.at<float>(first_step), static_cast<const float*>(s.factor));
}

std::vector<std::int64_t> gpt2_sizes() {
  std::vector<std::int64_t> sizes{50257 * 768, 1024 * 768, 768, 768};
  for (int layer = 0; layer < 12; ++layer) {
    for (const std::int64_t n :
         {768, 768, 768 * 2304, 2304, 768 * 768, 768, 768, 768, 768 * 3072, 3072, 3072 * 768, 768})
      sizes.push_back(n);
  }
  return sizes;
}

Work make(bool small) {
  const auto sizes = small ? std::vector<std::int64_t>{1000, 37, 20003} : gpt2_sizes();
  const TensorOptions on{Dtype::f32, Device::cuda()};
  Generator g{10};
  Work w;
  for (const std::int64_t n : sizes) w.in.push_back(randn({n}, on, g));
  for (int list = 0; list < 4; ++list) {
    for (const std::int64_t n : sizes) {
      Tensor t = list == 2 ? rand({n}, on, g) : randn({n}, on, g);  // v is a mean of squares
      w.out.push_back(t);
    }
  }
  std::vector<Parameter> table;
  std::vector<Chunk> chunks;
  std::int64_t total = 0, largest = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    table.push_back(Step::parameter(w, static_cast<std::int64_t>(i)));
    for (std::int64_t begin = 0; begin < sizes[i]; begin += chunk)
      chunks.push_back({static_cast<std::int64_t>(i), begin, std::min(chunk, sizes[i] - begin)});
    total += sizes[i];
    largest = std::max(largest, sizes[i]);
  }
  const auto rows_on_device = [&]<class T>(const std::vector<T>& rows) {
    const auto n = static_cast<std::int64_t>(rows.size());
    return from_data(rows.data(), {n, sizeof(T) / 8}, {Dtype::i64}).to(Device::cuda());
  };
  const auto n = static_cast<std::int64_t>(std::max(chunks.size(), sizes.size()));
  w.scratch = {rows_on_device(table), rows_on_device(chunks),
               empty({n}, {Dtype::f64, Device::cuda()}), empty({1}, on), empty({largest}, on)};
  w.bytes = 40.0 * double(total);
  return w;
}

std::vector<Tensor> expected(const Work& w) {
  const std::size_t count = w.in.size();
  std::vector<Tensor> in, out;
  const auto here = [](const Tensor& t) { return t.to(Device::cpu()).to(Dtype::f64); };
  for (const Tensor& t : w.in) in.push_back(here(t));
  for (const Tensor& t : w.out) out.push_back(here(t));
  double squares = 0;
  for (const Tensor& g : in) {
    for (std::int64_t i = 0; i < g.numel(); ++i)
      squares += g.data<double>()[i] * g.data<double>()[i];
  }
  const double factor = std::min(1.0, max_norm / (std::sqrt(squares) + 1e-6));
  const auto u = rule.at<double>(first_step);
  for (std::size_t l = 0; l < count; ++l) {
    double *p = out[l].data<double>(), *m = out[count + l].data<double>(),
           *v = out[2 * count + l].data<double>(), *mean = out[3 * count + l].data<double>();
    for (std::int64_t i = 0; i < in[l].numel(); ++i) {
      u(p[i], factor * in[l].data<double>()[i], m[i], v[i]);
      mean[i] = average * mean[i] + (1 - average) * p[i];
    }
  }
  return out;
}

}  // namespace

Ladder epilogue() {
  return {
      "epilogue",
      make,
      expected,
      {{"an operation each", "a kernel for every operation, tensor by tensor", an_operation_each},
       {"one kernel a tensor", "clip, rule and average in registers", one_kernel_a_tensor},
       {"decided there", "the clip factor never leaves the device", decided_there},
       {"one table", "all tensors as chunks of one table: three launches", one_table<1>},
       {"vectors", "16 bytes a load and store", one_table<4>}}};
}

}  // namespace gradus::ladder
