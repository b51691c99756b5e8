// The JSON header of a safetensors file: read with every rule checked, and written.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gradus/tensor/dtype.h"
#include "gradus/tensor/shape.h"

namespace gradus {

struct SafetensorsEntry {
  std::string name;
  Dtype dtype;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // bytes, from the start of the data
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // by rising offset
  std::map<std::string, std::string> metadata;
};

/// Parses and checks a header whose data section has `data_bytes` bytes; `source` names the file in
/// errors.
SafetensorsHeader parse_safetensors_header(const std::string& source, std::string_view json,
                                           std::uint64_t data_bytes);

/// The header as text, padded with spaces to a multiple of eight bytes.
std::string write_safetensors_header(const SafetensorsHeader& header);

}  // namespace gradus
