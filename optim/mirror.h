// A list that the host writes and the kernels read: where the parameters are on the CPU it is read
// in place, where they are on a GPU a copy lies there, rewritten when the list has changed.
#pragma once

#include <cstring>
#include <type_traits>

#include "gradus/kernels/create.h"
#include "gradus/tensor/pooled.h"

namespace gradus::optim {

template <class T>
class Mirror {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  PooledVector<T> here;

  /// Where kernels on `device` find the list as it is now. The copy is ordered with the kernels:
  /// those started before still read what the list was then. Allocates only where its length has
  /// changed.
  const T* on(Device device) {
    if (device.is_cpu()) return here.data();
    const std::size_t bytes = here.size() * sizeof(T);
    if (sent_.size() != here.size() || std::memcmp(sent_.data(), here.data(), bytes) != 0) {
      sent_ = here;
      const Shape size{static_cast<std::int64_t>(bytes)};
      if (!there_ || there_.shape() != size) there_ = empty(size, {Dtype::u8, device});
      copy_into(from_external(sent_.data(), size, {1}, {Dtype::u8}), there_);
    }
    return static_cast<const T*>(there_.data());
  }

 private:
  PooledVector<T> sent_;
  Tensor there_;  // its bytes
};

}  // namespace gradus::optim
