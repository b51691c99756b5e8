// What cuDNN is asked for is the convolution that was meant: functions of our own stand in its
// place and do on the host what its documentation says of their arguments, and of nothing else.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/dnn_convolution.h"
#include "gradus/kernels/random.h"
#include "gradus/tests/cuda/fake_cudnn.h"

namespace gradus::cuda {
namespace {

using namespace fake_cudnn;

Tensor values(const Shape& shape, std::uint64_t seed, Dtype dtype = Dtype::f64) {
  const Tensor t = empty(shape, {Dtype::f64});
  cpu::normal({.seed = seed}, 0, 1, t);
  return as_dtype(t, dtype);
}

/// The same values, channels last.
Tensor channels_last(const Tensor& t) {
  std::vector<int> there = {0}, back = {0, t.dim() - 1};
  for (int d = 2; d < t.dim(); ++d) {
    there.push_back(d);
    back.push_back(d - 1);
  }
  there.push_back(1);
  return as_contiguous(t.permute(there)).permute(back);
}

struct Case {
  const char* name;
  Shape x, w;
  ConvOptions options;
};

std::vector<Case> cases() {
  return {
      {"1 to 1", {2, 3, 5, 5}, {4, 3, 1, 1}, {}},
      {"padding", {2, 3, 6, 5}, {4, 3, 3, 2}, {.padding = {1, 2}}},
      {"all of it",
       {2, 4, 9, 8},
       {6, 2, 3, 2},
       {.stride = {2, 3}, .padding = {2, 1}, .dilation = {1, 2}, .groups = 2}},
      {"each channel", {1, 4, 6, 6}, {4, 1, 3, 3}, {.padding = {1, 1}, .groups = 4}},
      {"1 dimension", {2, 3, 11}, {5, 3, 4}, {.stride = {2}, .padding = {3}, .dilation = {2}}},
      {"3 dimensions",
       {2, 2, 4, 5, 6},
       {3, 2, 2, 3, 2},
       {.stride = {1, 2, 1}, .padding = {0, 1, 2}, .dilation = {2, 1, 1}}},
  };
}

class DnnConvolution : public ::testing::Test {
 protected:
  void SetUp() override { fake = FakeCudnn(); }
  bool run(dnn::Pass pass, const dnn::Problem& p, const Tensor& a, const Tensor& b,
           const Tensor& to, double alpha = 1, double beta = 0) {
    return convolutions.run(pass, p, a.data(), b.data(), to.data(), alpha, beta, stream,
                            [&](std::size_t bytes) {
                              room = empty({static_cast<std::int64_t>(bytes)}, {Dtype::u8});
                              return room;
                            });
  }
  dnn::Api api = fake_api();
  dnn::Convolutions convolutions{api};
  int place = 0;
  void* const stream = &place;
  Tensor room;
};

void expect_close(const Tensor& got, const Tensor& expected, const std::string& what) {
  const std::vector<double> a = got.to_vector<double>(), b = expected.to_vector<double>();
  ASSERT_EQ(a.size(), b.size());
  const double bound = got.dtype() == Dtype::f64 ? 1e-12 : 1e-4;
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], bound) << what << ", " << i;
}

TEST_F(DnnConvolution, AllThreePassesAreTheContracts) {
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    for (const Case& c : cases()) {
      for (const bool last : {false, true}) {
        const auto laid = [&](const Tensor& t) { return last ? channels_last(t) : t; };
        const std::string what = std::string(c.name) + (last ? ", channels last" : "");
        const Tensor x = laid(values(c.x, 1, dtype)), w = laid(values(c.w, 2, dtype));
        const Shape shape = conv_shape("test", x, w, c.options);
        const Tensor dy = laid(values(shape, 3, dtype)), bias = values({shape[1]}, 4, dtype);
        const Tensor y = empty_like(dy), expected = empty_like(dy);
        const auto p = dnn::as_problem(x, w, y, c.options, false);
        ASSERT_TRUE(p.has_value()) << what;

        copy_into(dnn::each_channel(bias, shape), y);
        ASSERT_TRUE(run(dnn::Pass::forward, *p, x, w, y, 1, 1));
        ConvOptions with_bias = c.options;
        with_bias.bias = bias;
        cpu::conv(x, w, expected, with_bias);
        expect_close(y, expected, what);

        const Tensor dx = empty_like(x), expected_dx = empty_like(x);
        ASSERT_TRUE(run(dnn::Pass::input_gradient, *p, w, dy, dx));
        cpu::conv_input_gradient(dy, w, expected_dx, c.options);
        expect_close(dx, expected_dx, what + ", dx");

        const Tensor dw = laid(values(c.w, 5, dtype)), expected_dw = dw.clone();
        ASSERT_TRUE(run(dnn::Pass::weight_gradient, *p, x, dy, dw, -0.5, 1));
        cpu::conv_weight_gradient(x, dy, expected_dw, c.options, true, -0.5);
        expect_close(dw, expected_dw, what + ", dw");
        EXPECT_EQ(fake.last_convolution->mode, dnn::cross_correlation);
      }
    }
  }
}

TEST_F(DnnConvolution, AlgorithmsAreDeterministicAndPlannedOnce) {
  const Tensor x = values({2, 3, 6, 6}, 1), w = values({4, 3, 3, 3}, 2),
               y = values({2, 4, 4, 4}, 3);
  const auto p = dnn::as_problem(x, w, y, {}, false);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(run(dnn::Pass::forward, *p, x, w, y));
    EXPECT_EQ(fake.got, 48u);
    EXPECT_EQ(fake.workspace, room.data());
    ASSERT_TRUE(run(dnn::Pass::input_gradient, *p, w, y, empty_like(x)));
    ASSERT_TRUE(run(dnn::Pass::weight_gradient, *p, x, y, empty_like(w)));
  }
  EXPECT_EQ(fake.calls, "forward1 input1 weight1 forward1 input1 weight1 ");
  EXPECT_EQ(fake.descriptors.size(), 12u) << "four for each plan, made once";
  EXPECT_EQ(fake.stream, stream);
}

TEST_F(DnnConvolution, WhatTheLibraryDoesNotKnowIsDeclined) {
  const Tensor x = values({2, 3, 6, 6}, 1), w = values({4, 3, 3, 3}, 2),
               y = values({2, 4, 4, 4}, 3);
  const auto p = dnn::as_problem(x, w, y, {}, false);
  fake.known = dnn::forward_implicit_gemm;  // the second choice
  EXPECT_TRUE(run(dnn::Pass::forward, *p, x, w, y));
  EXPECT_EQ(fake.calls, "forward0 ");
  EXPECT_FALSE(run(dnn::Pass::weight_gradient, *p, x, y, empty_like(w)));
  EXPECT_FALSE(run(dnn::Pass::weight_gradient, *p, x, y, empty_like(w))) << "and remembered";
  EXPECT_EQ(fake.calls, "forward0 ");

  const auto fresh = [&] {
    fake = FakeCudnn();
    return std::make_unique<dnn::Convolutions>(api);
  };
  const auto forward = [&](dnn::Convolutions& all) {
    return all.run(dnn::Pass::forward, *p, x.data(), w.data(), y.data(), 1, 0, nullptr,
                   [](std::size_t n) { return empty({std::int64_t(n)}, {Dtype::u8}); });
  };
  auto greedy = fresh();
  fake.needs = dnn::Convolutions::most_workspace + 1;
  EXPECT_FALSE(forward(*greedy));
  auto late = fresh();
  fake.run = dnn::not_supported;  // planned, and refused all the same
  EXPECT_FALSE(forward(*late));
  fake.run = dnn::success;
  EXPECT_FALSE(forward(*late)) << "the same bits as the first time";
  auto broken = fresh();
  fake.run = 5000;
  try {
    forward(*broken);
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::device);
    EXPECT_STREQ(e.what(), "cuda: cudnnConvolution: CUDNN_STATUS_OF_A_TEST");
  }
  auto absent = fresh();
  fake.create = 1000;
  EXPECT_THROW(forward(*absent), Error);
}

TEST_F(DnnConvolution, TypesAndMathAreThoseOfTheTensors) {
  struct Expected {
    Dtype dtype;
    bool tf32;
    int type, math;
  };
  for (const Expected& e : {Expected{Dtype::f32, false, dnn::data_float, dnn::fma_math},
                            Expected{Dtype::f32, true, dnn::data_float, dnn::default_math},
                            Expected{Dtype::f64, false, dnn::data_double, dnn::default_math},
                            Expected{Dtype::f16, false, dnn::data_half, dnn::tensor_op_math},
                            Expected{Dtype::bf16, true, dnn::data_bfloat16, dnn::default_math}}) {
    const Tensor x = values({2, 3, 6, 6}, 1, e.dtype), w = values({4, 3, 3, 3}, 2, e.dtype);
    const Tensor y = empty({2, 4, 4, 4}, {e.dtype});
    const auto p = dnn::as_problem(x, w, y, {}, e.tf32);
    ASSERT_TRUE(p.has_value());
    EXPECT_EQ(p->type, e.type);
    ASSERT_TRUE(run(dnn::Pass::forward, *p, x, w, y));
    EXPECT_EQ(fake.last_convolution->math, e.math);
    const bool wide = e.dtype == Dtype::f64;
    EXPECT_EQ(fake.last_convolution->compute, wide ? dnn::data_double : dnn::data_float);
  }
}

TEST_F(DnnConvolution, WhatDoesNotFitIsLeftToOurKernels) {
  const Tensor x = values({2, 3, 6, 6}, 1), w = values({4, 3, 3, 3}, 2),
               y = values({2, 4, 4, 4}, 3);
  const auto takes = [](const Tensor& a, const Tensor& b, const Tensor& c) {
    return dnn::as_problem(a, b, c, {}, false).has_value();
  };
  EXPECT_TRUE(takes(x, w, y));
  EXPECT_FALSE(takes(channels_last(x), w, y));
  EXPECT_FALSE(takes(x, w, channels_last(y)));
  EXPECT_FALSE(takes(values({2, 3, 6, 12}, 1).slice(3, 0, 6), w, y)) << "gaps";
  EXPECT_FALSE(takes(as_dtype(x, Dtype::bf16), as_dtype(w, Dtype::bf16), y)) << "two types";
  EXPECT_FALSE(takes(values({217}, 1).slice(0, 1, 217).view({2, 3, 6, 6}), w, y)) << "8 bytes off";
  EXPECT_FALSE(takes(empty({0, 3, 6, 6}, {Dtype::f64}), w, empty({0, 4, 4, 4}, {Dtype::f64})));
  // A weight is copied into the layout of its images.
  const Tensor moved = dnn::as_laid_out(w, channels_last(x), channels_last(y));
  EXPECT_TRUE(takes(channels_last(x), moved, channels_last(y)));
  EXPECT_EQ(moved.to_vector<double>(), w.to_vector<double>());
  EXPECT_EQ(dnn::as_laid_out(w, x, y).data(), w.data());
}

}  // namespace
}  // namespace gradus::cuda
