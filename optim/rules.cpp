// From the options of each optimizer to the rule of a group.
#include "gradus/kernels/update.h"
#include "gradus/optim/adam.h"
#include "gradus/optim/sgd.h"

namespace gradus::optim {
namespace {

template <class Rule>
GroupRule group_rule(const Rule& rule, double lr, double momentum, double decay) {
  return {ops::call<rules::All>(rule), Rule::slots, lr, momentum, decay};
}

void refuse(const char* name, const char* option, bool given) {
  check(!given, ErrorKind::argument, name, ": a group was given ", option,
        ", which this rule does not have");
}

void check_beta(const char* name, double beta) {
  check(beta >= 0 && beta < 1, ErrorKind::argument, name, ": expected 0 <= beta < 1, got ", beta);
}

template <class Rule, class Options>
GroupRule adam_rule(const Options& o, const GroupOptions& g) {
  refuse(Rule::name, "a momentum", g.momentum.has_value());
  const auto betas = g.betas.value_or(o.betas);
  for (const double beta : betas) check_beta(Rule::name, beta);
  return group_rule(Rule{betas[1], g.eps.value_or(o.eps)}, g.lr.value_or(o.lr), betas[0],
                    g.weight_decay.value_or(o.weight_decay));
}

}  // namespace

SGD::SGD(std::vector<Group> groups, const SGDOptions& o)
    : Optimizer("sgd", std::move(groups), common_options(o), [o](const GroupOptions& g) {
        refuse("sgd", "betas", g.betas.has_value());
        refuse("sgd", "eps", g.eps.has_value());
        const double lr = g.lr.value_or(o.lr), momentum = g.momentum.value_or(o.momentum);
        const double decay = g.weight_decay.value_or(o.weight_decay);
        check(momentum >= 0, ErrorKind::argument, "sgd: momentum must not be negative, got ",
              momentum);
        check(!o.nesterov || (momentum > 0 && o.dampening == 0), ErrorKind::argument,
              "sgd: nesterov needs a momentum and no dampening");
        if (momentum == 0) return group_rule(rules::Sgd{}, lr, 0, decay);
        return group_rule(rules::SgdMomentum{o.dampening, o.nesterov ? 1.0 : 0.0}, lr, momentum,
                          decay);
      }) {}

Adam::Adam(std::vector<Group> groups, const AdamOptions& o)
    : Optimizer("adam", std::move(groups), common_options(o),
                [o](const GroupOptions& g) { return adam_rule<rules::Adam>(o, g); }) {}

AdamW::AdamW(std::vector<Group> groups, const AdamWOptions& o)
    : Optimizer("adamw", std::move(groups), common_options(o),
                [o](const GroupOptions& g) { return adam_rule<rules::AdamW>(o, g); }) {}

}  // namespace gradus::optim
