// Philox against the published answers, and the rules of random positions.
#include <gtest/gtest.h>

#include <thread>

#include "gradus/tensor/random.h"

namespace gradus {
namespace {

using Words = std::array<std::uint32_t, 4>;

Words philox_of(Words counter, std::uint64_t key) {
  std::uint32_t c[4][1] = {{counter[0]}, {counter[1]}, {counter[2]}, {counter[3]}};
  philox::rounds(c, key);
  return {c[0][0], c[1][0], c[2][0], c[3][0]};
}

TEST(Philox, KnownAnswers) {  // from the kat_vectors of the authors' Random123
  EXPECT_EQ(philox_of({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox_of({~0u, ~0u, ~0u, ~0u}, ~0ull),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox_of({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, CounterHoldsBlockStreamOpAndStep) {
  const Draw d{.seed = 1, .op = 7, .step = 9, .stream = Stream::augmentation, .first = 0};
  const Counter c = counter_of(d, 0x123456789abcull, true);
  EXPECT_EQ(c.word[0], 0x56789abcu);
  EXPECT_EQ(c.word[1], 0x00049234u);  // stream 4, block high 0x1234 with bit 15
  EXPECT_EQ(c.word[2], 7u);
  EXPECT_EQ(c.word[3], 9u);
}

TEST(Random, HiddenStateCountsUpFromTheSeed) {
  manual_seed(5);
  const Draw a = next_draw(Stream::user, {3}), b = next_draw(Stream::init, {3});
  EXPECT_EQ(a.seed, 5u);
  EXPECT_EQ(a.op, 0u);
  EXPECT_EQ(b.op, 1u);
  EXPECT_EQ(b.stream, Stream::init);
  const RandomState saved = random_state();
  const Draw c = next_draw(Stream::user, {3});
  set_random_state(saved);
  EXPECT_EQ(next_draw(Stream::user, {3}).op, c.op);
}

TEST(Random, ScopesNestAndAreOfTheirThread) {
  manual_seed(1);
  {
    const RandomScope outer(42, 10);
    EXPECT_EQ(next_draw(Stream::user, {}).step, 10u);
    {
      const RandomScope inner(43, 11);
      EXPECT_EQ(next_draw(Stream::user, {}).seed, 43u);
      std::uint64_t other = 0;
      std::thread([&] { other = next_draw(Stream::user, {}).seed; }).join();
      EXPECT_EQ(other, 1u);
    }
    const Draw d = next_draw(Stream::user, {});
    EXPECT_EQ(d.seed, 42u);
    EXPECT_EQ(d.op, 1u);
  }
  EXPECT_EQ(random_state().seed, 1u);
}

TEST(Random, RowsOfAChunkAreCountedInTheGlobalBatch) {
  const RandomScope scope(0, 0, 0, 6, 8, 2);  // rows 6 and 7 of 8
  EXPECT_EQ(next_draw(Stream::module, {2, 5}).first, 30);
  EXPECT_EQ(next_draw(Stream::module, {2 * 3, 5}).first, 90);  // three heads a row
  EXPECT_EQ(next_draw(Stream::module, {5, 5}).first, 0);       // not of the batch
  EXPECT_EQ(next_draw(Stream::module, {}).first, 0);
}

TEST(Random, TheBatchNeedNotBeKnownWhole) {
  const RandomScope scope(RandomState{.first_row = 6, .chunk_rows = 2});  // validation, streams
  EXPECT_EQ(next_draw(Stream::module, {2, 5}).first, 30);
  const RandomScope none(RandomState{.seed = 1});
  EXPECT_EQ(next_draw(Stream::module, {2, 5}).first, 0);
}

TEST(Random, BadRowsAreRefused) {
  EXPECT_THROW(RandomScope(0, 0, 0, 6, 8, 3), Error);
  EXPECT_THROW(RandomScope(0, 0, 0, -1, 8, 1), Error);
}

TEST(Random, EvaluationScopeMovesModulesToTheirOwnStream) {
  const RandomScope scope(RandomState{.seed = 3, .module_stream = Stream::evaluation});
  EXPECT_EQ(next_draw(Stream::module, {4}).stream, Stream::evaluation);
  EXPECT_EQ(next_draw(Stream::user, {4}).stream, Stream::user);
}

}  // namespace
}  // namespace gradus
