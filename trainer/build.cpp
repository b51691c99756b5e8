// What a configuration builds: the schedule and the optimizer.
#include <cmath>

#include "gradus/optim/optim.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/loop.h"
#include "gradus/trainer/patterns.h"

namespace gradus::trainer {
namespace {

using optim::Schedule;

/// Turns lengths of a configuration (steps, epochs or shares of the run) into steps.
struct Units {
  const Config& config;
  double steps_per_epoch = 0;
  double total = 0;  // steps of the whole run; 0: unknown

  std::int64_t steps(const std::string& key, double length) const {
    const std::string& unit = config.schedule.unit;
    double steps = length;
    if (unit == "epochs") {
      if (steps_per_epoch <= 0 && length > 0)
        config.fail("schedule.unit",
                    "data.train does not say how long an epoch is; set trainer.batches_per_epoch");
      steps = length * steps_per_epoch;
    }
    if (unit == "fraction") {
      if (total <= 0)
        config.fail("schedule." + key, "a fraction needs trainer.max_steps or trainer.max_epochs");
      steps = length * total;
    }
    if (!(steps < 1e15)) config.fail("schedule." + key, "more steps than any run will take");
    return static_cast<std::int64_t>(std::llround(steps));
  }
  /// `schedule.length`, or the run's own length; without the warm-up.
  std::int64_t rest(std::int64_t warmup) const {
    const ScheduleConfig& c = config.schedule;
    if (c.length <= 0 && total <= 0) {
      config.fail("schedule.length",
                  "this schedule needs a length: set it, or trainer.max_steps or max_epochs");
    }
    const std::int64_t whole = c.length > 0 ? steps("length", c.length) : std::llround(total);
    return std::max<std::int64_t>(1, whole - warmup);
  }
};

Schedule main_part(const Config& config, const Units& units, std::int64_t warmup) {
  namespace s = optim::schedule;
  const ScheduleConfig& c = config.schedule;
  const auto period = [&] {
    const std::int64_t steps = units.steps("period", c.period);
    if (steps < 1) config.fail("schedule.period", "this schedule needs a period of a step or more");
    return steps;
  };
  if (c.type == "constant" || c.type == "plateau") return s::constant();
  if (c.type == "linear") return s::linear(units.rest(warmup), 1, c.final);
  if (c.type == "cosine") return s::cosine(units.rest(warmup), c.final);
  if (c.type == "polynomial") return s::polynomial(units.rest(warmup), c.power);
  if (c.type == "one_cycle") return s::one_cycle(units.rest(warmup));
  if (c.type == "three_step") return s::three_step(units.rest(warmup));
  if (c.type == "step") return s::step(period(), c.gamma);
  if (c.type == "exponential") return s::exponential(c.gamma);
  if (c.type == "cyclic") return s::cyclic(c.final, period());
  if (c.type == "restarts")
    return s::restarts(period(), {.mult = c.mult, .gamma = c.gamma, .end = c.final});
  if (c.type == "credit_lambda") return s::credit_lambda(warmup > 0 ? warmup : 1, units.rest(0));
  if (c.type == "multi_step") {
    if (c.milestones.empty())
      config.fail("schedule.milestones", "this schedule needs steps at which it multiplies");
    std::vector<std::int64_t> milestones;
    for (double m : c.milestones) milestones.push_back(units.steps("milestones", m));
    return s::multi_step(milestones, c.gamma);
  }
  config.fail("schedule.type", "unknown schedule \"" + c.type + "\"");
}

/// Steps of the whole run; 0 if nobody knows.
double run_steps(const Config& config, double steps_per_epoch) {
  const TrainerConfig& t = config.trainer;
  double total = static_cast<double>(t.max_steps);
  // With a schedule of windows an epoch has no fixed number of steps.
  if (t.max_epochs > 0 && t.accumulate_schedule.empty()) {
    const double by_epochs = static_cast<double>(t.max_epochs) * steps_per_epoch;
    total = total > 0 ? std::min(total, by_epochs) : by_epochs;
  }
  return total;
}

Schedule build_schedule(const Config& config, double steps_per_epoch) {
  if (!config.trainer.accumulate_schedule.empty() && config.schedule.unit == "epochs") {
    config.fail("schedule.unit",
                "with trainer.accumulate_schedule epochs have no fixed number of steps");
  }
  const double total = run_steps(config, steps_per_epoch);
  const Units units{config, steps_per_epoch, total};
  const std::int64_t warmup = units.steps("warmup", config.schedule.warmup);
  Schedule then = main_part(config, units, warmup);
  if (config.schedule.type == "credit_lambda") return then;  // brings its own warm-up
  return warmup > 0 ? optim::schedule::warmup(warmup, std::move(then)) : then;
}

/// optim.groups by name patterns ("head.*"), in order; what no pattern takes is the group "main".
std::vector<optim::Group> parameter_groups(const Config& config, std::vector<Parameter> rest) {
  std::vector<optim::Group> groups;
  for (const GroupConfig& g : config.optim.groups) {
    std::vector<Parameter> taken, left;
    for (const Parameter& p : rest) (matches_any(g.parameters, p.name) ? taken : left).push_back(p);
    if (taken.empty())
      config.fail("optim.groups", "no parameter matches the patterns of group \"" + g.name + "\"");
    optim::GroupOptions options;
    options.lr = g.lr;
    options.weight_decay = g.weight_decay;
    options.decay_by_role = g.decay_by_role;
    groups.push_back({g.name, taken, options});
    rest = std::move(left);
  }
  if (!rest.empty()) groups.push_back({"main", rest, {}});
  return groups;
}

}  // namespace

/// Optimizer steps of one epoch: windows of `accumulate` micro-batches, the last one perhaps
/// shorter; 0: not known.
std::int64_t Loop::steps_per_epoch() const {
  const std::int64_t batch = loaders_.at("train")->options().batch_size,
                     window = config_.trainer.accumulate;
  if (epoch_samples_ == unknown_length) return 0;
  const std::int64_t batches = (epoch_samples_ + batch - 1) / batch;
  return (batches + window - 1) / window;
}

void Loop::build_optimizers() {
  const double per_epoch = static_cast<double>(steps_per_epoch());
  optimizers_.clear();
  for (auto& [name, own] : optimizer_configs(config_)) {
    optimizers_.emplace_back();
    optimizers_.back().name = name;
    optimizers_.back().config = std::move(own);
  }
  const auto mine = divided_parameters();
  for (std::size_t i = 0; i < optimizers_.size(); ++i) {
    NamedOptimizer& o = optimizers_[i];
    const std::vector<optim::Group> groups = parameter_groups(o.config, mine[i]);
    const double steps = run_steps(config_, per_epoch);
    std::optional<Schedule> schedule = task_->build_schedule(o.name, per_epoch, steps);
    if (!schedule) schedule = build_schedule(o.config, per_epoch);
    o.optimizer = task_->build_optimizer(o.name, groups, *schedule);
    if (!o.optimizer) o.optimizer = make_optimizer(o.config, groups, *schedule);
    if (o.config.schedule.type == "plateau") build_plateau(o);
  }
  track_buffers();
  begin_teachers(run_steps(config_, per_epoch));
}

/// The teacher of a task that has one follows from now on.
void Loop::begin_teachers(double steps) {
  const auto pairs = task_->teacher();
  if (pairs.empty()) return;
  if (steps < 1) {
    config_.fail("optim.teacher_end",
                 "a teacher's coefficient needs the run's length: set trainer.max_steps");
  }
  std::size_t found = 0;
  for (NamedOptimizer& o : optimizers_) {
    const std::size_t before = found;
    std::vector<Tensor> teachers;  // one for each parameter that learns, undefined where none is
    for (const optim::Item& item : o.optimizer->items()) {
      if (item.tracked) continue;
      teachers.emplace_back();
      for (const auto& [student, teacher] : pairs) {
        if (student.raw() != item.parameter.raw()) continue;
        check(!teacher.requires_grad(), ErrorKind::argument, "task: the teacher of ",
              item.parameter.name, " wants a gradient; a teacher only follows");
        teachers.back() = teacher;
        ++found;
      }
    }
    if (found == before) continue;
    const double start = o.config.optim.teacher_start, end = o.config.optim.teacher_end;
    o.optimizer->teach(
        teachers, Schedule([=](std::int64_t s) {
          const double at = std::min(1.0, static_cast<double>(s) / steps);
          return optim::Rate{end - (end - start) * (std::cos(3.14159265358979323846 * at) + 1) / 2};
        }));
  }
  check(found == pairs.size(), ErrorKind::argument, "task: ", pairs.size() - found, " of ",
        pairs.size(), " teachers follow what is no parameter of the optimizer");
}

/// The rate falls when trainer.training_metric no longer improves; a warm-up goes on beside it.
void Loop::build_plateau(NamedOptimizer& o) {
  const ScheduleConfig& c = o.config.schedule;
  if (!selection_.active())
    o.config.fail("schedule.type", "plateau watches trainer.training_metric: set it");
  if (!(c.gamma > 0 && c.gamma < 1))
    o.config.fail("schedule.gamma", "plateau needs a factor between 0 and 1");
  optim::PlateauOptions options;
  options.maximize = config_.trainer.direction == "max";
  options.factor = c.gamma;
  options.patience = static_cast<int>(c.patience);
  options.threshold = c.threshold;
  options.cooldown = static_cast<int>(c.cooldown);
  options.min_lr = c.final * o.config.optim.lr;
  o.plateau = std::make_unique<optim::Plateau>(*o.optimizer, options);
}

void Loop::use_given_rates() {
  for (const NamedOptimizer& o : optimizers_) {
    for (const std::string& name : o.optimizer->groups()) {
      double lr = o.config.optim.lr;
      for (const GroupConfig& group : o.config.optim.groups)
        if (group.name == name) lr = group.lr;
      o.optimizer->set_lr(name, lr);
    }
  }
}

}  // namespace gradus::trainer
