#include "gradus/tensor/storage.h"

#include <new>

namespace gradus {

Ref<Storage> make_storage(std::size_t bytes, Device device) {
  Allocator& memory =
      allocator(device);  // for CUDA: the device's; the struct itself is always on the host
  Allocator& host = device.is_cpu() ? memory : cpu_allocator();
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
  if (s->allocator != nullptr) s->allocator->deallocate(s->data, s->bytes);
  if (s->release_foreign != nullptr) {
    (*s->release_foreign)();
    delete s->release_foreign;
  }
  Allocator* self = s->self;
  s->~Storage();
  self->deallocate(s, sizeof(Storage));
}

}  // namespace gradus
