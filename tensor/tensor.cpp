#include "gradus/tensor/tensor.h"

#include <cstring>
#include <new>
#include <utility>

#include "gradus/tensor/block.h"
#include "gradus/tensor/observe.h"

namespace gradus {

constinit thread_local TensorObserver* detail::tensor_observer = nullptr;

namespace {

/// Tells the observer, if there is one.
inline Tensor told(Tensor t) {
  if (detail::tensor_observer != nullptr) [[unlikely]]
    detail::tensor_observer->made(t);
  return t;
}

Tensor make(Ref<Storage> storage, const Shape& shape, const Strides& strides, Dtype dtype,
            std::int64_t offset, bool contiguous, bool is_view = false) {
  Allocator& host = cpu_allocator();
  return Tensor(Ref<TensorBody>::adopt(::new (host.allocate(sizeof(TensorBody)))
                                           TensorBody{.dtype = dtype,
                                                      .contiguous = contiguous,
                                                      .is_view = is_view,
                                                      .self = &host,
                                                      .storage = std::move(storage),
                                                      .node = {},
                                                      .offset = offset,
                                                      .numel = shape.numel(),
                                                      .shape = shape,
                                                      .strides = strides}));
}

/// New row-major memory. Its strides are made where they stay, and not copied while the processor
/// still writes them, which stalls.
Tensor make_row_major(const Shape& shape, std::int64_t numel, Dtype dtype, Device device) {
  const std::size_t bytes = static_cast<std::size_t>(numel) * size_of(dtype);
  Allocator* self = &cpu_allocator();
  Ref<Storage> storage;
  void* place = nullptr;
  if (device.is_cpu() && block::holds(bytes)) {
    storage = block::make(block::header_with_body, bytes, device, *std::exchange(self, nullptr));
    place = block::body_of(storage.get());
  } else {
    storage = make_storage(bytes, device);
    place = self->allocate(sizeof(TensorBody));
  }
  return Tensor(
      Ref<TensorBody>::adopt(::new (place) TensorBody{.dtype = dtype,
                                                      .self = self,
                                                      .storage = std::move(storage),
                                                      .node = {},
                                                      .numel = numel,
                                                      .shape = shape,
                                                      .strides = contiguous_strides(shape)}));
}

/// Row-major, dimensions of size one aside; an empty tensor always is.
bool is_row_major(const Shape& shape, const Strides& strides) {
  std::int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

/// The strides of `t` if they cover a block of memory without gaps or overlap, else row-major ones.
Strides dense_strides(const Tensor& t) {
  if (t.is_contiguous()) return contiguous_strides(t.shape());
  int order[Shape::max_dims];  // by falling stride; of equal strides the larger dimension is
                               // outside
  const auto outside = [&](int a, int b) {
    if (t.strides()[a] != t.strides()[b]) return t.strides()[a] > t.strides()[b];
    return t.shape()[a] > t.shape()[b];
  };
  for (int i = 0; i < t.dim(); ++i) {
    order[i] = i;
    for (int k = i; k > 0 && outside(order[k], order[k - 1]); --k)
      std::swap(order[k], order[k - 1]);
  }
  std::int64_t step = 1;
  Strides strides = t.strides();
  for (int k = t.dim() - 1; k >= 0; --k) {
    const int i = order[k];
    if (t.shape()[i] != 1 && t.strides()[i] != step) return contiguous_strides(t.shape());
    strides[i] = step;
    step *= t.shape()[i];
  }
  return strides;
}

}  // namespace

void destroy(TensorBody* b) noexcept {
  Allocator* self = b->self;
  Storage* kept = b->keeps_block ? block::storage_before(b) : nullptr;
  b->~TensorBody();  // a body in a block goes with it, here if nobody else uses the storage
  if (self != nullptr) self->deallocate(b, sizeof(TensorBody));
  if (kept != nullptr) release(kept);
}

Tensor empty(const Shape& shape, TensorOptions options) {
  Tensor t = make_row_major(shape, checked_numel("empty", shape), options.dtype, options.device);
  if (options.requires_grad) t.set_requires_grad(true);
  if (detail::tensor_observer != nullptr) [[unlikely]]
    detail::tensor_observer->made(t);
  return t;
}

Tensor empty_strided(const Shape& shape, const Strides& strides, TensorOptions options) {
  check(shape.size() == strides.size(), ErrorKind::shape, "empty_strided: shape is ", shape,
        ", strides are ", strides);
  const bool none = checked_numel("empty_strided", shape) == 0;
  std::int64_t last = 0;
  for (int i = 0; i < shape.size(); ++i) {
    check(strides[i] >= 0, ErrorKind::argument, "empty_strided: negative stride in ", strides);
    std::int64_t step = 0;
    const bool fits = none || (!__builtin_mul_overflow(shape[i] - 1, strides[i], &step) &&
                               !__builtin_add_overflow(last, step, &last) && last < max_numel);
    check(fits, ErrorKind::shape, "empty_strided: too large: shape ", shape, ", strides ", strides);
  }
  const std::int64_t n = none ? 0 : last + 1;
  Tensor t =
      make(make_storage(static_cast<std::size_t>(n) * size_of(options.dtype), options.device),
           shape, strides, options.dtype, 0, is_row_major(shape, strides));
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

Tensor empty_like(const Tensor& t) { return empty_like(t, t.dtype()); }

Tensor empty_like(const Tensor& t, Dtype dtype) {
  if (t.is_contiguous()) return told(make_row_major(t.shape(), t.numel(), dtype, t.device()));
  const std::size_t bytes = static_cast<std::size_t>(t.numel()) * size_of(dtype);
  const Strides strides = dense_strides(t);
  return told(make(make_storage(bytes, t.device()), t.shape(), strides, dtype, 0,
                   is_row_major(t.shape(), strides)));
}

Tensor from_data(const void* data, const Shape& shape, TensorOptions options) {
  const Device device = options.device;
  options.device = Device::cpu();
  Tensor t = empty(shape, {options.dtype, Device::cpu(), false});
  check(data != nullptr || t.numel() == 0, ErrorKind::argument,
        "from_data: the pointer is null, the shape ", shape);
  if (t.numel() > 0)
    std::memcpy(t.data(), data, static_cast<std::size_t>(t.numel()) * size_of(t.dtype()));
  if (!device.is_cpu()) t = t.to(device);
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

Tensor from_external(void* data, const Shape& shape, const Strides& strides, TensorOptions options,
                     std::function<void()> release) {
  check(shape.size() == strides.size(), ErrorKind::shape, "from_external: shape is ", shape,
        ", strides are ", strides);
  const std::int64_t n = checked_numel("from_external", shape);
  check(data != nullptr || n == 0, ErrorKind::argument, "from_external: null pointer for shape ",
        shape);
  std::int64_t last = 0;
  for (int i = 0; i < shape.size(); ++i) {
    check(strides[i] >= 0, ErrorKind::argument, "from_external: negative stride in ", strides);
    last += n == 0 ? 0 : (shape[i] - 1) * strides[i];
  }
  const std::size_t bytes =
      n == 0 ? 0 : static_cast<std::size_t>(last + 1) * size_of(options.dtype);
  Tensor t = make(wrap_storage(data, bytes, options.device, std::move(release)), shape, strides,
                  options.dtype, 0, is_row_major(shape, strides));
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

Tensor as_view(const Tensor& base, const Shape& shape, const Strides& strides,
               std::int64_t offset) {
  return told(make(base.raw()->storage, shape, strides, base.dtype(), offset,
                   is_row_major(shape, strides), true));
}

Tensor Tensor::detach() const {
  const TensorBody& b = body();
  return make(b.storage, b.shape, b.strides, b.dtype, b.offset, b.contiguous, b.is_view);
}

void Tensor::set_data(const Tensor& other) const {
  TensorBody& b = body();
  const TensorBody& o = other.body();
  if (b.self == nullptr && !b.keeps_block) {
    retain(block::storage_before(&b));
    b.keeps_block = true;
  }
  b.dtype = o.dtype;
  b.contiguous = o.contiguous;
  b.storage = o.storage;
  b.offset = o.offset;
  b.numel = o.numel;
  b.shape = o.shape;
  b.strides = o.strides;
}

}  // namespace gradus
