#include "gradus/optim/plateau.h"

#include <algorithm>
#include <cmath>

namespace gradus::optim {

Plateau::Plateau(Optimizer& optimizer, const PlateauOptions& o)
    : optimizer_(optimizer), options_(o), best_(o.maximize ? -HUGE_VAL : HUGE_VAL) {
  check(o.factor > 0 && o.factor < 1, ErrorKind::argument, "plateau: expected 0 < factor < 1, got ",
        o.factor);
  check(o.patience >= 0 && o.cooldown >= 0, ErrorKind::argument,
        "plateau: patience and cooldown must not be negative, got ", o.patience, " and ",
        o.cooldown);
}

bool Plateau::improves(double metric) const {
  const double step = options_.maximize ? options_.threshold : -options_.threshold;
  const double bar = options_.relative ? best_ * (1 + step) : best_ + step;
  return options_.maximize ? metric > bar : metric < bar;
}

bool Plateau::step(double metric) {
  if (improves(metric)) {
    best_ = metric;
    bad_readings_ = 0;
  } else {
    ++bad_readings_;
  }
  if (cooldown_ > 0) {
    --cooldown_;
    bad_readings_ = 0;
  }
  if (bad_readings_ <= options_.patience) return false;
  for (const std::string& group : optimizer_.groups()) {
    const double before = optimizer_.base_lr(group);
    const double after = std::max(before * options_.factor, options_.min_lr);
    if (before - after > options_.eps) optimizer_.set_lr(group, after);
  }
  cooldown_ = options_.cooldown;
  bad_readings_ = 0;
  return true;
}

std::map<std::string, Tensor> Plateau::state_dict() const {
  const auto scalar = [](double v) { return from_data(&v, {}, {Dtype::f64}); };
  return {{"best", scalar(best_)},
          {"bad_readings", scalar(bad_readings_)},
          {"cooldown", scalar(cooldown_)}};
}

void Plateau::load_state_dict(const std::map<std::string, Tensor>& dict) {
  const auto read = [&](const char* key) {
    const auto at = dict.find(key);
    check(at != dict.end(), ErrorKind::argument, "plateau: load_state_dict: '", key,
          "' is missing");
    return at->second.item<double>();
  };
  const double best = read("best"), bad = read("bad_readings"), cooldown = read("cooldown");
  best_ = best;
  bad_readings_ = static_cast<int>(bad);
  cooldown_ = static_cast<int>(cooldown);
}

}  // namespace gradus::optim
