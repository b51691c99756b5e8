// What is in a safetensors file, in numbers, and in what two of them differ. Tensors are read one
// at a time: a file may be larger than the memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus::trainer {

/// Over all elements, in double. Mean, deviation (of the population) and range are those of the
/// finite ones; NaN where there are none.
struct Statistics {
  std::int64_t count = 0, not_finite = 0;
  double mean = 0, deviation = 0, least = 0, most = 0;
};
Statistics statistics(const Tensor& t);

/// Two tensors of the same name.
struct TensorDifference {
  std::string name;
  std::string before, after;     // "F32 (2, 3)"; "" where a file does not have it
  std::int64_t elements = 0;     // of them,
  std::int64_t differing = 0;    // so many differ; a NaN differs from every number, not from a NaN
  double largest = 0;            // |a - b|; NaN if one side is NaN where the other is not
  std::vector<std::int64_t> at;  // where that is
};

/// The tensors that differ in name, dtype, shape or value, by name. `equal` counts the others.
std::vector<TensorDifference> compare_tensors(const std::filesystem::path& before,
                                              const std::filesystem::path& after,
                                              std::int64_t& equal);

/// "F32 (2, 3)", with one space between.
std::string kind_text(const std::string& dtype, const std::vector<std::int64_t>& shape);

}  // namespace gradus::trainer
