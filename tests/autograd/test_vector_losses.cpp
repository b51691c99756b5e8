// Binary cross-entropy, losses of vectors, angles, and resized images: PyTorch's values, errors and
// special values.
#include "gradus/tests/autograd/numbers.h"

namespace gradus::testing {
namespace {

Tensor doubles(const std::vector<double>& v, const Shape& shape) { return tensor_of(v, shape); }

TEST(Bce, ValuesAreThoseOfPyTorch) {
  const Tensor t = doubles({0, 1, 0.5, 0.25, 1, 0.75}, {6}),
               w = doubles({1, 2, 3, 0.5, 0.25, 1}, {6});
  const Tensor x = doubles({-2, -0.5, 0, 0.25, 1.5, 3}, {6}),
               pw = doubles({3, 0.5, 1, 2, 4, 1.5}, {6});
  const std::vector<double> expected{0.126928011043, 0.97407698418,  2.07944154168,
                                     0.453712137424, 0.201413277983, 0.816807608414};
  expect_values(bce_with_logits(x, t, w, "none", pw), expected, 1e-11);
  double sum = 0;
  for (double v : expected) sum += v;
  expect_values(bce_with_logits(x, t, w, "sum", pw), {sum}, 1e-11);
  expect_values(bce_with_logits(x, t, w, "mean", pw), {sum / 6}, 1e-11);
  const Tensor p = doubles({0, 0.1, 0.5, 1, 0.75, 1}, {6});
  expect_values(bce(p, t, w, "none"), {0, 4.60517018599, 2.07944154168, 37.5, 0.0719205181129, 25},
                1e-11);
}

TEST(Bce, LogitsOfAnySizeStayFinite) {
  const Tensor x = leaf(floats({-1e30f, -100, 0, 100, 1e30f})), t = floats({0, 1, 0.5, 1, 0});
  expect_values(bce_with_logits(x, t, {}, "none"), {0, 100, std::log(2.0), 0, 1e30f}, 1e-6);
  bce_with_logits(x, t, {}, "sum").backward();
  expect_values(x.grad(), {0, -1, 0, 0, 1}, 1e-7);
}

TEST(Bce, ProbabilitiesOutsideTheUnitIntervalAreErrorsAndNanIsNot) {
  const Tensor t = floats({0, 1});
  expect_error(ErrorKind::argument, {"bce", "[0, 1]", "element 1", "1.5", "bce_with_logits"}, [&] {
    bce(floats({0, 1.5f}), t);
  });
  expect_error(ErrorKind::argument, {"bce", "-0.25"}, [&] { bce(floats({-0.25f, 1}), t); });
  expect_values(bce(floats({NAN, 1}), t, {}, "none"), {nan, 0}, 1e-6);
  expect_error(ErrorKind::shape, {"bce", "(2)", "(1)"}, [&] { bce(t, floats({1})); });
}

TEST(VectorLoss, ValuesAreThoseOfPyTorch) {
  const Tensor a = doubles({1, 2, 2, 0, 3, -4, 0, 0, 0}, {3, 3});
  const Tensor b = doubles({2, -1, 0, 0, 6, -8, 1, 0, 0}, {3, 3});
  expect_values(cosine_embedding_loss(a, b, indices({-1, 1, -1}), -0.25, "none"),
                {0.25, 2.48689957516e-14, 0.25}, 1e-13);
  const Tensor flipped = b.detach().clone();
  flipped.select(0, 0).copy_(b.select(0, 2));
  flipped.select(0, 2).copy_(b.select(0, 0));
  expect_values(triplet_margin_loss(a, b, flipped, 2, 2, 1e-6, false, "none"),
                {2.91322991686, 2, 0.763931469714}, 1e-11);
  expect_values(triplet_margin_loss(a, b, flipped, 2, 2, 1e-6, true, "none"),
                {4.32744489345, 6.99999846795, 1.58578543763}, 1e-11);
  const double third = 1.0 / 3;
  expect_values(normalize(a), {third, 2 * third, 2 * third, 0, 0.6, -0.8, 0, 0, 0}, 1e-15);
  expect_values(cosine_similarity(a, b), {0, 1, 0}, 1e-15);
}

TEST(VectorLoss, ZeroVectorsHaveFiniteGradients) {
  const Tensor x = leaf(zeros({2, 3})), y = leaf(uniform({2, 3}, 1));
  sum(normalize(x)).backward();
  sum(cosine_similarity(x, y)).backward();
  for (double g : values(x.grad())) EXPECT_TRUE(std::isfinite(g));
  for (double g : values(y.grad())) EXPECT_EQ(g, 0);
}

TEST(VectorLoss, ErrorsSayWhatDoesNotFit) {
  expect_error(ErrorKind::shape, {"cosine_embedding_loss", "(2, 3)", "(2, 2)"}, [] {
    cosine_embedding_loss(zeros({2, 3}), zeros({2, 3}), zeros({2, 2}));
  });
  expect_error(ErrorKind::argument, {"triplet_margin_loss", "margin"},
               [] { triplet_margin_loss(zeros({3}), zeros({3}), zeros({3}), 0); });
}

TEST(Interpolate, ValuesAreThoseOfPyTorch) {
  const Tensor x = doubles({0, 1, 4, 9, 16, 25}, {1, 1, 2, 3});
  const std::vector<double> near{0, 0, 1, 1, 4, 0, 0, 1, 1, 4, 9, 9, 16, 16, 25};
  expect_values(interpolate(x, Pair(3, 5)), near, 0);
  expect_values(interpolate(x, {}, 1.7), near, 0);
  expect_values(interpolate(x, {}, 1.5, "bilinear"),
                {0, 0.5, 1.5, 3.5, 4.5, 6.5, 9.5, 13.5, 9, 12.5, 17.5, 23.5}, 1e-14);
  expect_values(interpolate(x, Pair(3, 2), {}, "bilinear", true), {0, 4, 4.5, 14.5, 9, 25}, 1e-14);
}

TEST(Interpolate, ErrorsSayWhatDoesNotFit) {
  const Tensor x = zeros({1, 1, 2, 2});
  expect_error(ErrorKind::argument, {"interpolate", "one of the two"}, [&] { interpolate(x, {}); });
  expect_error(ErrorKind::argument, {"interpolate", "cubic"},
               [&] { interpolate(x, Pair(2), {}, "cubic"); });
  expect_error(ErrorKind::shape, {"interpolate", "(2, 2)"}, [] {
    interpolate(zeros({2, 2}), Pair(2));
  });
  expect_error(ErrorKind::argument, {"interpolate", "expected 2 sizes", "got 3"},
               [&] { interpolate(x, Triple(2)); });
  expect_error(ErrorKind::shape, {"interpolate", "(1, 1, 2)"}, [] {
    interpolate(zeros({1, 1, 2}), 2, {}, "bilinear");
  });
  expect_error(ErrorKind::shape, {"interpolate", "into 0 along dimension 2"},
               [&] { interpolate(x, Pair(0, 3)); });
}

TEST(PixelShuffle, TilesChannels) {
  const Tensor x = floats({0, 1, 2, 3, 4, 5, 6, 7}).reshape({1, 4, 1, 2});
  expect_values(pixel_shuffle(x, 2), {0, 2, 1, 3, 4, 6, 5, 7}, 0);
  EXPECT_EQ(pixel_shuffle(zeros({8, 2, 3}), 2).shape(), Shape({2, 4, 6}));
  expect_error(ErrorKind::shape, {"pixel_shuffle", "3 channels", "4"}, [] {
    pixel_shuffle(zeros({3, 2, 2}), 2);
  });
}

}  // namespace
}  // namespace gradus::testing
