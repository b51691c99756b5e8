#include "gradus/kernels/matmul.h"

#include <atomic>

namespace gradus {
namespace {

std::atomic<bool> uses_tf32 = false;

}  // namespace

bool matmul_uses_tf32() { return uses_tf32.load(std::memory_order_relaxed); }
void set_matmul_uses_tf32(bool value) { uses_tf32.store(value, std::memory_order_relaxed); }

}  // namespace gradus
