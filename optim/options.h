// What optimizers are told: parameters, groups, and the options they all share.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gradus/autograd/parameter.h"
#include "gradus/optim/schedule.h"

namespace gradus::optim {

/// Parameters in any of the forms a program has them in. Tensors without a name are numbered.
class Parameters {
 public:
  Parameters(std::vector<Parameter> parameters);
  Parameters(const std::vector<Tensor>& tensors);
  Parameters(std::initializer_list<Tensor> tensors);
  const std::vector<Parameter>& list() const { return list_; }

 private:
  std::vector<Parameter> list_;
};

/// What a group does otherwise than the optimizer's own options say.
struct GroupOptions {
  std::optional<double> lr = {}, weight_decay = {};
  std::optional<double> momentum = {};              // of rules with a momentum
  std::optional<std::array<double, 2>> betas = {};  // of the Adam family
  std::optional<double> eps = {};
  std::optional<Schedule> schedule = {};
  std::optional<bool> decay_by_role = {};
};

struct Group {
  std::string name;
  Parameters parameters;
  GroupOptions options = {};
};

/// All of them in one group, "default".
std::vector<Group> one_group(const Parameters& parameters);

/// torch.cuda.amp.GradScaler's defaults. interval = 0: the scale stays at `init`. A scale that
/// would fall below `min` halts the optimizer.
struct LossScale {
  double init = 65536, growth = 2, backoff = 0.5;
  int interval = 2000;
  double min = 1e-4;
};

/// Clips by `factor` times a quantile of the last `window` applied norms (linear between
/// neighbours), from the moment there are `after` of them. max_grad_norm bounds it from above.
struct DynamicClip {
  double quantile = 0.9;
  int window = 1000;
  double factor = 1;
  int after = 100;
};

enum class NormType { two, infinity };

/// The options every optimizer has; C++ has no designated initialisers for base classes.
#define GRADUS_COMMON_OPTIONS                                                              \
  Schedule schedule = {};                                                                  \
  double max_grad_norm = 0; /* clip by the global norm; 0: the norm is only recorded */    \
  NormType grad_norm_type = NormType::two;                                                 \
  double max_grad_value = 0; /* clip each element; 0: not */                               \
  std::optional<DynamicClip> dynamic_clip = {};                                            \
  double ema_decay = 0;       /* keep a moving average of everything; 0: none */           \
  bool ema_adaptive = false;  /* decay min(ema_decay, (1 + t) / (10 + t)), t = 1, 2 ... */ \
  bool decay_by_role = false; /* no decay for biases, norms and embeddings */              \
  bool skip_non_finite = true;                                                             \
  bool halt_on_non_finite = false;                                                         \
  int max_bad_steps = 0; /* in a row, without a dynamic scale; more halts. 0: no limit */  \
  /* bf16 parameters keep the lower half of their f32 master only: exact, 2 bytes less */  \
  bool split_master = false;                                                               \
  std::optional<LossScale> loss_scale = {}

struct CommonOptions {
  GRADUS_COMMON_OPTIONS;
};

/// The common part of any optimizer's options.
template <class Options>
CommonOptions common_options(const Options& o) {
  return {o.schedule,        o.max_grad_norm,      o.grad_norm_type, o.max_grad_value,
          o.dynamic_clip,    o.ema_decay,          o.ema_adaptive,   o.decay_by_role,
          o.skip_non_finite, o.halt_on_non_finite, o.max_bad_steps,  o.split_master,
          o.loss_scale};
}

}  // namespace gradus::optim
