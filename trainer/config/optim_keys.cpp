// The keys of [optim] and [schedule]: how the weights move.
#include "gradus/trainer/config.h"
#include "gradus/trainer/config/key.h"

namespace gradus::trainer {

Keys keys(GroupConfig& c) {
  return {
      Key("name", &c.name, "Name of the group in logs.").must_be_set(),
      Key("parameters", &c.parameters, "Patterns of parameter names.")
          .must_be_set()
          .like({"params"}),
      Key("lr", &c.lr, "Learning rate.").at_least(0).like({"learning_rate"}),
      Key("weight_decay", &c.weight_decay, "Weight decay.").at_least(0).like({"wd"}),
      Key("decay_by_role", &c.decay_by_role, "No decay for its biases, norms and embeddings.")
          .like({"no_bias_decay"}),
  };
}

namespace {

Keys keys(LossScaleConfig& c) {
  return {
      Key("init", &c.init, "What the loss is multiplied by at first.").above(0),
      Key("growth", &c.growth, "Factor after `interval` good steps in a row.").above(1),
      Key("backoff", &c.backoff, "Factor after a step with a non-finite gradient, below 1.")
          .above(0)
          .at_most(0.999999),
      Key("interval", &c.interval, "steps", "Good steps before it grows.").at_least(1).at_most(1e9),
      Key("min", &c.min, "Below it the run counts as diverged.").above(0),
  };
}

Keys keys(DynamicClipConfig& c) {
  return {
      Key("quantile", &c.quantile, "Clip at this quantile of the last norms (0.9); 0: not.")
          .at_least(0)
          .at_most(1),
      Key("window", &c.window, "steps", "How many applied norms count.").at_least(1).at_most(1e6),
      Key("factor", &c.factor, "Times the quantile.").above(0),
      Key("after", &c.after, "steps", "From when there are so many norms.")
          .at_least(1)
          .at_most(1e6),
  };
}

}  // namespace

Keys keys(OptimConfig& c) {
  // A group's own values, if they are not set, are known when all is read.
  const auto group = [] { return GroupConfig{}; };
  return {
      Key("type", &c.type, "The update rule.")
          .one_of({"sgd", "adam", "adamw", "rmsprop", "adagrad", "lars", "lamb", "lion", "adan",
                   "muon"})
          .like({"optimizer", "optim", "opt"}),
      Key("lr", &c.lr, "Learning rate before the schedule.")
          .at_least(0)
          .like({"learning_rate", "base_lr", "max_lr"}),
      Key("weight_decay", &c.weight_decay, "Weight decay.").at_least(0).like({"wd", "decay", "l2"}),
      Key("decay_by_role", &c.decay_by_role, "No decay for biases, norms and embeddings.")
          .like({"no_bias_decay"}),
      Key("betas", &c.betas,
          "Decay rates of the Adam family, lion's two and adan's three; if not set, the rule's "
          "own.")
          .at_least(0)
          .at_most(1)
          .like({"beta", "beta1", "beta2"}),
      Key("eps", &c.eps,
          "Term in the denominator; if not set, 1e-8; of adagrad 1e-10, lamb "
          "1e-6, muon 1e-7.")
          .at_least(0)
          .like({"epsilon"}),
      Key("momentum", &c.momentum,
          "Of sgd and rmsprop; of lars 0.9, of muon 0.95 if "
          "not set.")
          .at_least(0)
          .at_most(1),
      Key("nesterov", &c.nesterov, "sgd with Nesterov's momentum; muon has it if not set."),
      Key("dampening", &c.dampening, "Of sgd's momentum.").at_least(0).at_most(1),
      Key("alpha", &c.alpha, "rmsprop's decay of the mean square.").at_least(0).at_most(1),
      Key("centered", &c.centered, "rmsprop by the variance in place of the mean square."),
      Key("lr_decay", &c.lr_decay, "adagrad: lr / (1 + steps lr_decay).").at_least(0),
      Key("initial_accumulator", &c.initial_accumulator, "What adagrad's sum begins with.")
          .at_least(0)
          .like({"initial_accumulator_value"}),
      Key("eta", &c.eta, "lars: a parameter's rate is eta |w| / (|g| + weight_decay |w| + eps).")
          .above(0)
          .like({"trust_coefficient"}),
      Key("no_prox", &c.no_prox, "adan: decay multiplies by 1 - lr decay before the step."),
      Key("ns_steps", &c.ns_steps, "muon: Newton-Schulz steps of each update.")
          .at_least(0)
          .at_most(99),
      Key("adjust_lr", &c.adjust_lr,
          "muon, of a matrix (A, B): lr sqrt(max(1, A / B)), or 0.2 lr sqrt(max(A, B)), which goes "
          "with adamw's lr and decay.")
          .one_of({"original", "match_rms_adamw"})
          .like({"adjust_lr_fn"}),
      Key("max_grad_norm", &c.max_grad_norm, "Clip the gradients' global norm; 0: only record it.")
          .at_least(0)
          .like({"clip", "clip_norm", "grad_clip", "clip_grad_norm", "gradient_clip_val"}),
      Key("grad_norm_type", &c.grad_norm_type, "The norm of that: 2, or the largest magnitude.")
          .one_of({"two", "infinity"})
          .like({"norm_type"}),
      Key("max_grad_value", &c.max_grad_value, "Clip every element of the gradient; 0: not.")
          .at_least(0)
          .like({"clip_value", "clip_grad_value"}),
      Key("dynamic_clip", keys(c.dynamic_clip),
          "Clip by factor times a quantile of the last applied steps' norms."),
      Key("loss_scale", keys(c.loss_scale),
          "Of run.precision = \"fp16\": the dynamic scale of the loss, or a number for a fixed "
          "one.")
          .or_number(&c.loss_scale.fixed)
          .like({"grad_scaler", "init_scale"}),
      Key("ema_decay", &c.ema_decay, "Decay of the weights' moving average; 0: none.")
          .at_least(0)
          .at_most(1)
          .like({"ema", "average_decay"}),
      Key("ema_adaptive", &c.ema_adaptive,
          "Decay min(ema_decay, (1 + t) / (10 + t)) at the t-th applied step."),
      Key("ema_copy_statistics", &c.ema_copy_statistics,
          "Copy running statistics in place of averaging them."),
      Key("teacher_start", &c.teacher_start,
          "What a task's teacher keeps of itself each applied step, at first.")
          .at_least(0)
          .at_most(1),
      Key("teacher_end", &c.teacher_end, "And at the run's end, by half a cosine.")
          .at_least(0)
          .at_most(1),
      Key("groups", listed<GroupConfig>(c.groups, trainer::keys, group),
          "Parameters with values of their own; first match wins, the rest take those above.")
          .like({"param_groups"}),
  };
}

Keys keys(OptimizerConfig& c) {
  Keys all = {Key("parameters", &c.parameters,
                  "Patterns of the names of what it moves; empty: what no other optimizer names.")
                  .like({"params"})};
  for (Key& key : keys(c.optim)) all.push_back(std::move(key));
  all.push_back(Key("schedule", keys(c.schedule), "Its learning rate over its own steps."));
  return all;
}

Keys keys(ScheduleConfig& c) {
  return {
      Key("type", &c.type, "How the learning rate moves with applied steps.")
          .one_of({"constant", "linear", "cosine", "one_cycle", "step", "multi_step", "exponential",
                   "cyclic", "polynomial", "restarts", "credit_lambda", "three_step", "plateau"})
          .like({"scheduler", "schedule", "lr_scheduler"}),
      Key("unit", &c.unit, "What warmup, length, period and milestones count.")
          .one_of({"steps", "epochs", "fraction"}),
      Key("warmup", &c.warmup, "unit", "Linear warm-up before the schedule starts.")
          .at_least(0)
          .like({"warmup_steps", "num_warmup_steps", "warmup_epochs"}),
      Key("length", &c.length, "unit", "Length with the warm-up; 0: up to the end of the run.")
          .at_least(0)
          .like({"total_steps", "t_max", "decay_steps"}),
      Key("final", &c.final, "Last value, as a share of lr.")
          .at_least(0)
          .like({"min_lr", "eta_min"}),
      Key("gamma", &c.gamma,
          "Factor of step, multi_step, exponential and plateau; of restarts 1 if not set.")
          .at_least(0),
      Key("period", &c.period, "unit", "Length of the first period of step, cyclic and restarts.")
          .at_least(0)
          .like({"step_size", "t_0"}),
      Key("mult", &c.mult, "Growth of the period of restarts.")
          .at_least(1)
          .at_most(1000)
          .like({"t_mult"}),
      Key("power", &c.power, "Exponent of polynomial.").at_least(0),
      Key("milestones", &c.milestones, "unit", "Where multi_step multiplies.").at_least(0),
      Key("patience", &c.patience, "validations", "How many without improvement plateau tolerates.")
          .at_least(0)
          .at_most(1e9),
      Key("cooldown", &c.cooldown, "validations", "How many plateau passes over after it acted.")
          .at_least(0)
          .at_most(1e9),
      Key("threshold", &c.threshold, "What plateau takes for an improvement: a share of the best.")
          .at_least(0),
  };
}

}  // namespace gradus::trainer
