// Sums are taken in blocks, so that a large tensor needs no copy in double.
#include "gradus/trainer/checkpoint/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gradus/tensor/reader.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tensor/views.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t block = 1 << 16;  // elements

/// Every name, those of tied tensors too, and what it stands for: "F32 (2, 3)".
std::map<std::string, std::string> kinds_of(const fs::path& file) {
  Reader reader(file);
  const SafetensorsHeader header = read_safetensors_header(reader);
  std::map<std::string, std::string> kinds;
  for (const auto& entry : header.entries) kinds[entry.name] = kind_text(entry.dtype, entry.shape);
  for (const auto& [name, first] : tied_names(header))
    if (kinds.contains(first)) kinds[name] = kinds[first];
  return kinds;
}

/// Elements [from, from + block) of a contiguous tensor.
std::vector<double> numbers(const Tensor& t, std::int64_t from) {
  const Tensor flat = from_external(t.data(), {t.numel()}, {1}, t.options());
  return views::slice(flat, 0, from, std::min(t.numel(), from + block), 1).to_vector<double>();
}

std::vector<std::int64_t> place(std::int64_t flat, const Shape& shape) {
  std::vector<std::int64_t> at(static_cast<std::size_t>(shape.size()));
  for (int d = static_cast<int>(at.size()) - 1; d >= 0; --d) {
    at[static_cast<std::size_t>(d)] = flat % shape[d];
    flat /= shape[d];
  }
  return at;
}

void compare_values(const Tensor& a, const Tensor& b, TensorDifference& out) {
  std::int64_t where = -1;
  for (std::int64_t from = 0; from < a.numel(); from += block) {
    const std::vector<double> left = numbers(a, from), right = numbers(b, from);
    for (std::size_t i = 0; i < left.size(); ++i) {
      const double x = left[i], y = right[i];
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      ++out.differing;
      const double apart = std::abs(x - y);
      if (where < 0 || apart > out.largest || (std::isnan(apart) && !std::isnan(out.largest))) {
        out.largest = apart;
        where = from + static_cast<std::int64_t>(i);
      }
    }
  }
  if (where >= 0) out.at = place(where, a.shape());
}

}  // namespace

std::string kind_text(const std::string& dtype, const std::vector<std::int64_t>& shape) {
  return fmt::format("{} ({})", dtype, fmt::join(shape, ", "));
}

Statistics statistics(const Tensor& t) {
  Statistics s;
  double sum = 0, squares = 0, shift = 0;
  s.count = t.numel();
  s.least = HUGE_VAL, s.most = -HUGE_VAL;
  std::int64_t finite = 0;
  const Tensor whole = t.contiguous();
  for (std::int64_t from = 0; from < s.count; from += block) {
    for (const double v : numbers(whole, from)) {
      if (!std::isfinite(v)) {
        ++s.not_finite;
        continue;
      }
      if (finite++ == 0) shift = v;  // keeps the difference of squares exact enough
      sum += v - shift;
      squares += (v - shift) * (v - shift);
      s.least = std::min(s.least, v), s.most = std::max(s.most, v);
    }
  }
  const double n = static_cast<double>(finite);
  s.mean = finite ? shift + sum / n : NAN;
  s.deviation = finite ? std::sqrt(std::max(0.0, squares / n - (sum / n) * (sum / n))) : NAN;
  if (!finite) s.least = s.most = NAN;
  return s;
}

std::vector<TensorDifference> compare_tensors(const fs::path& before, const fs::path& after,
                                              std::int64_t& equal) {
  std::map<std::string, TensorDifference> found;
  for (const auto& [name, kind] : kinds_of(before)) found[name].before = kind;
  for (const auto& [name, kind] : kinds_of(after)) found[name].after = kind;
  std::vector<TensorDifference> out;
  equal = 0;
  for (auto& [name, difference] : found) {
    difference.name = name;
    if (difference.before == difference.after) {
      const Tensor a = load_safetensors(before, Device::cpu(), {name}).at(name);
      const Tensor b = load_safetensors(after, Device::cpu(), {name}).at(name);
      difference.elements = a.numel();
      compare_values(a.contiguous(), b.contiguous(), difference);
      if (difference.differing == 0) {
        ++equal;
        continue;
      }
    }
    out.push_back(std::move(difference));
  }
  return out;
}

}  // namespace gradus::trainer
