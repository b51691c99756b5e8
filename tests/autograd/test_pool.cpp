// Pooling against its definition, for windows of all kinds; both memory orders give the same bits;
// ties, NaN, errors and threads.
#include "gradus/autograd/images.h"
#include "gradus/autograd/node.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus::testing {
namespace {

struct Windows {
  std::int64_t kernel, stride, padding, dilation;
  bool ceil;
};

/// Pooling of one row by its definition: the padded row is searched tap by tap. Two sides are one
/// after the other, which is the same for maxima.
std::vector<double> max_row_of(const std::vector<double>& x, const Windows& p) {
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<double> y;
  for (std::int64_t start = -p.padding;; start += p.stride) {
    const std::int64_t end = start + (p.kernel - 1) * p.dilation + 1;
    if (p.ceil ? start >= n : end > n + p.padding) break;
    // PyTorch's ceil adds a window only if the stride before it did not reach the end.
    if (p.ceil && end - p.stride >= n + p.padding) break;
    double best = -INFINITY;
    for (std::int64_t k = 0; k < p.kernel; ++k) {
      const std::int64_t at = start + k * p.dilation;
      if (at >= 0 && at < n) best = std::max(best, x[static_cast<std::size_t>(at)]);
    }
    y.push_back(best);
  }
  return y;
}

TEST(MaxPool, IsItsDefinitionForWindowsOfAllKinds) {
  const std::vector<double> x = values(uniform({23}, 3));
  for (std::int64_t kernel : {1, 2, 3, 5}) {
    for (std::int64_t stride : {1, 2, 3}) {
      for (std::int64_t padding = 0; padding <= kernel / 2; ++padding) {
        for (std::int64_t dilation : {1, 2}) {
          for (bool ceil : {false, true}) {
            const Windows p{kernel, stride, padding, dilation, ceil};
            const Tensor t = from_data(std::vector<float>(x.begin(), x.end()).data(), {1, 23}, {});
            SCOPED_TRACE(::testing::Message() << kernel << " " << stride << " " << padding << " "
                                              << dilation << " " << ceil);
            expect_values(max_pool1d(t, kernel, stride, padding, dilation, ceil), max_row_of(x, p),
                          0);
          }
        }
      }
    }
  }
}

TEST(MaxPool, BothSidesPoolLikeOne) {
  const Tensor x = uniform({2, 3, 9, 14}, 1);
  const Tensor rows = max_pool2d(x, {1, 3}, {1, 2}, {0, 1});
  expect_same_bits(max_pool2d(rows, {2, 1}, {2, 1}), max_pool2d(x, {2, 3}, 2, {0, 1}));
}

TEST(MaxPool, OfEqualElementsTheFirstGetsTheGradient) {
  for (const auto& [shape, kernel] : {std::pair{Shape{1, 1, 2, 2}, 2}, {Shape{1, 1, 3, 3}, 3}}) {
    const Tensor x = leaf(ones(shape));
    max_pool2d(x, kernel).backward();
    std::vector<double> expected(static_cast<std::size_t>(x.numel()));
    expected[0] = 1;
    expect_values(x.grad(), expected, 0);
  }
  // -inf everywhere is a tie too; the first existing tap is not tap 0 where padding comes first.
  const Tensor x = leaf(full({1, 4}, -INFINITY));
  max_pool1d(x, 3, 2, 1).backward(ones({1, 2}));
  expect_values(x.grad(), {1, 1, 0, 0}, 0);
  // Windows that begin one and two elements before x, beside each other.
  const Tensor z = leaf(full({1, 6}, -INFINITY));
  max_pool1d(z, 5, 1, 2).backward(tensor_of<float>({1, 10, 100, 1e3, 1e4, 1e5}, {1, 6}));
  expect_values(z.grad(), {111, 1e3, 1e4, 1e5, 0, 0}, 0);
}

TEST(MaxPool, NanWinsItsWindows) {
  const Tensor x = tensor_of<float>({1, NAN, 5, 3, 2, 9, 0, 4}, {1, 1, 2, 4});
  expect_values(max_pool2d(x, 2), {nan, 5}, 0);
  expect_values(max_pool2d(x, {1, 3}, 1), {nan, nan, 9, 9}, 0);
  expect_values(avg_pool2d(x, 2), {nan, 3}, 0);
}

TEST(AvgPool, CountsPaddingAsPyTorchDoes) {
  const Tensor x = tensor_of<float>({1, 2, 3, 4, 5}, {1, 5});
  expect_values(avg_pool1d(x, 2), {1.5, 3.5}, 0);
  expect_values(avg_pool1d(x, 2, 2, 0, true), {1.5, 3.5, 5}, 0);
  expect_values(avg_pool1d(x, 3, 2, 1), {1, 3, 3}, 0);
  expect_values(avg_pool1d(x, 3, 2, 1, false, false), {1.5, 3, 4.5}, 0);
  expect_values(avg_pool1d(x, 4, 3, 1, true), {1.5, 3}, 0);
  const Tensor square = tensor_of<float>({1, 2, 3, 4}, {1, 2, 2});
  expect_values(avg_pool2d(square, 2, 2, 0, false, true, 5), {2}, 0);
  expect_values(adaptive_avg_pool1d(x, 3), {1.5, 3, 4.5}, 0);
  expect_values(adaptive_avg_pool2d(square, 1), {2.5}, 0);
  expect_values(adaptive_max_pool2d(square, {2, 1}), {2, 4}, 0);
}

TEST(Pool, ChannelsLastGivesTheSameBitsAndStrides) {
  using T = const Tensor&;
  const std::vector<std::function<Tensor(T)>> pools{
      [](T x) { return max_pool2d(x, 2); },
      [](T x) { return max_pool2d(x, 3, 2, 1); },
      [](T x) { return max_pool2d(x, 3, 1, 1); },
      [](T x) { return avg_pool2d(x, 2); },
      [](T x) { return avg_pool2d(x, 3, 2, 1, true); },
      [](T x) { return avg_pool2d(x, 3, 1, 1, false, false); },
      [](T x) {
        return adaptive_avg_pool2d(x, {5, 3});
      },
      [](T x) {
        return adaptive_max_pool2d(x, {5, 3});
      },
  };
  for (Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16}) {
    const Tensor rows = leaf(uniform({3, 300, 8, 10}, 2, -2, 2, dtype));
    const Tensor home = empty_images(rows.shape(), rows.options(), true);
    copy_into(rows.detach(), home);
    home.set_requires_grad(true);
    for (std::size_t i = 0; i < pools.size(); ++i) {
      SCOPED_TRACE(i);
      const Tensor y = pools[i](rows), z = pools[i](home);
      EXPECT_TRUE(is_channels_last(z));
      expect_same_bits(y, z);
      const Tensor dy = uniform(y.shape(), 3, -2, 2, dtype);
      rows.zero_grad();
      home.zero_grad();
      y.backward(dy);
      z.backward(dy);
      expect_same_bits(rows.grad(), home.grad());
    }
  }
}

TEST(Pool, BitsDoNotDependOnThreads) {
  const Tensor x = uniform({16, 8, 30, 30}, 1);
  expect_same_for_all_threads([&] {
    const Tensor a = leaf(x), b = leaf(x), c = leaf(x);
    const Tensor u = max_pool2d(a, 2), v = max_pool2d(b, 3, 2, 1), w = avg_pool2d(c, 3, 1, 1);
    u.backward(uniform(u.shape(), 4));
    v.backward(uniform(v.shape(), 5));
    w.backward(uniform(w.shape(), 6));
    return std::vector<Tensor>{u, v, w, a.grad(), b.grad(), c.grad()};
  });
}

TEST(Pool, EmptyBatchesAndLargeWindows) {
  EXPECT_EQ(max_pool2d(zeros({0, 3, 4, 4}), 2).shape(), Shape({0, 3, 2, 2}));
  const Tensor x = leaf(zeros({0, 3, 4, 4}));
  avg_pool2d(x, 2).backward(zeros({0, 3, 2, 2}));
  EXPECT_EQ(x.grad().shape(), Shape({0, 3, 4, 4}));
  // More taps than a byte can count.
  const Tensor wide = leaf(uniform({1, 1, 20, 20}, 9));
  const Tensor y = max_pool2d(wide, 20);
  y.backward();
  const std::vector<double> v = values(wide), g = values(wide.grad());
  for (std::size_t i = 0; i < v.size(); ++i) EXPECT_EQ(g[i], v[i] == values(y)[0] ? 1 : 0);
}

TEST(Pool, SizesEndAtTheLargestInt32) {
  constexpr std::int64_t most = INT32_MAX;
  const Tensor x = uniform({2, 7}, 5);
  EXPECT_EQ(values(max_pool1d(x, 1, 1, 0, most)), values(x));  // one tap reaches nowhere
  EXPECT_EQ(values(max_pool1d(x, 1, most)), values(x.slice(1, 0, 1)));
  const std::string said = "end at 2147483647";
  expect_error(ErrorKind::shape, {"window of 2147483647"}, [&] { max_pool1d(x, most, 1); });
  expect_error(ErrorKind::argument, {said}, [&] { max_pool1d(x, most + 1, 1); });
  expect_error(ErrorKind::argument, {said}, [&] { max_pool1d(x, 1, most + 1); });
  expect_error(ErrorKind::argument, {said}, [&] { max_pool1d(x, 1, 1, most + 1); });
  expect_error(ErrorKind::argument, {said}, [&] { max_pool1d(x, 1, 1, 0, most + 1); });
}

TEST(AdaptivePool, ASideMayStayAsItIs) {
  const Tensor x = uniform({2, 3, 4, 5}, 8);
  expect_same_bits(adaptive_avg_pool2d(x, {std::nullopt, 2}), adaptive_avg_pool2d(x, {4, 2}));
  expect_same_bits(adaptive_max_pool2d(x, {3, std::nullopt}), adaptive_max_pool2d(x, {3, 5}));
  expect_same_bits(adaptive_max_pool2d(x, {std::nullopt, std::nullopt}), x);
}

TEST(MaxUnpool, TheSizeFollowsFromTheWindows) {
  const auto [y, places] = max_pool2d_with_indices(uniform({1, 2, 4, 6}, 5), {2, 3}, 0, {1, 0});
  EXPECT_EQ(max_unpool2d(y, places, {2, 3}, 0, {1, 0}).shape(), Shape({1, 2, 4, 6}));
  EXPECT_EQ(max_unpool2d(y, places, {2, 3}, 0, {1, 0}, Pair(5, 6)).shape(), Shape({1, 2, 5, 6}));
  const auto [line, at] = max_pool1d_with_indices(uniform({2, 7}, 5), 3, 2);
  EXPECT_EQ(max_unpool1d(line, at, 3, 2).shape(), Shape({2, 7}));
  expect_error(ErrorKind::shape, {"max_unpool1d", "i64 indices", "(2, 3)"},
               [&, &line = line, &at = at] { max_unpool1d(line, at.narrow(1, 0, 2), 3, 2); });
  expect_error(ErrorKind::argument, {"scatter", "6"},
               [&, &line = line, &at = at] { max_unpool1d(line, at + 5, 3, 2, 0, 6); });
}

TEST(Pool, ErrorsSayWhatDoesNotFit) {
  const Tensor x = zeros({1, 1, 4, 4});
  expect_error(ErrorKind::shape, {"max_pool2d", "(4, 4)"}, [] { max_pool2d(zeros({4, 4}), 2); });
  expect_error(ErrorKind::shape, {"max_pool2d", "window of 5", "input of 4"},
               [&] { max_pool2d(x, 5); });
  expect_error(ErrorKind::argument, {"avg_pool2d", "padding 2"}, [&] { avg_pool2d(x, 2, 1, 2); });
  expect_error(ErrorKind::argument, {"max_pool2d", "positive"}, [&] { max_pool2d(x, {0, 2}); });
  expect_error(ErrorKind::shape, {"adaptive_avg_pool2d", "0"}, [&] {
    adaptive_avg_pool2d(x, {0, 1});
  });
  expect_error(ErrorKind::shape, {"max_pool2d", "(1, 0, 4, 4)", "no channels"}, [] {
    max_pool2d(zeros({1, 0, 4, 4}), 2);
  });
  expect_error(ErrorKind::shape, {"max_pool1d", "no channels"}, [] {
    max_pool1d(zeros({0, 4}), 2);
  });
}

}  // namespace
}  // namespace gradus::testing
