#include "gradus/tensor/copy_ahead.h"

#include <utility>

namespace gradus {

BatchPlace::BatchPlace(BatchPlace&& other) noexcept : used_(std::exchange(other.used_, nullptr)) {}

BatchPlace& BatchPlace::operator=(BatchPlace&& other) noexcept {
  std::swap(used_, other.used_);
  return *this;
}

#if !GRADUS_HAS_CUDA
struct CopyAhead::State {};

BatchPlace::~BatchPlace() = default;
CopyAhead::CopyAhead(Device device) {
  raise(ErrorKind::unsupported,
        {"CopyAhead: this build has no CUDA; there is nothing to copy to on ", device});
}
CopyAhead::~CopyAhead() = default;
void CopyAhead::begin(BatchPlace&) {}
void CopyAhead::copy(const Tensor&, const Tensor&) {}
void CopyAhead::end() {}
#endif

}  // namespace gradus
