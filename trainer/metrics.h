// Means of named values, summed on the device and read once per logging interval.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus::trainer {

/// Named numbers in the order of their first appearance: stable columns.
using Values = std::vector<std::pair<std::string, double>>;

/// The value of that name; null where there is none.
const double* find(const Values& values, std::string_view name);

/// A slot a name, made when the name first appears.
class Metrics {
 public:
  explicit Metrics(Device device = Device::cpu()) : device_(device) {}
  /// 0-dim `value`: the mean over `weight` samples. (N): one value a sample. Not recorded, no host
  /// wait, and no memory asked for once the name is known. With a `group` the name is "group/name".
  void add(std::string_view group, std::string_view name, const Tensor& value, double weight);
  void add(std::string_view name, const Tensor& value, double weight) {
    add({}, name, value, weight);
  }
  /// Weighted means of everything added since clear(); names without samples are left out. One
  /// device read.
  Values means() const;
  void clear();
  bool empty() const { return names_.empty(); }
  /// Where the sums are: it moves only when there are more names than ever before.
  const void* place() const { return slots_ ? slots_.data() : nullptr; }

  /// The raw sums {name, (sum, weight)}: saved with a checkpoint taken between two logging steps.
  std::vector<std::pair<std::string, std::pair<double, double>>> sums() const;
  void restore(const std::vector<std::pair<std::string, std::pair<double, double>>>& sums);

 private:
  std::size_t slot(std::string_view group, std::string_view name);
  Device device_;
  std::vector<std::string> names_;
  Tensor slots_;  // (capacity, 2) f64: sum, weight
};

}  // namespace gradus::trainer
