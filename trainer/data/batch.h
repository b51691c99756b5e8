// A batch: named tensors whose first dimension counts samples.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus::trainer {

/// What a task gets. The stock data sets name their fields "x" (inputs) and "y" (targets).
/// The memory belongs to the loader and is used again after the next batch: clone what must stay.
struct Batch {
  std::vector<std::pair<std::string, Tensor>> fields;
  std::int64_t size = 0;           // samples
  std::int64_t first_row = 0;      // of this micro-batch in the global batch
  std::int64_t epoch = 0;          // that it is read for: with a row, the key of its augmentation
  std::vector<std::int64_t> rows;  // each sample's place in its data set

  /// The field of that name; throws (argument) listing the names there are.
  const Tensor& operator[](std::string_view name) const;
  bool has(std::string_view name) const;
};

/// Applies f to every tensor of a batch (moving it to a device, casting it ...).
template <class F>
Batch map_tensors(const Batch& batch, F&& f) {
  Batch out = batch;
  for (auto& [name, tensor] : out.fields) tensor = f(tensor);
  return out;
}

/// map_nested_tensor: applies f to every tensor in nested vectors, maps and pairs, keeping their
/// form.
template <class F>
Tensor map_nested_tensor(F&& f, const Tensor& t) {
  return f(t);
}
template <class F>
Batch map_nested_tensor(F&& f, const Batch& batch) {
  return map_tensors(batch, f);
}
template <class F, class Container>
requires requires(Container c) {
  c.begin();
  c.end();
}
Container map_nested_tensor(F&& f, const Container& c) {
  Container out = c;
  for (auto& item : out) {
    if constexpr (requires { item.second; })
      item.second = map_nested_tensor(f, item.second);
    else
      item = map_nested_tensor(f, item);
  }
  return out;
}

}  // namespace gradus::trainer
