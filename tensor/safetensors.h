// safetensors: named tensors in one file, without code. Eight bytes N, N bytes of JSON that say
// where each tensor lies, then the tensors without gaps, little-endian and row-major.
// Format: github.com/huggingface/safetensors.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus {

using TensorMap = std::map<std::string, Tensor>;
using TextMap = std::map<std::string, std::string>;
/// Takes the next n bytes of a file.
using ByteSink = std::function<void(const void* bytes, std::size_t n)>;

/// Writes the tensors, largest elements first, then by name, as PyTorch's library does. "format":
/// "pt" is added to the metadata if it has no format; some readers need it. A tensor with several
/// names is stored under the first; the metadata's "gradus.tied" gives it the others back on load.
/// A file appears under its name when it is complete. Throws (io) with the system's reason.
void save_safetensors(const std::string& path, const TensorMap& tensors,
                      const TextMap& metadata = {});
void save_safetensors(std::vector<std::byte>& bytes, const TensorMap& tensors,
                      const TextMap& metadata = {});
void save_safetensors(const ByteSink& sink, const TensorMap& tensors, const TextMap& metadata = {});

/// Reads the tensors called `names`, or all. Throws (corrupt) for a file that breaks any rule of
/// the format, (unsupported) for a dtype we do not have, (argument) for a name that is not there.
/// A file that lies about its sizes is refused before memory is taken.
TensorMap load_safetensors(const std::string& path, Device device = Device::cpu(),
                           const std::vector<std::string>& names = {});
TensorMap load_safetensors(std::span<const std::byte> bytes, Device device = Device::cpu(),
                           const std::vector<std::string>& names = {});
TextMap load_safetensors_metadata(const std::string& path);
TextMap load_safetensors_metadata(std::span<const std::byte> bytes);

/// One line of a file's table of contents.
struct SafetensorsEntry {
  std::string name, dtype;  // "F32"
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes, counted from the end of the header
};
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their offsets
  TextMap metadata;
  std::uint64_t data = 0;  // where the tensors begin
};
/// The checked table of contents, without reading any tensor.
SafetensorsHeader read_safetensors_header(class Reader& reader);
/// Further names of tensors that save_safetensors() stored once, each with its first.
TextMap tied_names(const SafetensorsHeader& header);

}  // namespace gradus
