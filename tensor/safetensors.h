// The safetensors format: named tensors in a file that executes nothing.
// Layout: u64 N | N bytes of JSON {name: {dtype, shape, data_offsets}} | the tensors,
// little-endian, row-major, without gaps. Source: github.com/huggingface/safetensors, README and
// reference reader.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus {

using TensorMap = std::map<std::string, Tensor>;
using TextMap = std::map<std::string, std::string>;

/// Takes the next bytes of a file being written.
using ByteSink = std::function<void(const void* bytes, std::size_t n)>;

/// Writes `tensors` with `metadata`, to which "format": "pt" is added unless it says otherwise.
/// Tensors that are the same memory (tied weights) are stored once, under the first name. The file
/// appears whole or not at all. Throws Error(io) with path and reason.
void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                      const TextMap& metadata = {});
void save_safetensors(std::vector<std::byte>& bytes, const TensorMap& tensors,
                      const TextMap& metadata = {});
void save_safetensors(const ByteSink& sink, const TensorMap& tensors, const TextMap& metadata = {});

/// Reads all tensors, or those in `names`. Throws Error(corrupt) for anything the format forbids:
/// lengths that lie, gaps, overlaps, duplicate names, unknown dtypes; and Error(argument) for a
/// name that is not there.
TensorMap load_safetensors(const std::filesystem::path& path, Device device = Device::cpu(),
                           const std::vector<std::string>& names = {});
TensorMap load_safetensors(std::span<const std::byte> bytes, Device device = Device::cpu(),
                           const std::vector<std::string>& names = {});
TextMap load_safetensors_metadata(const std::filesystem::path& path);

}  // namespace gradus
