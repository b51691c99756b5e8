#include "gradus/optim/optimizer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/optim/epilogue.h"

namespace gradus::optim {
namespace {

epilogue::Policy policy_of(const CommonOptions& o) {
  epilogue::Policy p;
  p.max_norm = o.max_grad_norm;
  p.max_value = o.max_grad_value;
  p.infinity_norm = o.grad_norm_type == NormType::infinity;
  p.skip_non_finite = o.skip_non_finite;
  p.halt_on_non_finite = o.halt_on_non_finite;
  p.max_bad_in_row = o.max_bad_steps;
  if (o.loss_scale) {
    p.growth_interval = o.loss_scale->interval;
    p.growth = o.loss_scale->growth;
    p.backoff = o.loss_scale->backoff;
    p.min_scale = o.loss_scale->min;
  }
  if (o.dynamic_clip) {
    p.window = o.dynamic_clip->window;
    p.quantile = o.dynamic_clip->quantile;
    p.clip_factor = o.dynamic_clip->factor;
    p.clip_after = o.dynamic_clip->after;
  }
  return p;
}

void check_options(const char* name, const CommonOptions& o) {
  check(o.max_grad_norm >= 0 && o.max_grad_value >= 0, ErrorKind::argument, name,
        ": max_grad_norm and max_grad_value must not be negative, got ", o.max_grad_norm, " and ",
        o.max_grad_value);
  check(o.ema_decay >= 0 && o.ema_decay <= 1, ErrorKind::argument, name,
        ": expected 0 <= ema_decay <= 1, got ", o.ema_decay);
  if (o.dynamic_clip) {
    const DynamicClip& d = *o.dynamic_clip;
    check(d.quantile >= 0 && d.quantile <= 1 && d.factor > 0 && d.window > 0 && d.after <= d.window,
          ErrorKind::argument, name,
          ": dynamic_clip: expected 0 <= quantile <= 1, factor > 0, 0 < window, after <= window; "
          "got quantile ",
          d.quantile, ", factor ", d.factor, ", window ", d.window, ", after ", d.after);
  }
  if (!o.loss_scale) return;
  const LossScale& l = *o.loss_scale;
  check(l.init > 0 && l.growth > 1 && l.backoff > 0 && l.backoff < 1 && l.interval >= 0,
        ErrorKind::argument, name,
        ": loss_scale: expected init > 0, growth > 1, 0 < backoff < 1, interval >= 0; got init ",
        l.init, ", growth ", l.growth, ", backoff ", l.backoff, ", interval ", l.interval);
}

bool decays(Role role, bool by_role) {
  return !by_role || (role != Role::bias && role != Role::norm && role != Role::embedding);
}

}  // namespace

Parameters::Parameters(std::vector<Parameter> parameters) : list_(std::move(parameters)) {}
Parameters::Parameters(const std::vector<Tensor>& tensors) {
  for (const Tensor& t : tensors) list_.push_back(Parameter{t, "", Role::weight});
}
Parameters::Parameters(std::initializer_list<Tensor> tensors)
    : Parameters(std::vector<Tensor>(tensors)) {}

std::vector<Group> one_group(const Parameters& parameters) { return {{"default", parameters}}; }

Optimizer::~Optimizer() = default;

Optimizer::Optimizer(const char* name, std::vector<Group> groups, const CommonOptions& common,
                     Resolve resolve)
    : name_(name),
      common_(common),
      resolve_(std::move(resolve)),
      segments_(name, common.split_master) {
  check_options(name, common);
  policy_.here.push_back(policy_of(common));
  check(!groups.empty(), ErrorKind::argument, name, ": no parameters to optimize");
  for (Group& g : groups) take(std::move(g));
  check(!segments_.items().empty(), ErrorKind::argument, name, ": no parameters to optimize");
  StepState begin;
  if (common.loss_scale) begin.loss_scale = double(float(common.loss_scale->init));
  static_assert(sizeof(StepState) % 8 == 0);
  state_ = empty({sizeof(StepState) / 8}, {Dtype::i64, segments_.device()});
  write_state(begin);
  norms_ = zeros({2 * policy_.here[0].window}, {Dtype::f64, segments_.device()});
  ring_rows_ = segments_.device().is_cpu() ? 64 : 1024;
  fill_rules();
}

void Optimizer::take(Group group) {
  check(std::none_of(groups_.begin(), groups_.end(),
                     [&](const GroupState& g) { return g.name == group.name; }),
        ErrorKind::argument, name_, ": two groups are named '", group.name, "'");
  const GroupRule rule = resolve_(group.options);
  check(rule.lr >= 0 && rule.decay >= 0, ErrorKind::argument, name_, ": group '", group.name,
        "': lr and weight_decay must not be negative, got ", rule.lr, " and ", rule.decay);
  std::vector<NewItem> items;
  for (const Parameter& p : group.parameters.list()) {
    check(!rule.reshape || (p.defined() && p.dim() >= 2), ErrorKind::shape, name_,
          ": it moves matrices, but parameter '", p.name, "' has shape ",
          p.defined() ? p.shape() : Shape{}, "; give vectors to another optimizer, such as AdamW");
    // Without decay_by_role PyTorch's way: everything decays.
    const bool by_role = group.options.decay_by_role.value_or(common_.decay_by_role);
    const std::uint32_t flags =
        decays(p.role, by_role) ? epilogue::Segment::decay | epilogue::Segment::adapt : 0;
    items.push_back({p, static_cast<std::int32_t>(groups_.size()), rule.slots, flags,
                     /*tracked=*/false, rule.scratch});
  }
  segments_.add(std::move(items), common_.ema_decay > 0 ? 1 : 0);
  groups_.push_back({group.name, rule, group.options.schedule.value_or(common_.schedule)});
}

void Optimizer::add_group(Group group) {
  check_not_swapped("add_group");
  take(std::move(group));
  fill_rules();
}

void Optimizer::fill_rules() {
  rules_.here.clear();
  table_.needs_norms = table_.prepares = false;
  for (const GroupState& g : groups_) {
    rules_.here.push_back(g.rule.call);
    table_.needs_norms = table_.needs_norms || g.rule.needs_norms;
    table_.prepares = table_.prepares || g.rule.prepares;
  }
  ring_.here.assign(groups_.size() * static_cast<std::size_t>(ring_rows_), {});
  ring_first_ = ring_end_ = 0;
}

/// Points the table to everything as it is now. Before every launch.
void Optimizer::fill_table() {
  const Device device = segments_.device();
  segments_.refresh();
  segments_.fill(table_);
  table_.ring = ring_.on(device);
  table_.ring_rows = ring_rows_;
  table_.groups = static_cast<std::int32_t>(groups_.size());
  table_.rules = rules_.on(device);
  table_.norms = static_cast<double*>(norms_.data());
  table_.policy = policy_.on(device);
  table_.state = static_cast<StepState*>(state_.data());
}

StepState Optimizer::state() const {
  StepState s;
  const Tensor here = state_.to(Device::cpu());
  std::memcpy(&s, here.data(), sizeof s);
  known_applied_ = s.applied;
  begun_since_ = 0;
  return s;
}

void Optimizer::write_state(const StepState& state) {
  copy_into(from_data(&state, state_.shape(), {Dtype::i64}), state_);
  known_applied_ = state.applied;
  begun_since_ = 0;
}

double Optimizer::average_decay(std::int64_t s) const {
  const double t = static_cast<double>(s - average_since_ + 1);
  if (common_.ema_adaptive) return std::min(common_.ema_decay, (1 + t) / (10 + t));
  return t == 1 ? 0 : common_.ema_decay;
}

void Optimizer::restart_average() {
  average_since_ = state().applied;
  ring_end_ = 0;
}

/// Writes the rows of the next applied steps, of which the device will use the one it has come to.
/// Steps may have been skipped since the host last looked: the ring covers all that may be next,
/// and on a GPU the host looks again, and so waits, once in a ring.
void Optimizer::fill_ring() {
  const auto covered = [&] {
    return known_applied_ >= ring_first_ && known_applied_ + begun_since_ < ring_end_;
  };
  if (segments_.device().is_cpu() || known_applied_ + begun_since_ >= ring_first_ + ring_rows_)
    state();
  if (covered()) return;
  for (std::int64_t s = known_applied_; s < known_applied_ + ring_rows_; ++s) {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const GroupState& group = groups_[g];
      const Rate rate = group.schedule.at(s - schedule_since_);
      ring_.here[static_cast<std::size_t>(s % ring_rows_) * groups_.size() + g] = {
          group.rule.lr * rate.lr, rate.momentum.value_or(group.rule.momentum), group.rule.decay,
          average_decay(s), teacher_.at(s).lr};
    }
  }
  ring_first_ = known_applied_;
  ring_end_ = known_applied_ + ring_rows_;
}

/// The pass of rules that need their whole update before they apply it. A step that is not to be
/// applied leaves the slots as they are; what is made of the scratch then is used by nobody.
void Optimizer::prepare_updates() {
  epilogue::prepare(table_, segments_.device());
  for (std::size_t i = 0; i < items().size(); ++i) {
    const GroupRule& rule = groups_[static_cast<std::size_t>(segments_.group(i))].rule;
    const Item& item = items()[i];
    if (rule.reshape && !item.tracked && segments_.updates(i))
      rule.reshape(item.state[item.slots.size() - 1]);
  }
}

void Optimizer::step() {
  check_not_swapped("step");
  fill_ring();
  fill_table();
  const Device device = segments_.device();
  epilogue::stats(table_, device);
  epilogue::decide(table_, device);
  if (table_.prepares) prepare_updates();
  epilogue::apply(table_, device);
  ++begun_since_;
  segments_.written(Segments::Write::update);
}

void Optimizer::add_samples(double weight) {
  epilogue::add_samples(static_cast<StepState*>(state_.data()), weight, segments_.device());
}

/// A field of the StepState, in place.
Tensor Optimizer::field(std::size_t offset, Dtype dtype) const {
  return from_external(static_cast<char*>(state_.data()) + offset, {}, {},
                       {dtype, state_.device()});
}
/// The same as a tensor of its own.
Tensor Optimizer::read(std::size_t offset, Dtype dtype) const {
  return field(offset, dtype).clone();
}

void Optimizer::clear_samples() {
  dispatch<cpu::fill, cuda::fill>(state_.device(), field(offsetof(StepState, samples), Dtype::f64),
                                  0);
}

/// Afterwards samples x loss scale, by which the step divides, is 1.
void Optimizer::unscale_gradients() {
  const NoGrad guard;
  const Tensor samples = field(offsetof(StepState, samples), Dtype::f64);
  const Tensor scale = field(offsetof(StepState, loss_scale), Dtype::f64);
  const Tensor window = where(gt(samples, 0), samples, ones_like(samples)) * scale;
  for (const Item& item : items()) {
    if (item.tracked) continue;
    const Tensor g = item.parameter.grad();
    if (g.defined()) copy_into((g.to(Dtype::f64) / window).to(g.dtype()), g);
  }
  copy_into(reciprocal(scale), samples);
}
Tensor Optimizer::grad_norm() const { return read(offsetof(StepState, norm), Dtype::f64); }
Tensor Optimizer::applied() const { return read(offsetof(StepState, applied), Dtype::i64); }
Tensor Optimizer::skipped() const {
  return read(offsetof(StepState, attempted), Dtype::i64) - applied();
}
Tensor Optimizer::loss_scale() const { return read(offsetof(StepState, loss_scale), Dtype::f64); }
Tensor Optimizer::scale(const Tensor& loss) const { return loss * loss_scale().to(loss.dtype()); }

std::vector<std::string> Optimizer::non_finite_parameters() const {
  std::vector<std::string> names;
  for (const std::int32_t i : state().bad_segments) {
    if (i >= 0) names.push_back(items()[static_cast<std::size_t>(i)].parameter.name);
  }
  return names;
}

std::size_t Optimizer::group_index(const std::string& name) const {
  if (name.empty()) return 0;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].name == name) return g;
  }
  raise(ErrorKind::argument, {name_, ": there is no group named '", name, "'"});
}

std::vector<std::string> Optimizer::groups() const {
  std::vector<std::string> names;
  for (const GroupState& g : groups_) names.push_back(g.name);
  return names;
}

void Optimizer::set_lr(double lr) {
  for (const GroupState& g : groups_) set_lr(g.name, lr);
}

void Optimizer::set_lr(const std::string& group, double lr) {
  check(lr >= 0, ErrorKind::argument, name_, ": lr must not be negative, got ", lr);
  groups_[group_index(group)].rule.lr = lr;
  ring_end_ = 0;
}

double Optimizer::base_lr(const std::string& group) const {
  return groups_[group_index(group)].rule.lr;
}

double Optimizer::lr(const std::string& group) const { return lr_of(group, 0); }
double Optimizer::last_lr(const std::string& group) const { return lr_of(group, 1); }

/// So many applied steps ago.
double Optimizer::lr_of(const std::string& group, std::int64_t ago) const {
  const GroupState& g = groups_[group_index(group)];
  const std::int64_t applied = begun_since_ == 0 ? known_applied_ : state().applied;
  const std::int64_t at = applied - schedule_since_ - ago;
  return g.rule.lr * g.schedule.at(at < 0 ? 0 : at).lr;
}

void Optimizer::freeze(const std::string& group, bool frozen) {
  segments_.freeze_group(static_cast<std::int32_t>(group_index(group)), frozen);
}

}  // namespace gradus::optim
