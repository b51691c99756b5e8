#include "gradus/trainer/data/batch.h"

#include <algorithm>

namespace gradus::trainer {

bool Batch::has(std::string_view name) const {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; });
}

const Tensor& Batch::operator[](std::string_view name) const {
  for (const auto& [field, tensor] : fields) {
    if (field == name) return tensor;
  }
  std::string names;
  for (const auto& [field, tensor] : fields) names += " " + field;
  raise(ErrorKind::argument, {"batch: no field \"", name, "\"; there are:", names});
}

}  // namespace gradus::trainer
