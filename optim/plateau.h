// Lowers the rate when a metric stops improving: the only schedule with a state, moved by hand.
#pragma once

#include <map>
#include <string>

#include "gradus/optim/optimizer.h"

namespace gradus::optim {

struct PlateauOptions {
  bool maximize = false;  // the metric is better when higher
  double factor = 0.1;
  int patience = 10;        // readings without improvement that are tolerated
  double threshold = 1e-4;  // what counts as improvement
  bool relative = true;     // threshold is a share of the best, else an absolute difference
  int cooldown = 0;         // readings after a reduction that are not counted
  double min_lr = 0;
  double eps = 1e-8;  // a smaller change of the rate is not made
};

/// torch.optim.lr_scheduler.ReduceLROnPlateau over all groups of one optimizer, whose own schedule
/// goes on multiplying the rate that this one lowers. A NaN is never an improvement.
class Plateau {
 public:
  explicit Plateau(Optimizer& optimizer, const PlateauOptions& options = {});
  /// Takes a reading; true if the rates were lowered.
  bool step(double metric);
  double best() const { return best_; }

  /// "best", "bad_readings", "cooldown": 0-dimensional f64 tensors.
  std::map<std::string, Tensor> state_dict() const;
  void load_state_dict(const std::map<std::string, Tensor>& dict);

 private:
  bool improves(double metric) const;
  Optimizer& optimizer_;
  PlateauOptions options_;
  double best_;
  int bad_readings_ = 0;
  int cooldown_ = 0;
};

}  // namespace gradus::optim
