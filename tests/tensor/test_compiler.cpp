// What the compiler must get right and some get wrong: see cmake/flags.cmake.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace gradus {
namespace {

/// Keeps the optimizer from working out the test at compile time.
template <class T>
std::vector<T> as_stored(const std::vector<T>& v) {
  const volatile T* p = v.data();
  return std::vector<T>(p, p + v.size());
}

TEST(Compiler, ConstantsEndingInZerosAreStoredWhole) {
  EXPECT_EQ(as_stored<double>({1, 1, 0, 0})[2], 0);
  EXPECT_EQ(as_stored<float>({1, 1, 1, 1, 0, 0, 0, 0})[4], 0);
  EXPECT_EQ(as_stored<double>({1, 1, 1, 1, 0, 0, 0, 0})[4], 0);
}

}  // namespace
}  // namespace gradus
