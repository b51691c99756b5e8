// Inputs that must be refused though all but one part of a condition holds, and the memory format
// of results: what no value of a right call shows.
#include <gtest/gtest.h>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/images.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus {
namespace {

using testing::expect_error;

Tensor index_of(const std::vector<std::int64_t>& v, const Shape& shape) {
  return from_data(v.data(), shape, {Dtype::i64});
}

TEST(Refusals, SourcesOfScatterThatDoNotCoverTheIndex) {
  const Tensor x = ones({3, 3}), index = index_of({0, 1, 2, 0}, {2, 2});
  for (const Shape& small : {Shape{1, 2}, Shape{2, 1}}) {
    for (int dim : {0, 1}) {
      expect_error(ErrorKind::shape, {"scatter_add", "src"},
                   [&] { scatter_add(x, dim, index, ones(small)); });
      expect_error(ErrorKind::shape, {"scatter", "src"},
                   [&] { scatter(x, dim, index, ones(small)); });
    }
  }
}

TEST(Refusals, PadsThatNameNoDimension) {
  const Tensor x = ones({2, 3});
  for (const char* mode : {"constant", "reflect", "replicate", "circular"}) {
    expect_error(ErrorKind::argument, {"pad", "3 pads"}, [&] { pad(x, {1, 1, 1}, mode); });
    expect_error(ErrorKind::argument, {"pad", "6 pads"}, [&] { pad(x, {1, 1, 1, 1, 1, 1}, mode); });
  }
}

TEST(Refusals, WeightsOfPreluThatFitNoChannel) {
  expect_error(ErrorKind::shape, {"prelu", "(2)"}, [] { prelu(ones({2, 3}), ones({2})); });
  expect_error(ErrorKind::shape, {"prelu", "(3, 1)"}, [] { prelu(ones({2, 3}), ones({3, 1})); });
  EXPECT_EQ(prelu(ones({2, 3}), ones({3})).shape(), (Shape{2, 3}));
}

TEST(Refusals, DtypesOfLinearThatDiffer) {
  const Tensor x = ones({2, 3}), w = ones({4, 3});
  expect_error(ErrorKind::dtype, {"linear", "f64"}, [&] {
    linear(x, ones({4, 3}, {Dtype::f64}), ones({4}));
  });
  expect_error(ErrorKind::dtype, {"linear", "f64"}, [&] { linear(x, w, ones({4}, {Dtype::f64})); });
  expect_error(ErrorKind::dtype, {"linear"}, [&] { linear(x, ones({4, 3}, {Dtype::f64}), {}); });
}

/// The same values, channels running fastest.
Tensor last(const Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2}); }

TEST(MemoryFormats, ConvolutionsKeepChannelsLast) {
  const Tensor x = testing::uniform({2, 3, 4, 5}, 1), w = testing::uniform({3, 2, 3, 3}, 2),
               v = testing::uniform({2, 3, 3, 3}, 3);
  for (const bool is_last : {false, true}) {
    const Tensor in = is_last ? last(x) : x;
    EXPECT_EQ(is_channels_last(conv2d(in, v, {})), is_last);
    EXPECT_EQ(is_channels_last(conv_transpose2d(in, w, {})), is_last);
  }
  // (C, L) turned round is no batch of images.
  const Tensor turned = testing::uniform({2, 5, 3}, 4).transpose(1, 2);
  EXPECT_TRUE(conv_transpose1d(turned, testing::uniform({3, 2, 3}, 5), {}).is_contiguous());
}

}  // namespace
}  // namespace gradus
