#include "gradus/autograd/autocast.h"

#include <mutex>
#include <utility>

#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

constinit thread_local Dtype lowered = Dtype::f32;

/// Shadows are made by whichever thread comes first; tensors may be read by many.
constinit std::mutex shadows;

/// The storage's memory as one row of f32.
Tensor all_of(const Tensor& t) {
  const auto n = static_cast<std::int64_t>(t.raw()->storage->bytes / sizeof(float));
  return as_view(t, {n}, {1}, 0);
}

Tensor with_storage(const Tensor& t, Storage* storage, Dtype dtype) {
  Tensor low = t.detach();
  low.raw()->storage = Ref<Storage>::share(storage);
  low.raw()->dtype = dtype;
  return low;
}

/// New memory for the shadow, from where the storage's own came: they go together.
Ref<Storage> make_shadow(const Storage& storage, Dtype dtype) {
  Allocator* const before = exchange_thread_allocator(storage.self);
  try {
    Ref<Storage> shadow = make_storage(storage.bytes / 2, storage.device);
    exchange_thread_allocator(before);
    shadow->shadow_dtype = dtype;
    return shadow;
  } catch (...) {
    exchange_thread_allocator(before);
    throw;
  }
}

/// Weights, and what is cut from one block (queries, keys and values of one product), are worth a
/// shadow of all of it. Others are read once; and not everyone who writes a gradient counts it.
bool is_worth_a_shadow(const Tensor& t) {
  if (leaf_of(t) != nullptr) return true;
  const TensorBody& b = *t.raw();
  const auto all = static_cast<std::int64_t>(b.storage->bytes / sizeof(float));
  return t.requires_grad() && b.is_view && b.numel * 8 >= all;
}

/// `t` (f32) in `dtype` through its storage's shadow, which is made, or made anew where it is
/// stale; undefined where there is none and none is worth making.
Tensor through_shadow(const Tensor& t, Dtype dtype) {
  Storage& storage = *t.raw()->storage;
  const std::lock_guard lock(shadows);
  if (storage.shadow == nullptr && !is_worth_a_shadow(t)) return Tensor();
  const std::uint64_t version = storage.version.load(std::memory_order_acquire);
  const bool fits = storage.shadow != nullptr && storage.shadow_dtype == dtype;
  if (!fits || storage.shadow_version != version) {
    // One that a graph still holds is left to it: that graph's forward read those values.
    const bool reuse = fits && storage.shadow->references.load(std::memory_order_acquire) == 1;
    Ref<Storage> shadow = reuse ? Ref<Storage>::share(storage.shadow) : make_shadow(storage, dtype);
    const Tensor all = all_of(t);
    copy_into(all, with_storage(all, shadow.get(), dtype));
    shadow->version.fetch_add(1, std::memory_order_relaxed);
    if (!reuse) {
      if (storage.shadow != nullptr) release(storage.shadow);
      retain(shadow.get());
      storage.shadow = shadow.get();
      storage.shadow_dtype = dtype;
    }
    storage.shadow_version = version;
  }
  return with_storage(t, storage.shadow, dtype);
}

}  // namespace

Autocast::Autocast(Dtype dtype) : before_(lowered) {
  check(is_half(dtype) || dtype == Dtype::f32, ErrorKind::argument,
        "Autocast: expected bf16 or f16 (or f32 for none), got ", dtype);
  lowered = dtype;
}

Autocast::~Autocast() { lowered = before_; }

Dtype autocast_dtype() { return lowered; }

void Operand::lower() {
  const Tensor& t = *tensor_;
  if (t.dtype() == lowered || t.dtype() == Dtype::f64 || !t.is_floating()) return;
  if (t.dtype() == Dtype::f32) low_ = through_shadow(t, lowered);
  if (!low_) low_ = as_dtype(t.requires_grad() ? t.detach() : t, lowered);
  tensor_ = &low_;
}

Tensor widened(const Tensor& t) {
  return lowered != Dtype::f32 && is_half(t.dtype()) ? t.to(Dtype::f32) : t;
}

}  // namespace gradus
