// Convolution and its gradients: every element equal to the one chain of fused multiply-adds that
// defines it, and bit for bit the same over memory formats, threads and splits of the batch.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "gradus/kernels/conv.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

using Size = std::int64_t;

Tensor random(const Shape& shape, Dtype dtype, int seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const Tensor t = empty(shape, {Dtype::f64});
  for (Size i = 0; i < t.numel(); ++i) t.data<double>()[i] = uniform(engine);
  return as_dtype(t, dtype);
}

std::vector<double> numbers_in(const Tensor& t) {
  const Tensor d = as_contiguous(as_dtype(t, Dtype::f64));
  return {d.data<double>(), d.data<double>() + d.numel()};
}

/// Channels last: (N, C, ...) with channels running fastest.
Tensor channels_last(const Shape& shape, Dtype dtype) {
  Strides strides = shape;
  Size step = shape[1];
  for (int d = shape.size() - 1; d >= 2; --d) strides[d] = step, step *= shape[d];
  strides[0] = step, strides[1] = 1;
  return empty_strided(shape, strides, {dtype});
}

/// Every second element of every dimension of a larger block.
Tensor every_second(const Shape& shape, Dtype dtype) {
  Shape larger = shape;
  for (int d = 0; d < shape.size(); ++d) larger[d] = 2 * shape[d];
  Tensor t = empty(larger, {dtype});
  for (int d = 0; d < shape.size(); ++d) t = views::slice(t, d, 0, larger[d], 2);
  return t;
}

Tensor in_format(const Tensor& t, int format) {
  if (format == 0) return t;
  const Tensor u =
      format == 1 ? channels_last(t.shape(), t.dtype()) : every_second(t.shape(), t.dtype());
  cpu::copy(t, u);
  return u;
}

struct Case {
  Shape x, w;
  ConvOptions o;
};

std::vector<Case> cases() {
  return {
      {{2, 1, 9, 9}, {5, 1, 3, 3}, {.padding = {1, 1}}},
      {{3, 3, 12, 10}, {16, 3, 5, 5}, {}},
      {{2, 16, 7, 19}, {33, 16, 3, 3}, {.padding = {1, 1}}},
      {{2, 8, 11, 13}, {40, 8, 3, 2}, {.stride = {2, 3}, .padding = {1, 0}}},
      {{1, 4, 17, 15}, {10, 4, 3, 3}, {.stride = {2, 1}, .padding = {4, 2}, .dilation = {2, 3}}},
      {{2, 6, 9, 9}, {9, 2, 3, 3}, {.padding = {1, 2}, .groups = 3}},
      {{2, 7, 8, 40}, {7, 1, 3, 3}, {.stride = {1, 2}, .padding = {1, 1}, .groups = 7}},
      {{2, 20, 6, 5}, {35, 20, 1, 1}, {}},
      {{2, 9, 7, 7}, {12, 9, 1, 1}, {.stride = {2, 2}}},
      {{1, 2, 5, 5}, {3, 2, 5, 5}, {}},
      {{1, 2, 4, 4}, {3, 2, 2, 2}, {.stride = {3, 3}, .padding = {1, 1}}},
      {{2, 3, 30}, {20, 3, 7}, {.stride = {2}, .padding = {3}, .dilation = {2}}},
      {{1, 2, 600}, {3, 2, 4}, {}},
      {{2, 3, 5, 6, 7}, {9, 3, 3, 2, 3}, {.stride = {2, 1, 2}, .padding = {1, 1, 0}}},
      {{2, 5, 4, 4, 4}, {8, 5, 1, 1, 1}, {}},
      {{0, 2, 5, 5}, {3, 2, 3, 3}, {}},
  };
}

/// Calls f(n, o, c, x index, w index, y index) for every product of the convolution that is not
/// with padding, y's elements outermost, then (c, taps) ascending.
template <class F>
void for_each_product(const Case& k, const Shape& y, F f) {
  const int spatial = k.x.size() - 2;
  Size in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, taps[3] = {1, 1, 1};
  Size stride[3] = {1, 1, 1}, padding[3] = {}, dilation[3] = {1, 1, 1};
  for (int i = 0; i < spatial; ++i) {
    const int d = 3 - spatial + i;
    in[d] = k.x[2 + i], out[d] = y[2 + i], taps[d] = k.w[2 + i];
    stride[d] = k.o.stride[i], padding[d] = k.o.padding[i], dilation[d] = k.o.dilation[i];
  }
  const Size O = k.w[0], C = k.w[1], per_group = O / k.o.groups;
  Size yi = 0;
  for (Size n = 0; n < k.x[0]; ++n)
    for (Size o = 0; o < O; ++o)
      for (Size a = 0; a < out[0]; ++a)
        for (Size b = 0; b < out[1]; ++b)
          for (Size e = 0; e < out[2]; ++e, ++yi)
            for (Size c = 0; c < C; ++c)
              for (Size t = 0; t < taps[0] * taps[1] * taps[2]; ++t) {
                const Size z = a * stride[0] + t / (taps[1] * taps[2]) * dilation[0] - padding[0];
                const Size v = b * stride[1] + t / taps[2] % taps[1] * dilation[1] - padding[1];
                const Size u = e * stride[2] + t % taps[2] * dilation[2] - padding[2];
                if (z < 0 || z >= in[0] || v < 0 || v >= in[1] || u < 0 || u >= in[2]) continue;
                const Size channel = o / per_group * C + c;
                const Size xi = (((n * k.x[1] + channel) * in[0] + z) * in[1] + v) * in[2] + u;
                const Size wi = (o * C + c) * taps[0] * taps[1] * taps[2] + t;
                f(o, xi, wi, yi);
              }
}

struct Conv : ::testing::TestWithParam<Dtype> {
  const int threads = num_threads();
  ~Conv() override { set_num_threads(threads); }
};
INSTANTIATE_TEST_SUITE_P(Dtypes, Conv, ::testing::Values(Dtype::f32, Dtype::f64),
                         [](const auto& i) { return std::string(to_string(i.param)); });

/// fma in the type under test.
double fma_in(Dtype dtype, double a, double b, double c) {
  return dtype == Dtype::f64
             ? std::fma(a, b, c)
             : std::fma(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c));
}

void expect_equal(const Tensor& t, const std::vector<double>& want, const char* what, int i) {
  const std::vector<double> got = numbers_in(t);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t j = 0; j < got.size(); ++j)
    ASSERT_EQ(got[j], want[j]) << what << " of case " << i << " at " << j;
}

TEST_P(Conv, every_element_is_its_chain_in_every_memory_format) {
  int i = -1;
  for (const Case& k : cases()) {
    ++i;
    const Tensor x = random(k.x, GetParam(), 1), w = random(k.w, GetParam(), 2);
    const Shape shape = conv_shape("conv", x, w, k.o);
    const Tensor dy = random(shape, GetParam(), 3);
    const auto xv = numbers_in(x), wv = numbers_in(w), dyv = numbers_in(dy);
    std::vector<double> y(dyv.size(), 0), dx(xv.size(), 0), dw(wv.size(), 0), db(k.w[0], 0);
    for_each_product(k, shape, [&](Size, Size xi, Size wi, Size yi) {
      y[yi] = fma_in(GetParam(), wv[wi], xv[xi], y[yi]);
      dw[wi] = fma_in(GetParam(), dyv[yi], xv[xi], dw[wi]);
    });
    // dx: the same products, for each element over (o, taps). The order above visits, for a fixed
    // element of x and channel o, taps in descending order of position: sort by (o, tap).
    std::vector<std::vector<std::pair<Size, Size>>> terms(xv.size());
    for_each_product(k, shape, [&](Size, Size xi, Size wi, Size yi) {
      terms[xi].push_back({wi, yi});
    });
    for (std::size_t j = 0; j < terms.size(); ++j) {
      std::sort(terms[j].begin(), terms[j].end());  // w's order is (o, c, tap), c is fixed
      for (const auto& [wi, yi] : terms[j]) dx[j] = fma_in(GetParam(), wv[wi], dyv[yi], dx[j]);
    }
    const Size positions = dyv.empty() ? 0 : dy.numel() / shape[0] / shape[1];
    for (Size n = 0; n < shape[0]; ++n)
      for (Size o = 0; o < shape[1]; ++o)
        for (Size p = 0; p < positions; ++p)
          db[o] = fma_in(GetParam(), 1, dyv[(n * shape[1] + o) * positions + p], db[o]);

    for (int format : {0, 1, 2}) {
      const Tensor fx = in_format(x, format), fdy = in_format(dy, format);
      for (int output : {0, 1, 2}) {
        const Tensor fy = in_format(empty(shape, {GetParam()}), output);
        cpu::conv(fx, w, fy, k.o);
        expect_equal(fy, y, "y", i);
        const Tensor fdx = in_format(empty(k.x, {GetParam()}), output);
        cpu::conv_input_gradient(fdy, w, fdx, k.o);
        expect_equal(fdx, dx, "dx", i);
      }
      const Tensor fdw = in_format(empty(k.w, {GetParam()}), format);
      cpu::conv_weight_gradient(fx, fdy, fdw, k.o);
      expect_equal(fdw, dw, "dw", i);
      const Tensor fdb = empty({k.w[0]}, {GetParam()});
      cpu::conv_bias_gradient(fdy, fdb);
      expect_equal(fdb, db, "db", i);
      const Tensor fw = in_format(w, format), fy = empty(shape, {GetParam()});
      cpu::conv(x, fw, fy, k.o);
      expect_equal(fy, y, "y with w in another format", i);
    }
  }
}

TEST_P(Conv, threads_do_not_change_bits) {
  for (const Case& k : {Case{{3, 5, 20, 21}, {40, 5, 3, 3}, {.padding = {1, 1}}},
                        Case{{1, 30, 6, 6}, {300, 30, 3, 3}, {}},
                        Case{{2, 64, 30, 30}, {64, 1, 3, 3}, {.groups = 64}}}) {
    const Tensor x = random(k.x, GetParam(), 1), w = random(k.w, GetParam(), 2);
    const Shape shape = conv_shape("conv", x, w, k.o);
    const Tensor dy = random(shape, GetParam(), 3);
    std::vector<double> want[4];
    for (int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      const Tensor y = empty(shape, {GetParam()}), dx = empty(k.x, {GetParam()}),
                   dw = empty(k.w, {GetParam()}), db = empty({k.w[0]}, {GetParam()});
      cpu::conv(x, w, y, k.o);
      cpu::conv_input_gradient(dy, w, dx, k.o);
      cpu::conv_weight_gradient(x, dy, dw, k.o);
      cpu::conv_bias_gradient(dy, db);
      int i = 0;
      for (const Tensor& t : {y, dx, dw, db}) {
        if (threads == 1) want[i] = numbers_in(t);
        ASSERT_EQ(numbers_in(t), want[i]) << threads << " threads, result " << i;
        ++i;
      }
    }
  }
}

TEST_P(Conv, gradients_of_micro_batches_add_up_to_the_same_bits) {
  for (const Case& k : {Case{{6, 3, 9, 8}, {20, 3, 3, 3}, {.padding = {1, 1}}},
                        Case{{6, 4, 40, 40}, {6, 2, 3, 3}, {.stride = {2, 2}, .groups = 2}}}) {
    const Tensor x = random(k.x, GetParam(), 1), w = random(k.w, GetParam(), 2);
    const Shape shape = conv_shape("conv", x, w, k.o);
    const Tensor dy = random(shape, GetParam(), 3);
    const Tensor dw = empty(k.w, {GetParam()}), db = empty({k.w[0]}, {GetParam()});
    cpu::conv_weight_gradient(x, dy, dw, k.o, false, -0.25);
    cpu::conv_bias_gradient(dy, db, false, -0.25);
    for (Size micro : {1, 2, 4}) {
      const Tensor dw2 = empty(k.w, {GetParam()}), db2 = empty({k.w[0]}, {GetParam()});
      for (Size n = 0; n < 6; n += micro) {
        const Size end = std::min<Size>(6, n + micro);
        const Tensor px = views::slice(x, 0, n, end, 1), pdy = views::slice(dy, 0, n, end, 1);
        cpu::conv_weight_gradient(px, pdy, dw2, k.o, n > 0, -0.25);
        cpu::conv_bias_gradient(pdy, db2, n > 0, -0.25);
      }
      EXPECT_EQ(numbers_in(dw2), numbers_in(dw)) << micro;
      EXPECT_EQ(numbers_in(db2), numbers_in(db)) << micro;
    }
  }
}

TEST_P(Conv, a_batch_gives_the_bits_of_its_images) {
  const Case k{{5, 8, 10, 10}, {24, 8, 3, 3}, {.padding = {1, 1}}};
  const Tensor x = random(k.x, GetParam(), 1), w = random(k.w, GetParam(), 2);
  const Tensor y = empty(conv_shape("conv", x, w, k.o), {GetParam()});
  cpu::conv(x, w, y, k.o);
  for (Size n = 0; n < 5; ++n) {
    const Tensor one = views::slice(x, 0, n, n + 1, 1);
    const Tensor yn = empty(conv_shape("conv", one, w, k.o), {GetParam()});
    cpu::conv(one, w, yn, k.o);
    EXPECT_EQ(numbers_in(yn), numbers_in(views::slice(y, 0, n, n + 1, 1)));
  }
}

TEST_P(Conv, bias_and_activation_come_after_the_chain) {
  for (const Size channels : {3, 50}) {
    for (int format : {0, 1, 2}) {
      const Case k{{2, 9, 8, 9}, {channels, 9, 3, 3}, {.padding = {1, 1}}};
      const Tensor x = random(k.x, GetParam(), 1), w = random(k.w, GetParam(), 2);
      const Tensor bias = random({channels}, GetParam(), 4);
      const Tensor plain = empty(conv_shape("conv", x, w, k.o), {GetParam()});
      cpu::conv(x, w, plain, k.o);
      auto want = numbers_in(plain);
      const auto b = numbers_in(bias);
      for (std::size_t i = 0; i < want.size(); ++i) {
        const double sum = want[i] + b[i / 72 % channels];
        want[i] = std::max(0.0, GetParam() == Dtype::f32 ? static_cast<float>(sum) : sum);
      }
      ConvOptions o = k.o;
      o.bias = bias, o.activation = Activation::relu;
      const Tensor y = in_format(empty(plain.shape(), {GetParam()}), format);
      cpu::conv(x, w, y, o);
      EXPECT_EQ(numbers_in(y), want);
    }
  }
}

TEST(ConvHalf, is_the_float_result_rounded_once) {
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    for (const Case& k : cases()) {
      const Tensor x = random(k.x, dtype, 1), w = random(k.w, dtype, 2);
      const Tensor fx = as_dtype(x, Dtype::f32), fw = as_dtype(w, Dtype::f32);
      const Shape shape = conv_shape("conv", x, w, k.o);
      const Tensor dy = random(shape, dtype, 3), fdy = as_dtype(dy, Dtype::f32);
      auto pair = [&](const Shape& s) {
        return std::pair(empty(s, {dtype}), empty(s, {Dtype::f32}));
      };
      const auto [y, fy] = pair(shape);
      cpu::conv(x, w, y, k.o);
      cpu::conv(fx, fw, fy, k.o);
      EXPECT_EQ(numbers_in(y), numbers_in(as_dtype(fy, dtype)));
      const auto [dx, fdx] = pair(k.x);
      cpu::conv_input_gradient(dy, w, dx, k.o);
      cpu::conv_input_gradient(fdy, fw, fdx, k.o);
      EXPECT_EQ(numbers_in(dx), numbers_in(as_dtype(fdx, dtype)));
      const auto [dw, fdw] = pair(k.w);
      cpu::conv_weight_gradient(x, dy, dw, k.o);
      cpu::conv_weight_gradient(fx, fdy, fdw, k.o);
      EXPECT_EQ(numbers_in(dw), numbers_in(as_dtype(fdw, dtype)));
    }
  }
}

TEST(ConvShape, refuses_what_does_not_fit_and_says_so) {
  const Tensor x = empty({2, 3, 8, 8}), w = empty({4, 3, 3, 3});
  EXPECT_EQ(conv_shape("conv2d", x, w, {.stride = {2, 1}, .padding = {1, 0}}), (Shape{2, 4, 4, 6}));
  auto kind = [&](const Tensor& x, const Tensor& w, const ConvOptions& o) {
    try {
      conv_shape("conv2d", x, w, o);
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).rfind("conv2d: ", 0), 0u) << e.what();
      return e.kind();
    }
    return ErrorKind::internal;
  };
  EXPECT_EQ(kind(x, empty({4, 2, 3, 3}), {}), ErrorKind::shape);
  EXPECT_EQ(kind(x, empty({4, 3, 9, 3}), {}), ErrorKind::shape);
  EXPECT_EQ(kind(x, empty({4, 3, 3}), {}), ErrorKind::shape);
  EXPECT_EQ(kind(x, empty({4, 3, 3, 3}, {Dtype::f64}), {}), ErrorKind::dtype);
  EXPECT_EQ(kind(x, w, {.stride = {0, 1}}), ErrorKind::argument);
  EXPECT_EQ(kind(x, w, {.padding = {-1, 0}}), ErrorKind::argument);
  EXPECT_EQ(kind(x, w, {.groups = 3}), ErrorKind::argument);
  EXPECT_EQ(kind(x, w, {.bias = empty({3})}), ErrorKind::shape);
}

}  // namespace
}  // namespace gradus
