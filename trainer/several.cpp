// Several optimizers: which parameters each has, and which of them move in a step.
#include "gradus/autograd/node.h"
#include "gradus/trainer/loop.h"
#include "gradus/trainer/patterns.h"

namespace gradus::trainer {
namespace {

/// Dotted parts that two names begin with in common.
std::size_t common_parts(std::string_view a, std::string_view b) {
  std::size_t parts = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i) parts += a[i] == '.';
  return parts;
}

}  // namespace

optim::Optimizer& Loop::optimizer(const std::string& name) {
  check(!optimizers_.empty(), ErrorKind::argument,
        "trainer: the optimizer is made when training begins");
  for (NamedOptimizer& o : optimizers_)
    if (o.name == name) return *o.optimizer;
  raise(ErrorKind::argument, {"trainer: there is no optimizer \"", name, "\""});
}

std::vector<std::string> Loop::optimizer_names() const {
  std::vector<std::string> names;
  for (const NamedOptimizer& o : optimizers_) names.push_back(o.name);
  return names;
}

/// What each optimizer moves. A parameter that learns, or will, has exactly one.
std::vector<std::vector<Parameter>> Loop::divided_parameters() const {
  std::vector<std::vector<Parameter>> mine(optimizers_.size());
  const auto is_frozen = [&](const Parameter& p) {
    for (const Parameter& f : frozen_)
      if (f.raw() == p.raw()) return true;
    return false;
  };
  const auto patterns = [&](std::size_t i) -> const std::vector<std::string>* {
    const auto found = config_.optimizers.find(optimizers_[i].name);
    return found == config_.optimizers.end() || found->second.parameters.empty()
               ? nullptr
               : &found->second.parameters;
  };
  for (const Parameter& p : task_->module().named_parameters()) {
    const bool later = config_.trainer.unfreeze_at > 0 && is_frozen(p);
    if (!p.requires_grad() && !later) continue;  // what never learns has no optimizer
    std::optional<std::size_t> owner, rest;
    for (std::size_t i = 0; i < optimizers_.size(); ++i) {
      const auto* names = patterns(i);
      if (names == nullptr) rest = i;
      if (names == nullptr || !matches_any(*names, p.name)) continue;
      if (owner) {
        config_.fail("optimizers." + optimizers_[i].name + ".parameters",
                     "parameter \"" + p.name + "\" belongs to \"" + optimizers_[*owner].name +
                         "\" already; it can have one optimizer");
      }
      owner = i;
    }
    if (!owner) owner = rest;
    if (!owner) {
      config_.fail("optimizers", "parameter \"" + p.name +
                                     "\" has no optimizer; name it in one, or in trainer.freeze");
    }
    mine[*owner].push_back(p);
  }
  for (std::size_t i = 0; i < mine.size(); ++i) {
    if (mine[i].empty() && several())
      config_.fail("optimizers." + optimizers_[i].name + ".parameters", "no parameter matches");
  }
  return mine;
}

/// An average covers the buffers that stand with its parameters: each belongs to the optimizer of
/// the parameter whose name it shares most of.
void Loop::track_buffers() {
  std::vector<std::vector<Parameter>> mine(optimizers_.size());
  for (const Parameter& buffer : task_->module().named_buffers()) {
    std::size_t owner = 0, most = 0;
    for (std::size_t i = 0; i < optimizers_.size(); ++i) {
      for (const optim::Item& item : optimizers_[i].optimizer->items()) {
        const std::size_t common = common_parts(item.parameter.name, buffer.name);
        if (common > most) owner = i, most = common;
      }
    }
    mine[owner].push_back(buffer);
  }
  for (std::size_t i = 0; i < mine.size(); ++i)
    optimizers_[i].optimizer->track(mine[i], optimizers_[i].config.optim.ema_copy_statistics);
}

/// Nothing is known yet of which move in it.
void Loop::begin_window() {
  for (NamedOptimizer& o : optimizers_) {
    o.optimizer->zero_grad();
    o.moves = true;
  }
  chosen_ = false;
  window_weight_ = 0;
}

/// The optimizers that a micro-batch names; the first one of a window decides.
void Loop::choose_moving(const StepResult& result) {
  const auto named = [&](const NamedOptimizer& o) {
    for (const std::string& name : result.optimizers)
      if (name == o.name) return true;
    return result.optimizers.empty();
  };
  std::size_t count = 0;
  const NamedOptimizer* first = nullptr;
  for (NamedOptimizer& o : optimizers_) {
    const bool moves = named(o);
    check(!chosen_ || moves == o.moves, ErrorKind::argument,
          "task: the micro-batches of one step name different optimizers: \"", o.name, "\" ",
          moves ? "only later" : "only at first");
    o.moves = moves;
    count += moves;
    if (!moves) continue;
    const bool together = first == nullptr || !scales_ ||
                          (first->config.optim.loss_scale.fixed > 0 &&
                           first->config.optim.loss_scale.fixed == o.config.optim.loss_scale.fixed);
    check(together, ErrorKind::argument, "task: the optimizers \"", first ? first->name : "",
          "\" and \"", o.name,
          "\" have loss scales of their own; let a step move one of them (StepResult::optimizers)");
    if (first == nullptr) first = &o;
  }
  check(count >= (result.optimizers.empty() ? 1 : result.optimizers.size()), ErrorKind::argument,
        "task: a step names an optimizer that there is not, or one twice; there are ",
        optimizers_.size());
  chosen_ = true;
}

/// Whether a parameter gets a gradient in this window.
bool Loop::moves(const Parameter& p) const {
  const Leaf* leaf = leaf_of(p);
  for (const NamedOptimizer& o : optimizers_)
    if (o.moves && leaf != nullptr && o.optimizer->moves(*leaf)) return true;
  return false;
}

/// Whose loss scale multiplies the losses of this window.
optim::Optimizer& Loop::scaling_optimizer() const {
  for (const NamedOptimizer& o : optimizers_)
    if (o.moves) return *o.optimizer;
  return *optimizers_.front().optimizer;
}

bool Loop::has_average() const {
  for (const NamedOptimizer& o : optimizers_)
    if (o.has_average()) return true;
  return false;
}

/// Of all optimizers, under the model's own names.
std::map<std::string, Tensor> Loop::averages() const {
  std::map<std::string, Tensor> all;
  for (const NamedOptimizer& o : optimizers_)
    if (o.has_average()) all.merge(o.optimizer->ema_state_dict());
  return all;
}

void Loop::put_averages_in() {
  for (NamedOptimizer& o : optimizers_)
    if (o.has_average()) o.averaged.emplace(o.optimizer->ema());
}

void Loop::take_averages_out() {
  for (NamedOptimizer& o : optimizers_) o.averaged.reset();
}

}  // namespace gradus::trainer
