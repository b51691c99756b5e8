#include "gradus/tensor/storage.h"

#include <new>

namespace gradus {
namespace {

// Small data on the CPU lie behind their Storage in one block: one allocation less a tensor. Beyond
// this the block would fall into a larger size class.
constexpr std::size_t header = (sizeof(Storage) + 63) / 64 * 64, most_inside = 4096;

}  // namespace

Ref<Storage> make_storage(std::size_t bytes, Device device) {
  Allocator& memory =
      allocator(device);  // for CUDA: the device's; the struct itself is always on the host
  Allocator& host = device.is_cpu() ? memory : cpu_allocator();
  if (device.is_cpu() && bytes > 0 && bytes <= most_inside) {
    char* block = static_cast<char*>(host.allocate(header + bytes));
    Storage* s = ::new (block) Storage;
    s->self = &host;
    s->device = device;
    s->data = block + header;
    s->bytes = bytes;
    s->allocator = &host;
    return Ref<Storage>::adopt(s);
  }
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
  // The size decides, too: a separate block may happen to follow this one.
  const bool inside = s->allocator != nullptr && s->allocator == s->self && s->bytes > 0 &&
                      s->bytes <= most_inside && s->data == reinterpret_cast<char*>(s) + header;
  const std::size_t size = inside ? header + s->bytes : sizeof(Storage);
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
