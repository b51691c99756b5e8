#include "gradus/trainer/metrics.h"

#include "gradus/kernels/accumulate.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus::trainer {

namespace {

/// True if `full` is "group/name", or "name" without a group.
bool is_named(std::string_view full, std::string_view group, std::string_view name) {
  if (group.empty()) return full == name;
  return full.size() == group.size() + 1 + name.size() && full.starts_with(group) &&
         full[group.size()] == '/' && full.ends_with(name);
}

}  // namespace

const double* find(const Values& values, std::string_view name) {
  for (const auto& [other, value] : values)
    if (other == name) return &value;
  return nullptr;
}

std::size_t Metrics::slot(std::string_view group, std::string_view name) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (is_named(names_[i], group, name)) return i;
  }
  const auto used = static_cast<std::int64_t>(names_.size());
  if (!slots_ || slots_.size(0) == used) {
    const Tensor larger = zeros({used == 0 ? 16 : used * 2, 2}, {Dtype::f64, device_});
    if (slots_) copy_into(slots_, views::slice(larger, 0, 0, used, 1));
    slots_ = larger;
  }
  std::string& full = names_.emplace_back(group);
  if (!group.empty()) full += '/';
  full += name;
  return names_.size() - 1;
}

void Metrics::add(std::string_view group, std::string_view name, const Tensor& value,
                  double weight) {
  check(value.dim() <= 1, ErrorKind::shape, "metric ", name,
        ": expected one value or one a sample, got shape ", value.shape());
  if (value.numel() == 0 || weight == 0) return;
  const std::size_t at = slot(group, name);
  dispatch<cpu::accumulate, cuda::accumulate>(
      device_, (value.requires_grad() ? value.detach() : value).to(device_), weight, slots_,
      static_cast<std::int64_t>(at));
}

std::vector<std::pair<std::string, std::pair<double, double>>> Metrics::sums() const {
  std::vector<std::pair<std::string, std::pair<double, double>>> out;
  if (names_.empty()) return out;
  const std::vector<double> all = slots_.to_vector<double>();
  for (std::size_t i = 0; i < names_.size(); ++i) {
    out.push_back({names_[i], {all[2 * i], all[2 * i + 1]}});
  }
  return out;
}

Values Metrics::means() const {
  Values values;
  for (const auto& [name, sum] : sums()) {
    if (sum.second != 0) values.emplace_back(name, sum.first / sum.second);
  }
  return values;
}

void Metrics::clear() {
  if (slots_) dispatch<cpu::fill, cuda::fill>(slots_.device(), slots_, 0);
}

void Metrics::restore(const std::vector<std::pair<std::string, std::pair<double, double>>>& sums) {
  names_.clear();
  slots_ = Tensor();
  for (const auto& [name, sum] : sums) {
    const auto at = static_cast<std::int64_t>(slot({}, name));
    const double pair[] = {sum.first, sum.second};
    copy_into(from_data(pair, {2}, {Dtype::f64}), views::select(slots_, 0, at));
  }
}

}  // namespace gradus::trainer
