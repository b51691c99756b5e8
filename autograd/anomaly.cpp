#include "gradus/autograd/anomaly.h"

#include <string_view>
#include <utility>

#include "gradus/autograd/functions.h"
#include "gradus/tensor/error.h"

namespace gradus {
namespace {

constinit thread_local AnomalyWatch* watching = nullptr;

/// No tensor that is made within is looked at.
class Unobserved {
 public:
  Unobserved() : before_(std::exchange(detail::tensor_observer, nullptr)) {}
  ~Unobserved() { detail::tensor_observer = before_; }
  Unobserved(const Unobserved&) = delete;
  Unobserved& operator=(const Unobserved&) = delete;

 private:
  TensorObserver* before_;
};

bool is_finite(const Tensor& t) {
  const Unobserved unobserved;
  const NoGrad no_grad;
  const Tensor plain = t.detach();
  return !plain.is_floating() || all(isfinite(plain)).item<bool>();
}

}  // namespace

AnomalyWatch* AnomalyWatch::current() { return watching; }

AnomalyWatch::AnomalyWatch(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {
  check(watching == nullptr, ErrorKind::argument, "AnomalyWatch: this thread has one already");
  watching = this;
  detail::tensor_observer = this;
}

AnomalyWatch::~AnomalyWatch() {
  watching = nullptr;
  detail::tensor_observer = nullptr;
}

void AnomalyWatch::made(const Tensor& t) {
  if (grad_enabled()) made_.push_back({t, place_, false});
}

/// What has a node by now was recorded and is complete. What has none is the operation's that is
/// being recorded, or memory that an earlier one used on its way.
void AnomalyWatch::recorded() {
  std::vector<Made> left;
  for (Made& m : made_) {
    const Node* node = m.tensor.raw()->node.get();
    if (node != nullptr) {
      if (!node->leaf) look(m);
    } else if (!m.before_last_record) {
      m.before_last_record = true;
      left.push_back(std::move(m));
    }
  }
  made_ = std::move(left);
}

std::string AnomalyWatch::name_of(const Node* node) const {
  for (const Parameter& p : parameters_) {
    if (p.raw()->node.get() == node) return p.name;
  }
  return "";
}

void AnomalyWatch::look(const Made& made) {
  const Node& node = *made.tensor.raw()->node;
  shapes_[&node] = made.tensor.shape();
  places_[&node] = made.place;
  const std::string_view op = node.name;
  if (!found_.empty() || op == "masked_fill" || op == "where" || is_finite(made.tensor)) return;
  std::string inputs;
  const auto [edges, count] = node.inputs();
  for (int i = 0; i < count; ++i) {
    if (edges[i] == nullptr) continue;
    const auto shape = shapes_.find(edges[i]);
    const std::string name = name_of(edges[i]);
    std::string text = shape == shapes_.end() ? "" : to_string(shape->second);
    for (const Parameter& p : parameters_)
      if (p.raw()->node.get() == edges[i]) text = name + " " + to_string(p.shape());
    if (!text.empty()) inputs += (inputs.empty() ? "" : ", ") + text;
  }
  say("forward", node, inputs + (inputs.empty() ? "-> " : " -> ") + to_string(made.tensor.shape()),
      made.place);
}

void AnomalyWatch::gave(const Node& node, const Tensor& dy) {
  if (!found_.empty()) return;
  const auto [edges, count] = node.inputs();
  for (int i = 0; i < count; ++i) {
    const Node* input = edges[i];
    if (input == nullptr) continue;
    const Leaf* leaf = input->leaf ? static_cast<const Leaf*>(input) : nullptr;
    const Tensor& given =
        leaf != nullptr && leaf->hooks == nullptr ? leaf->gradient : input->pending;
    if (!given || (leaf != nullptr && leaf->hooks == nullptr && !leaf->written)) continue;
    if (is_finite(given)) continue;
    const auto place = places_.find(&node);
    const std::string name = name_of(input);
    return say("backward", node,
               to_string(dy.shape()) + " -> " + (name.empty() ? "" : name + " ") +
                   to_string(given.shape()),
               place == places_.end() ? nullptr : place->second);
  }
}

/// The module is that of the parameters which the operation reads, where it reads any.
void AnomalyWatch::say(const char* phase, const Node& node, const std::string& shapes,
                       const void* place) {
  found_place_ = place;
  found_ = std::string(phase) + ": " + node.name + " made values that are not finite: " + shapes;
  const auto [edges, count] = node.inputs();
  for (int i = 0; i < count; ++i) {
    const std::string name = edges[i] == nullptr ? "" : name_of(edges[i]);
    const std::size_t dot = name.rfind('.');
    if (dot == name.npos) continue;
    found_ += ", in module " + name.substr(0, dot);
    found_place_ = nullptr;  // the name says it
    return;
  }
}

const std::string& AnomalyWatch::found() {
  if (found_.empty()) recorded();
  return found_;
}

}  // namespace gradus
