// What embedding promises beyond its gradient: order, padding, splits, errors, threads.
#include "gradus/autograd/node.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus::testing {
namespace {

TEST(Embedding, TakesRowsAndSumsTheirGradients) {
  const Tensor w = leaf(tensor_of<float>({1, 2, 3, 4, 5, 6}, {3, 2}));
  const Tensor y = embedding(tensor_of<std::int64_t>({2, 0, 2, 2}, {2, 2}), w);
  EXPECT_EQ(y.shape(), Shape({2, 2, 2}));
  expect_values(y, {5, 6, 1, 2, 5, 6, 5, 6}, 0);
  y.backward(tensor_of<float>({1, 10, 2, 20, 3, 30, 4, 40}, {2, 2, 2}));
  expect_values(w.grad(), {2, 20, 0, 0, 8, 80}, 0);
}

TEST(Embedding, ThePaddingRowGetsNoGradient) {
  for (std::int64_t padding : {1, -2}) {
    const Tensor w = leaf(ones({3, 2}));
    embedding(indices({0, 1, 1, 2}), w, padding).backward(ones({4, 2}));
    expect_values(w.grad(), {1, 1, 0, 0, 1, 1}, 0);
  }
}

TEST(Embedding, SplitBatchesAndThreadsGiveTheSameBits) {
  std::vector<std::int64_t> at(3000);
  for (std::size_t i = 0; i < at.size(); ++i) at[i] = static_cast<std::int64_t>(i * i % 17);
  const Tensor index = indices(at);
  for (Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    const Tensor table = uniform({17, 96}, 1, -1, 1, dtype),
                 dy = uniform({3000, 96}, 2, -1, 1, dtype);
    const auto gradient = [&](std::int64_t split) {
      const Tensor w = leaf(table);
      for (std::int64_t begin = 0; begin < 3000; begin += split) {
        const std::int64_t end = std::min<std::int64_t>(3000, begin + split);
        embedding(index.slice(0, begin, end), w).backward(dy.slice(0, begin, end));
      }
      return w.grad();
    };
    expect_same_for_all_threads([&] { return std::vector<Tensor>{gradient(3000)}; });
    if (dtype == Dtype::f32) expect_same_bits(gradient(3000), gradient(700));
  }
}

TEST(Embedding, HalfGradientsAreSummedInFloat) {
  // In bf16 1 + 1/256 is 1: a chain of such additions would not move.
  const Tensor w = leaf(zeros({1, 1}, {Dtype::bf16}));
  Tensor dy = full({129, 1}, 1.0 / 256, {Dtype::bf16});
  dy.select(0, 0).fill_(1);
  embedding(zeros({129}, {Dtype::i64}), w).backward(dy);
  expect_values(w.grad(), {1.5}, 0);
}

TEST(Embedding, EmptyTablesAndErrors) {
  const Tensor w = leaf(ones({3, 2}));
  embedding(zeros({0}, {Dtype::i64}), w).backward(zeros({0, 2}));
  expect_values(w.grad(), {0, 0, 0, 0, 0, 0}, 0);
  for (std::int64_t bad : {3L, -1L}) {
    expect_error(ErrorKind::argument, {"embedding", std::to_string(bad), "place 1", "3 rows"}, [&] {
      embedding(indices({0, bad}), w);
    });
  }
  expect_error(ErrorKind::dtype, {"embedding", "f32"}, [&] { embedding(ones({2}), w); });
  expect_error(ErrorKind::shape, {"embedding", "(4)"}, [] { embedding(indices({0}), ones({4})); });
  expect_error(ErrorKind::argument, {"embedding", "padding_idx 3"},
               [&] { embedding(indices({0}), w, 3); });
}

}  // namespace
}  // namespace gradus::testing
