// From the options of each optimizer to the rule of a group.
#include "gradus/kernels/update.h"
#include "gradus/optim/adam.h"
#include "gradus/optim/lamb.h"
#include "gradus/optim/lars.h"
#include "gradus/optim/lion.h"
#include "gradus/optim/muon.h"
#include "gradus/optim/rmsprop.h"
#include "gradus/optim/sgd.h"

namespace gradus::optim {
namespace {

template <class Rule>
GroupRule group_rule(const Rule& rule, double lr, double momentum, double decay) {
  return {ops::call<rules::All>(rule),
          Rule::slots,
          lr,
          momentum,
          decay,
          Rule::kind == rules::Kind::needs_norms,
          rules::prepares<Rule>,
          rules::scratch_slots<Rule>};
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

RMSprop::RMSprop(std::vector<Group> groups, const RMSpropOptions& o)
    : Optimizer("rmsprop", std::move(groups), common_options(o), [o](const GroupOptions& g) {
        refuse("rmsprop", "betas", g.betas.has_value());
        const double lr = g.lr.value_or(o.lr), momentum = g.momentum.value_or(o.momentum);
        const double decay = g.weight_decay.value_or(o.weight_decay), eps = g.eps.value_or(o.eps);
        check_beta("rmsprop", o.alpha);
        const auto rule = [&]<bool centered, bool with_momentum> {
          return group_rule(rules::RmsProp<centered, with_momentum>{o.alpha, eps}, lr, momentum,
                            decay);
        };
        if (o.centered)
          return momentum > 0 ? rule.template operator()<true, true>()
                              : rule.template operator()<true, false>();
        return momentum > 0 ? rule.template operator()<false, true>()
                            : rule.template operator()<false, false>();
      }) {}

Adagrad::Adagrad(std::vector<Group> groups, const AdagradOptions& o)
    : Optimizer("adagrad", std::move(groups), common_options(o), [o](const GroupOptions& g) {
        refuse("adagrad", "betas", g.betas.has_value());
        refuse("adagrad", "a momentum", g.momentum.has_value());
        return group_rule(
            rules::Adagrad{o.lr_decay, g.eps.value_or(o.eps), o.initial_accumulator_value},
            g.lr.value_or(o.lr), 0, g.weight_decay.value_or(o.weight_decay));
      }) {}

Lion::Lion(std::vector<Group> groups, const LionOptions& o)
    : Optimizer("lion", std::move(groups), common_options(o), [o](const GroupOptions& g) {
        refuse("lion", "a momentum", g.momentum.has_value());
        refuse("lion", "eps", g.eps.has_value());
        const auto betas = g.betas.value_or(o.betas);
        for (const double beta : betas) check_beta("lion", beta);
        return group_rule(rules::Lion{betas[1]}, g.lr.value_or(o.lr), betas[0],
                          g.weight_decay.value_or(o.weight_decay));
      }) {}

Adan::Adan(std::vector<Group> groups, const AdanOptions& o)
    : Optimizer("adan", std::move(groups), common_options(o), [o](const GroupOptions& g) {
        refuse("adan", "a momentum", g.momentum.has_value());
        refuse("adan", "two betas, of which Adan has three,", g.betas.has_value());
        for (const double beta : o.betas) check_beta("adan", beta);
        return group_rule(
            rules::Adan{o.betas[1], o.betas[2], g.eps.value_or(o.eps), o.no_prox ? 1.0 : 0.0},
            g.lr.value_or(o.lr), o.betas[0], g.weight_decay.value_or(o.weight_decay));
      }) {}

LARS::LARS(std::vector<Group> groups, const LARSOptions& o)
    : Optimizer("lars", std::move(groups), common_options(o), [o](const GroupOptions& g) {
        refuse("lars", "betas", g.betas.has_value());
        check(o.grad_norm_type == NormType::two, ErrorKind::argument,
              "lars: its rates come from the same sums as the gradient norm: grad_norm_type must "
              "be two");
        return group_rule(rules::Lars{o.eta, g.eps.value_or(o.eps)}, g.lr.value_or(o.lr),
                          g.momentum.value_or(o.momentum), g.weight_decay.value_or(o.weight_decay));
      }) {}

LAMB::LAMB(std::vector<Group> groups, const LAMBOptions& o)
    : Optimizer("lamb", std::move(groups), common_options(o),
                [o](const GroupOptions& g) { return adam_rule<rules::Lamb>(o, g); }) {}

Muon::Muon(std::vector<Group> groups, const MuonOptions& o)
    : Optimizer("muon", std::move(groups), common_options(o), [o](const GroupOptions& g) {
        refuse("muon", "betas", g.betas.has_value());
        const double momentum = g.momentum.value_or(o.momentum);
        check(momentum >= 0 && momentum <= 1, ErrorKind::argument,
              "muon: expected 0 <= momentum <= 1, got ", momentum);
        check(o.ns_steps >= 0 && o.ns_steps < 100, ErrorKind::argument,
              "muon: expected 0 <= ns_steps < 100, got ", o.ns_steps);
        GroupRule rule = group_rule(rules::Muon{o.nesterov ? 1.0 : 0.0}, g.lr.value_or(o.lr),
                                    momentum, g.weight_decay.value_or(o.weight_decay));
        rule.reshape = [options = o, eps = g.eps.value_or(o.eps)](const Tensor& update) {
          make_orthogonal(update, options, eps);
        };
        return rule;
      }) {}

}  // namespace gradus::optim
