// From [optim] to an optimizer: the rule with its own options, and the options all rules share.
#include "gradus/optim/optim.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

template <std::size_t n>
std::array<double, n> betas_of(const Config& config) {
  const std::vector<double>& given = config.optim.betas;
  check(given.size() == n, ErrorKind::argument, "optim.betas: ", config.optim.type, " has ",
        static_cast<std::int64_t>(n), " decay rates");
  std::array<double, n> betas;
  std::copy(given.begin(), given.end(), betas.begin());
  return betas;
}

std::optional<optim::LossScale> loss_scale_of(const Config& config) {
  const LossScaleConfig& c = config.optim.loss_scale;
  if (c.fixed > 0) return optim::LossScale{.init = c.fixed, .interval = 0};
  if (config.run.precision != "fp16") return std::nullopt;
  return optim::LossScale{c.init, c.growth, c.backoff, static_cast<int>(c.interval), c.min};
}

/// The options that all rules share, put into those of one.
template <class Options>
Options with_common(const Config& config, const optim::Schedule& schedule, Options options) {
  const OptimConfig& o = config.optim;
  const TrainerConfig& t = config.trainer;
  options.schedule = schedule;
  options.max_grad_norm = o.max_grad_norm;
  options.grad_norm_type =
      o.grad_norm_type == "infinity" ? optim::NormType::infinity : optim::NormType::two;
  options.max_grad_value = o.max_grad_value;
  if (const DynamicClipConfig& d = o.dynamic_clip; d.quantile > 0) {
    if (d.after > d.window)
      config.fail("optim.dynamic_clip.after",
                  "there are never more norms than dynamic_clip.window");
    options.dynamic_clip = optim::DynamicClip{d.quantile, static_cast<int>(d.window), d.factor,
                                              static_cast<int>(d.after)};
  }
  options.ema_decay = o.ema_decay;
  options.ema_adaptive = o.ema_adaptive;
  options.decay_by_role = o.decay_by_role;
  options.loss_scale = loss_scale_of(config);
  // A dynamic scale finds its way by steps that overflow: what ends the run is its minimum.
  const bool dynamic = options.loss_scale && options.loss_scale->interval > 0;
  options.halt_on_non_finite = t.non_finite == "raise" && !dynamic;
  options.max_bad_steps = static_cast<int>(t.max_non_finite_retries);
  return options;
}

}  // namespace

std::unique_ptr<optim::Optimizer> make_optimizer(const Config& config,
                                                 std::vector<optim::Group> groups,
                                                 const optim::Schedule& schedule) {
  const OptimConfig& o = config.optim;
  const double lr = o.lr, decay = o.weight_decay;
  const auto make = [&]<class Rule, class Options>(Options options) {
    return std::unique_ptr<optim::Optimizer>(
        new Rule(std::move(groups), with_common(config, schedule, options)));
  };
  if (o.type == "sgd") {
    return make.template operator()<optim::SGD>(optim::SGDOptions{.lr = lr,
                                                                  .momentum = o.momentum,
                                                                  .dampening = o.dampening,
                                                                  .weight_decay = decay,
                                                                  .nesterov = o.nesterov});
  }
  if (o.type == "adam") {
    return make.template operator()<optim::Adam>(optim::AdamOptions{
        .lr = lr, .betas = betas_of<2>(config), .eps = o.eps, .weight_decay = decay});
  }
  if (o.type == "adamw") {
    return make.template operator()<optim::AdamW>(optim::AdamWOptions{
        .lr = lr, .betas = betas_of<2>(config), .eps = o.eps, .weight_decay = decay});
  }
  if (o.type == "rmsprop") {
    return make.template operator()<optim::RMSprop>(optim::RMSpropOptions{.lr = lr,
                                                                          .alpha = o.alpha,
                                                                          .eps = o.eps,
                                                                          .weight_decay = decay,
                                                                          .momentum = o.momentum,
                                                                          .centered = o.centered});
  }
  if (o.type == "adagrad") {
    return make.template operator()<optim::Adagrad>(
        optim::AdagradOptions{.lr = lr,
                              .lr_decay = o.lr_decay,
                              .weight_decay = decay,
                              .initial_accumulator_value = o.initial_accumulator,
                              .eps = o.eps});
  }
  if (o.type == "lars") {
    return make.template operator()<optim::LARS>(optim::LARSOptions{
        .lr = lr, .momentum = o.momentum, .weight_decay = decay, .eta = o.eta, .eps = o.eps});
  }
  if (o.type == "lion") {
    return make.template operator()<optim::Lion>(
        optim::LionOptions{.lr = lr, .betas = betas_of<2>(config), .weight_decay = decay});
  }
  if (o.type == "adan") {
    return make.template operator()<optim::Adan>(optim::AdanOptions{.lr = lr,
                                                                    .betas = betas_of<3>(config),
                                                                    .eps = o.eps,
                                                                    .weight_decay = decay,
                                                                    .no_prox = o.no_prox});
  }
  if (o.type == "lamb") {
    return make.template operator()<optim::LAMB>(optim::LAMBOptions{
        .lr = lr, .betas = betas_of<2>(config), .eps = o.eps, .weight_decay = decay});
  }
  if (o.type == "muon") {
    return make.template operator()<optim::Muon>(optim::MuonOptions{
        .lr = lr,
        .weight_decay = decay,
        .momentum = o.momentum,
        .nesterov = o.nesterov,
        .eps = o.eps,
        .ns_steps = static_cast<int>(o.ns_steps),
        .adjust_lr = o.adjust_lr == "original" ? optim::MuonRate::original
                                               : optim::MuonRate::match_rms_adamw});
  }
  config.fail("optim.type", "unknown optimizer \"" + o.type + "\"");
}

}  // namespace gradus::trainer
