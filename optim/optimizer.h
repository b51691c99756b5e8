// What all optimizers do: step, clip, scale, average, freeze, save. A rule adds one formula
// (kernels/update.h) and its options (sgd.h, adamw.h ...).
//
//   optim::AdamW opt(net.parameters(), {.lr = 1e-3, .max_grad_norm = 1.0, .ema_decay = 0.999});
//   for (...) {
//     opt.zero_grad();
//     loss(x, y).backward();
//     opt.step();
//   }
// A step reads the gradients once, decides on the device, and reads and writes everything else
// once: the host waits for nothing. A parameter whose gradient was not written since zero_grad() is
// left alone. Gradients are not changed: clipping acts on what the rule sees.
//
// Build the module, move it to its device, then make the optimizer: moving a parameter afterwards
// is an error. Parameters are gathered in one block, so pointers taken before are stale.
#pragma once

#include <functional>
#include <map>

#include "gradus/optim/average.h"
#include "gradus/optim/options.h"
#include "gradus/optim/segments.h"

namespace gradus::optim {

using epilogue::StepState;

/// A rule with the rates that a group gives it.
struct GroupRule {
  OpCall call;  // of rules::All
  std::span<const char* const> slots;
  double lr, momentum, decay;
  bool needs_norms = false;
  bool prepares = false;    // a pass before the one that moves the weights
  std::size_t scratch = 0;  // of the slots, the last ones
  /// Of rules that move matrices: what happens to an update (shape of its parameter) between the
  /// two passes, in place.
  std::function<void(const Tensor& update)> reshape = {};
};

class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates every parameter that has a gradient. Skipped as a whole, leaving every bit of weights,
  /// state, averages and counts as it was, if a gradient is not finite (skip_non_finite).
  void step();
  /// Until the next backward, grad() of every parameter is undefined.
  void zero_grad() { segments_.zero_grad(); }

  /// Adds the weight of a micro-batch (its samples, or valid tokens) to the window that the next
  /// step ends. Gradients are divided by the window's weight; without any call by 1.
  void add_samples(double weight);
  /// Forgets the window's weight: its gradients are not going to be used.
  void clear_samples();
  /// Divides the gradients by the window's weight and the loss scale now, for who wants to change
  /// them; step() then does not. No wait.
  void unscale_gradients();
  /// `loss` times the loss scale: call backward() on the result.
  Tensor scale(const Tensor& loss) const;
  Tensor loss_scale() const;  // (), f64

  void add_group(Group group);
  std::vector<std::string> groups() const;
  /// The base rate that the schedule multiplies, of all groups or of one.
  void set_lr(double lr);
  void set_lr(const std::string& group, double lr);
  double base_lr(const std::string& group = "") const;
  /// What the next step uses: base rate times schedule. Waits for the device if there were steps
  /// since the last state().
  double lr(const std::string& group = "") const;
  /// What the last applied step used; before the first, what that will use.
  double last_lr(const std::string& group = "") const;
  /// A frozen group gets no update and no decay.
  void freeze(const std::string& group, bool frozen = true);

  /// Buffers that the average covers too: running statistics are averaged (or copied), counters
  /// copied, power-iteration vectors left out.
  void track(const std::vector<Parameter>& buffers, bool copy_statistics = false);
  /// Averaged weights in, until the guard goes. The addresses of all tensors stay the same. Before
  /// the first applied step the live weights are used.
  [[nodiscard]] AverageGuard ema();
  /// `teacher[i]` follows parameter i: teacher = c teacher + (1 - c) parameter, c = coefficient at
  /// the applied step. An undefined one follows nothing.
  void teach(const std::vector<Tensor>& teacher, Schedule coefficient);

  // Of the last step; tensors on the device, no wait.
  Tensor grad_norm() const;  // (), f64: all gradients, before clipping
  Tensor applied() const;    // (), i64: steps that changed something
  Tensor skipped() const;    // (), i64: steps that did not
  /// A copy of the whole clock. Waits for the device.
  StepState state() const;
  /// Names of the first five parameters with a non-finite gradient in the last step that had any.
  /// Waits.
  std::vector<std::string> non_finite_parameters() const;

  /// "state.<parameter>.<slot>", "state.<parameter>.step", "group.<name>.lr", "clock.<field>" and,
  /// with `averages`, "ema.<parameter or buffer>".
  std::map<std::string, Tensor> state_dict(bool averages = true) const;
  /// What load_state_dict takes; the counts of steps it always takes.
  struct Parts {
    bool state = true;   // slots, steps of each parameter, the window of norms; else all begin anew
    bool scaler = true;  // the loss scale
    bool schedule = true;  // rates and the schedule's place; else it begins anew
  };
  /// Everything or nothing: throws before the first change if a key is missing or does not fit.
  void load_state_dict(const std::map<std::string, Tensor>& dict, Parts parts);
  void load_state_dict(const std::map<std::string, Tensor>& dict) {
    load_state_dict(dict, Parts{});
  }
  /// The average begins anew: the next applied step copies the weights.
  void restart_average();
  /// The averages under the model's own names, so that they load as weights; those of
  /// half-precision parameters are f32.
  std::map<std::string, Tensor> ema_state_dict() const;
  void load_ema_state_dict(const std::map<std::string, Tensor>& dict);

  const char* name() const { return name_; }
  /// True for the leaves of its parameters.
  bool moves(const Leaf& leaf) const { return leaf.optimizer == &segments_; }
  const PooledVector<Item>& items() const { return segments_.items(); }

 protected:
  using Resolve = std::function<GroupRule(const GroupOptions&)>;
  Optimizer(const char* name, std::vector<Group> groups, const CommonOptions& common,
            Resolve resolve);

 private:
  double lr_of(const std::string& group, std::int64_t ago) const;
  friend class AverageGuard;
  friend class LiveScope;
  struct GroupState {
    std::string name;
    GroupRule rule;
    Schedule schedule;
  };
  void check_not_swapped(const char* what) const;
  std::size_t group_index(const std::string& name) const;
  void take(Group group);
  void fill_rules();
  void fill_ring();
  void fill_table();
  void prepare_updates();
  double average_decay(std::int64_t s) const;
  void write_state(const StepState& state);
  Tensor field(std::size_t offset, Dtype dtype) const;
  Tensor read(std::size_t offset, Dtype dtype) const;
  void exchange();

  const char* name_;
  CommonOptions common_;
  Resolve resolve_;
  Segments segments_;
  std::vector<GroupState> groups_;
  Schedule teacher_;
  Tensor state_;                                // holds the StepState, on the device
  Tensor norms_;                                // the window of dynamic_clip: by age, then sorted
  Mirror<epilogue::Policy> policy_;             // one
  Mirror<OpCall> rules_;                        // [groups]
  Mirror<epilogue::ScheduleRow> ring_;          // [ring_rows_][groups]
  std::int32_t ring_rows_ = 0;                  // steps that the ring has room for
  std::int64_t ring_first_ = 0, ring_end_ = 0;  // applied steps that the ring covers
  // What the host knows without asking: `applied` when it last looked, and steps begun since.
  mutable std::int64_t known_applied_ = 0, begun_since_ = 0;
  std::int64_t average_since_ = 0;   // applied steps when the average began
  std::int64_t schedule_since_ = 0;  // and when the schedules began
  epilogue::Table table_;
  bool swapped_ = false;    // a scope of ema() lives
  bool exchanged_ = false;  // and had averages to put in
};

}  // namespace gradus::optim
