// The averaged weights, for the time of a scope.
#pragma once

namespace gradus::optim {

class Optimizer;

/// Exchanges weights and averages where it begins and where it ends: two exchanges leave every bit
/// as it was, also when an exception ends the scope. step() and a second guard inside are errors.
class AverageGuard {
 public:
  AverageGuard(AverageGuard&& other) noexcept;
  AverageGuard& operator=(AverageGuard&&) = delete;
  ~AverageGuard();
  /// False if there are no averages to use yet: the live weights are in place.
  bool averaged() const { return averaged_; }

 private:
  friend class Optimizer;
  explicit AverageGuard(Optimizer& optimizer);
  Optimizer* optimizer_;
  bool averaged_ = false;
};

/// The weights that train, for a while inside the scope of ema(), whoever holds that; nothing
/// elsewhere. A checkpoint saves them.
class LiveScope {
 public:
  explicit LiveScope(Optimizer& optimizer);
  ~LiveScope();
  LiveScope(const LiveScope&) = delete;
  LiveScope& operator=(const LiveScope&) = delete;

 private:
  Optimizer& optimizer_;
  bool was_swapped_;
};

}  // namespace gradus::optim
