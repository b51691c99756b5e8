// Parts of tensors where there is little or nothing to part.
#include <gtest/gtest.h>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

std::vector<Shape> shapes(const std::vector<Tensor>& parts) {
  std::vector<Shape> out;
  for (const Tensor& t : parts) out.push_back(t.shape());
  return out;
}

TEST(Join, ChunksAreFewerWhereThereIsLessAndAllWhereThereIsNothing) {
  EXPECT_EQ(shapes(chunk(zeros({7, 2}), 3)), (std::vector<Shape>{{3, 2}, {3, 2}, {1, 2}}));
  EXPECT_EQ(shapes(chunk(zeros({4, 2}), 3)), (std::vector<Shape>{{2, 2}, {2, 2}}));
  EXPECT_EQ(shapes(chunk(zeros({1, 2}), 3)), (std::vector<Shape>{{1, 2}}));
  EXPECT_EQ(shapes(chunk(zeros({0, 2}), 3)), (std::vector<Shape>{{0, 2}, {0, 2}, {0, 2}}));
  EXPECT_EQ(shapes(split(zeros({0, 2}), 2)), (std::vector<Shape>{{0, 2}}));
  EXPECT_EQ(shapes(split(zeros({0, 2}), 0)), (std::vector<Shape>{{0, 2}}));
}

}  // namespace
}  // namespace gradus
