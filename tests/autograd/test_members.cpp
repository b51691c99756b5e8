// A member of Tensor is its free function: the same bits, for the arguments as for their defaults.
#include <gtest/gtest.h>

#include "gradus/tests/autograd/numbers.h"

namespace gradus {
namespace {

TEST(Members, AreTheFreeFunctions) {
  const Tensor x = testing::uniform({3, 4}, 1, 0.5, 1.5), y = testing::uniform({3, 4}, 2, 0.5, 1.5);
#define EXPECT_MEMBER(call, function)            \
  {                                              \
    SCOPED_TRACE(#call);                         \
    testing::expect_same_bits(x.call, function); \
  }
  EXPECT_MEMBER(prod(), prod(x))
  EXPECT_MEMBER(var(), var(x))
  EXPECT_MEMBER(var({1}, 0, true), var(x, {1}, 0, true))
  EXPECT_MEMBER(std({0}), std(x, {0}))
  EXPECT_MEMBER(norm(), norm(x))
  EXPECT_MEMBER(norm(1, {1}), norm(x, 1, {1}))
  EXPECT_MEMBER(amax({0}), amax(x, {0}))
  EXPECT_MEMBER(amin({1}, true), amin(x, {1}, true))
  EXPECT_MEMBER(max(1).indices, max(x, 1).indices)
  EXPECT_MEMBER(min(0, true).values, min(x, 0, true).values)
  EXPECT_MEMBER(argmin(), argmin(x))
  EXPECT_MEMBER(argmin(1), argmin(x, 1))
  EXPECT_MEMBER(gt(1).all(), all(gt(x, 1)))
  EXPECT_MEMBER(gt(1).any(), any(gt(x, 1)))
  EXPECT_MEMBER(cumsum(1), cumsum(x, 1))
  EXPECT_MEMBER(softmax(0), softmax(x, 0))
  EXPECT_MEMBER(log_softmax(-1), log_softmax(x, -1))
  EXPECT_MEMBER(rsqrt(), rsqrt(x))
  EXPECT_MEMBER(neg(), neg(x))
  EXPECT_MEMBER(reciprocal(), reciprocal(x))
  EXPECT_MEMBER(sin(), sin(x))
  EXPECT_MEMBER(cos(), cos(x))
  EXPECT_MEMBER(floor(), floor(x))
  EXPECT_MEMBER(ceil(), ceil(x))
  EXPECT_MEMBER(round(), round(x))
  EXPECT_MEMBER(isnan(), isnan(x))
  EXPECT_MEMBER(clamp(0.7, 1.2), clamp(x, 0.7, 1.2))
  EXPECT_MEMBER(clamp(0.7), clamp(x, 0.7))
  EXPECT_MEMBER(eq(x), eq(x, x))
  EXPECT_MEMBER(ne(y), ne(x, y))
  EXPECT_MEMBER(lt(y), lt(x, y))
  EXPECT_MEMBER(le(y), le(x, y))
  EXPECT_MEMBER(gt(y), gt(x, y))
  EXPECT_MEMBER(ge(y), ge(x, y))
  EXPECT_MEMBER(eq(1), eq(x, 1))
  EXPECT_MEMBER(ne(1), ne(x, 1))
  EXPECT_MEMBER(lt(1), lt(x, 1))
  EXPECT_MEMBER(le(1), le(x, 1))
  EXPECT_MEMBER(ge(1), ge(x, 1))
  EXPECT_MEMBER(masked_fill(x < y, 7), masked_fill(x, x < y, 7))
  EXPECT_MEMBER(gather(1, argsort(y, 1)), gather(x, 1, argsort(y, 1)))
  EXPECT_MEMBER(index_select(0, argmax(y, 0)), index_select(x, 0, argmax(y, 0)))
  EXPECT_MEMBER(split(2, 1).at(1), split(x, 2, 1).at(1))
  EXPECT_MEMBER(chunk(3).at(2), chunk(x, 3).at(2))
#undef EXPECT_MEMBER
}

TEST(Members, AreRecorded) {
  const Tensor x = testing::leaf(testing::uniform({2, 3}, 3));
  x.softmax(1).log().sum().backward();
  const Tensor got = x.grad();
  x.zero_grad();
  sum(log(softmax(x, 1))).backward();
  testing::expect_same_bits(got, x.grad());
}

}  // namespace
}  // namespace gradus
