// Files of tensors. What is accepted can be written, and reads back under the same names.
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/fuzz/harness.h"

namespace gradus::fuzz::safetensors {

int one_input(Bytes bytes) {
  const auto raw = std::as_bytes(bytes);
  answered([&] { load_safetensors_metadata(raw); });
  return answered([&] {
    const TensorMap tensors = load_safetensors(raw);
    std::vector<std::byte> written;
    save_safetensors(written, tensors);
    const TensorMap again = load_safetensors(written);
    must(again.size() == tensors.size(), "as many tensors");
    for (const auto& [name, tensor] : tensors) {
      const auto found = again.find(name);
      must(found != again.end() && found->second.shape() == tensor.shape() &&
               found->second.dtype() == tensor.dtype(),
           "every tensor under its name");
    }
  });
}

const Registered registered("safetensors", one_input);

}  // namespace gradus::fuzz::safetensors
