// Saving and loading an optimizer, by the names of its parameters.
#include <algorithm>
#include <cstring>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optimizer.h"

namespace gradus::optim {
namespace {

struct ClockField {
  const char* name;
  std::size_t offset;
  Dtype dtype;
};
/// What a continued run needs of the clock; the rest belongs to one step.
constexpr ClockField clock_fields[] = {
    {"clock.attempted", offsetof(StepState, attempted), Dtype::i64},
    {"clock.applied", offsetof(StepState, applied), Dtype::i64},
    {"clock.loss_scale", offsetof(StepState, loss_scale), Dtype::f64},
    {"clock.norm", offsetof(StepState, norm), Dtype::f64},
    {"clock.good_steps", offsetof(StepState, good_steps), Dtype::i32},
    {"clock.bad_in_row", offsetof(StepState, bad_in_row), Dtype::i32},
    {"clock.halted_at", offsetof(StepState, halted_at), Dtype::i64},
    {"clock.norms", offsetof(StepState, norms), Dtype::i64},
};

template <class T>
Tensor scalar(T value) {
  return from_data(&value, {}, {dtype_of<T>});
}

/// Looks names up and refuses what does not fit, before anything is changed.
class Reader {
 public:
  Reader(const char* optimizer, const std::map<std::string, Tensor>& dict)
      : optimizer_(optimizer), dict_(dict) {}

  const Tensor& find(const std::string& key, const Shape& shape, Dtype dtype) const {
    const auto at = dict_.find(key);
    check(at != dict_.end(), ErrorKind::argument, optimizer_, ": load_state_dict: '", key,
          "' is missing");
    const Tensor& t = at->second;
    check(t.shape() == shape, ErrorKind::shape, optimizer_, ": load_state_dict: '", key,
          "' has shape ", t.shape(), ", expected ", shape);
    check(t.dtype() == dtype, ErrorKind::dtype, optimizer_, ": load_state_dict: '", key,
          "' has dtype ", t.dtype(), ", expected ", dtype);
    return t;
  }
  bool has(const std::string& key) const { return dict_.count(key) > 0; }

 private:
  const char* optimizer_;
  const std::map<std::string, Tensor>& dict_;
};

/// Calls f(key, tensor) for every slot of an item, and f(key, item) for its master weight.
template <class F>
void each_state(const Item& item, F&& f) {
  const std::string prefix = "state." + item.parameter.name + ".";
  for (std::size_t k = 0; k < item.slots.size() - item.scratch; ++k) {
    if (item.state[k]) f(prefix + item.slots[k], item.state[k]);
  }
  if (item.has_master()) f(prefix + "master", item);
}

struct Keep {
  std::map<std::string, Tensor>& dict;
  void operator()(const std::string& key, const Tensor& t) const { dict[key] = t.clone(); }
  void operator()(const std::string& key, const Item& item) const {
    dict[key] = item.remainder ? item.weight() : item.master.clone();
  }
};

}  // namespace

std::map<std::string, Tensor> Optimizer::state_dict(bool averages) const {
  check_not_swapped("state_dict");
  std::map<std::string, Tensor> dict;
  const std::vector<std::int64_t> steps = segments_.steps();
  for (std::size_t i = 0; i < items().size(); ++i) {
    const Item& item = items()[i];
    if (item.tracked) continue;
    each_state(item, Keep{dict});
    dict["state." + item.parameter.name + ".step"] = scalar(steps[i]);
  }
  for (const GroupState& g : groups_) dict["group." + g.name + ".lr"] = scalar(g.rule.lr);
  const StepState clock = state();
  const char* clock_bytes = reinterpret_cast<const char*>(&clock);
  for (const ClockField& f : clock_fields)
    dict[f.name] = from_data(clock_bytes + f.offset, {}, {f.dtype});
  dict["clock.average_since"] = scalar(average_since_);
  dict["clock.schedule_since"] = scalar(schedule_since_);
  if (policy_.here[0].window > 0)
    dict["clock.norm_window"] = norms_.slice(0, 0, policy_.here[0].window).clone();
  if (averages) {
    for (auto& [name, t] : ema_state_dict()) dict["ema." + name] = std::move(t);
  }
  return dict;
}

void Optimizer::load_state_dict(const std::map<std::string, Tensor>& dict, Parts parts) {
  check_not_swapped("load_state_dict");
  segments_.refresh();  // parameters that have begun to learn get their state
  const Reader reader(name_, dict);
  const Tensor ages = norms_.slice(0, 0, policy_.here[0].window);
  const auto each = [&](auto&& visit) {
    for (std::size_t i = 0; i < items().size(); ++i) {
      const Item& item = items()[i];
      if (!item.tracked && parts.state) {
        each_state(item, [&]<class To>(const std::string& key, const To& to) {
          if constexpr (std::is_same_v<To, Item>)
            visit(reader.find(key, item.parameter.shape(), Dtype::f32), to);
          else
            visit(reader.find(key, to.shape(), to.dtype()), to);
        });
        const std::string step = "state." + item.parameter.name + ".step";
        visit(reader.find(step, {}, Dtype::i64), i);
      }
      const std::string average = "ema." + item.parameter.name;
      if (item.average[0] && reader.has(average))
        visit(reader.find(average, item.average[0].shape(), item.average[0].dtype()),
              item.average[0]);
    }
    for (GroupState& g : groups_)
      if (parts.schedule) visit(reader.find("group." + g.name + ".lr", {}, Dtype::f64), g.rule.lr);
    for (const ClockField& f : clock_fields) {
      const bool scaler = f.offset == offsetof(StepState, loss_scale) ||
                          f.offset == offsetof(StepState, good_steps);
      const bool window = f.offset == offsetof(StepState, norms);
      if ((parts.scaler || !scaler) && (parts.state || !window))
        visit(reader.find(f.name, {}, f.dtype), f);
    }
    visit(reader.find("clock.average_since", {}, Dtype::i64), average_since_);
    if (parts.schedule && reader.has("clock.schedule_since"))  // older ones have none
      visit(reader.find("clock.schedule_since", {}, Dtype::i64), schedule_since_);
    if (policy_.here[0].window > 0 && parts.state)
      visit(reader.find("clock.norm_window", {policy_.here[0].window}, Dtype::f64), ages);
  };
  each([](const Tensor&, auto&&) {});  // finds what is wrong
  std::vector<std::int64_t> steps = segments_.steps();
  StepState clock = state();
  struct Load {
    std::vector<std::int64_t>& steps;
    StepState& clock;
    void operator()(const Tensor& from, const Tensor& to) const { copy_into(from, to); }
    void operator()(const Tensor& from, const Item& item) const { item.set_master(from); }
    void operator()(const Tensor& from, std::size_t i) const {
      steps[i] = from.item<std::int64_t>();
    }
    void operator()(const Tensor& from, double& to) const { to = from.item<double>(); }
    void operator()(const Tensor& from, std::int64_t& to) const { to = from.item<std::int64_t>(); }
    void operator()(const Tensor& from, const ClockField& f) const {
      const Tensor here = from.to(Device::cpu());
      std::memcpy(reinterpret_cast<char*>(&clock) + f.offset, here.data(), size_of(f.dtype));
    }
  };
  each(Load{steps, clock});
  segments_.set_steps(steps);
  write_state(clock);
  if (!parts.schedule) schedule_since_ = clock.applied;
  const std::int64_t window = policy_.here[0].window;
  std::vector<double> sorted = ages.to_vector<double>();
  sorted.resize(static_cast<std::size_t>(std::min<std::int64_t>(clock.norms, window)));
  std::sort(sorted.begin(), sorted.end());
  const std::int64_t count = static_cast<std::int64_t>(sorted.size());
  copy_into(from_data(sorted.data(), {count}, {Dtype::f64}),
            norms_.slice(0, window, window + count));
  segments_.written(Segments::Write::all);
  ring_end_ = 0;
}

std::map<std::string, Tensor> Optimizer::ema_state_dict() const {
  check_not_swapped("ema_state_dict");
  std::map<std::string, Tensor> dict;
  const bool begun = state().applied > average_since_;
  for (const Item& item : items()) {
    if (!item.average[0]) continue;
    dict[item.parameter.name] = (begun ? item.average[0] : item.weight().detach()).clone();
  }
  return dict;
}

void Optimizer::load_ema_state_dict(const std::map<std::string, Tensor>& dict) {
  check_not_swapped("load_ema_state_dict");
  const Reader reader(name_, dict);
  for (const Item& item : items()) {
    if (item.average[0])
      reader.find(item.parameter.name, item.parameter.shape(), item.average[0].dtype());
  }
  for (const Item& item : items()) {
    if (item.average[0]) copy_into(dict.at(item.parameter.name), item.average[0]);
  }
}

}  // namespace gradus::optim
