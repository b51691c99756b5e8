#include "gradus/tensor/storage.h"

#include <new>

#include "gradus/tensor/block.h"

namespace gradus {

Ref<Storage> block::make(std::size_t before, std::size_t bytes, Device device, Allocator& host) {
  char* place = static_cast<char*>(host.allocate(before + bytes));
  Storage* s = ::new (place) Storage;
  s->self = &host;
  s->device = device;
  s->data = place + before;
  s->bytes = bytes;
  s->allocator = &host;
  return Ref<Storage>::adopt(s);
}

Ref<Storage> make_storage(std::size_t bytes, Device device) {
  Allocator& memory =
      allocator(device);  // for CUDA: the device's; the struct itself is always on the host
  Allocator& host = device.is_cpu() ? memory : cpu_allocator();
  if (device.is_cpu() && block::holds(bytes))
    return block::make(block::header, bytes, device, host);
  void* place = host.allocate(sizeof(Storage));
  Storage* s = ::new (place) Storage;
  s->self = &host;
  s->device = device;
  Ref<Storage> ref = Ref<Storage>::adopt(s);  // from here on an exception frees the struct
  s->data = memory.allocate(bytes);
  s->bytes = bytes;
  s->allocator = &memory;
  return ref;
}

Ref<Storage> wrap_storage(void* data, std::size_t bytes, Device device,
                          std::function<void()> release_foreign) {
  Allocator& host = cpu_allocator();
  Storage* s = ::new (host.allocate(sizeof(Storage))) Storage;
  s->self = &host;
  s->device = device;
  s->data = data;
  s->bytes = bytes;
  if (release_foreign) s->release_foreign = new std::function<void()>(std::move(release_foreign));
  return Ref<Storage>::adopt(s);
}

void destroy(Storage* s) noexcept {
  if (s->shadow != nullptr) release(s->shadow);
  const bool inside = s->allocator != nullptr && s->device.is_cpu() && block::holds(s->bytes);
  const auto before =
      static_cast<std::size_t>(static_cast<char*>(s->data) - reinterpret_cast<char*>(s));
  const std::size_t size = inside ? before + s->bytes : sizeof(Storage);
  if (s->allocator != nullptr && !inside) s->allocator->deallocate(s->data, s->bytes);
  if (s->release_foreign != nullptr) {
    (*s->release_foreign)();
    delete s->release_foreign;
  }
  Allocator* self = s->self;
  s->~Storage();
  self->deallocate(s, size);
}

}  // namespace gradus
