// Small tensors share one block of memory with their storage and data (tensor/block.h): whoever of
// body, storage and view goes last, the block goes once and not before.
#include <gtest/gtest.h>

#include "gradus/autograd/functions.h"
#include "gradus/tensor/allocator.h"

namespace gradus {
namespace {

/// Bytes of a scope in use after `f`, whose tensors must all be gone then.
template <class F>
void inside_scope(F&& f) {
  alignas(64) static char buffer[1 << 16];
  MemoryScope scope(buffer, sizeof buffer);
  f();
  EXPECT_TRUE(scope.empty());
}

TEST(Block, ATensorOfAFewElementsIsOneBlock) {
  inside_scope([] {
    alignas(64) static char inner[4096];
    MemoryScope scope(inner, sizeof inner);
    const Tensor t = full({8, 8}, 3);
    const std::size_t body_storage_and_data = sizeof(TensorBody) + sizeof(Storage) + 256;
    EXPECT_LE(scope.peak(), body_storage_and_data + 63);
  });
}

TEST(Block, AViewOutlivesTheTensorItWasMadeFrom) {
  inside_scope([] {
    Tensor view;
    {
      const Tensor t = full({4, 4}, 2);
      view = t.select(0, 3);
    }
    const Tensor other = full({4, 4}, 7);  // takes the block's place if it went too early
    EXPECT_EQ(view.to_vector<float>(), std::vector<float>(4, 2.0f));
  });
}

TEST(Block, SetDataKeepsTheBodyWhereItLies) {
  inside_scope([] {
    const Tensor t = full({3}, 1);
    const Tensor old = t.detach();
    t.set_data(full({5}, 2));
    t.set_data(full({2000}, 3));  // beyond a block
    const Tensor filler = full({3}, 9);
    EXPECT_EQ(t.numel(), 2000);
    EXPECT_EQ(t.to_vector<float>()[1999], 3.0f);
    EXPECT_EQ(old.to_vector<float>(), std::vector<float>(3, 1.0f));
    t.set_data(old);  // back to the first storage
    EXPECT_EQ(t.to_vector<float>(), std::vector<float>(3, 1.0f));
  });
}

TEST(Block, SetDataOfATensorWhoseBlockNobodyElseKnows) {
  inside_scope([] {
    Tensor t = full({3}, 1);
    t.set_data(full({4}, 2));
    EXPECT_EQ(t.to_vector<float>(), std::vector<float>(4, 2.0f));
    t = Tensor();
  });
}

TEST(Block, SizesAroundTheLimitGoAsTheyCame) {
  inside_scope([] {
    for (const std::int64_t n : {0, 1, 15, 16, 17, 1023, 1024, 1025, 1040}) {
      const Tensor t = full({n}, 1), turned = empty_like(full({2, n}, 1).t());
      EXPECT_EQ(t.numel(), n);
      EXPECT_EQ(turned.numel(), 2 * n);
    }
  });
}

}  // namespace
}  // namespace gradus
