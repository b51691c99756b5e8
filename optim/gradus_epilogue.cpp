#include "gradus/optim/gradus_epilogue.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "gradus/kernels/update.h"
#include "gradus/optim/epilogue.h"
#include "gradus/optim/mirror.h"
#include "gradus/optim/segments.h"
#include "gradus/tensor/stream.h"

namespace ep = gradus::epilogue;
using gradus::check;
using gradus::Dtype;
using gradus::ErrorKind;
using gradus::Tensor;

struct gradus_epilogue {
  gradus::Device device = gradus::Device::cpu();
  gradus::optim::Mirror<ep::Segment> segments;
  gradus::optim::Mirror<ep::Chunk> chunks;
  gradus::optim::Mirror<ep::ScheduleRow> row;  // one
  gradus::optim::Mirror<ep::Policy> policy;    // one
  gradus::optim::Mirror<gradus::OpCall> rule;  // one
  Tensor clocks, partials, state;
  std::size_t slots = 0;
  bool needs_norms = false, prepares = false;
  void* stream = nullptr;  // of the last call
};

namespace {

thread_local std::string last_error;

template <class F>
int guarded(F&& f) noexcept {
  try {
    f();
    return 0;
  } catch (const std::exception& e) {
    last_error = e.what();
    return -1;
  }
}

Dtype dtype_of(gradus_type type) {
  switch (type) {
    case GRADUS_F32: return Dtype::f32;
    case GRADUS_F64: return Dtype::f64;
    case GRADUS_BF16: return Dtype::bf16;
    case GRADUS_F16: return Dtype::f16;
  }
  gradus::raise(ErrorKind::argument, {"gradus_epilogue: ", int(type), " is no gradus_type"});
}

void choose_rule(gradus_epilogue& e, const gradus_epilogue_options& o) {
  gradus::OpCall call{-1, {}};
  int index = 0;
  std::string names;
  gradus::rules::All::each([&]<class Rule> {
    const bool products = Rule::kind == gradus::rules::Kind::matrix;  // of which this does none
    if (!products && call.index < 0 && o.rule != nullptr && std::strcmp(o.rule, Rule::name) == 0) {
      call.index = index;
      e.slots = Rule::slots.size();
      e.needs_norms = Rule::kind == gradus::rules::Kind::needs_norms;
      e.prepares = gradus::rules::prepares<Rule>;
    }
    if (!products && names.find(Rule::name) == names.npos)
      names += std::string(names.empty() ? "" : ", ") + Rule::name;
    ++index;
  });
  check(call.index >= 0, ErrorKind::argument, "gradus_epilogue: there is no rule \"",
        o.rule == nullptr ? "" : o.rule, "\"; there are: ", names);
  std::memcpy(call.p, o.constants, sizeof call.p);
  e.rule.here.push_back(call);
}

/// All or, with an error, none of them.
void take_tensors(gradus_epilogue& e, const gradus_epilogue_tensor* tensors, std::size_t count) {
  auto taken = e.segments.here;
  taken.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const gradus_epilogue_tensor& t = tensors[i];
    ep::Segment s;
    s.p = t.weight;
    s.g = t.gradient;
    s.low = t.low;
    s.remainder = t.remainder;
    s.average[0] = t.average;
    s.n = t.n;
    s.dtype = dtype_of(t.weight_type);
    s.g_dtype = dtype_of(t.gradient_type);
    if (t.low != nullptr) s.low_dtype = dtype_of(t.low_type);
    s.flags = t.decays != 0 ? ep::Segment::decay | ep::Segment::adapt : 0;
    if (t.gradient == nullptr)
      s.flags |= t.average != nullptr ? ep::Segment::average_only : ep::Segment::frozen;
    const auto at = static_cast<std::int64_t>(i);
    const bool split = t.remainder != nullptr;
    check(t.n >= 0 && (t.weight != nullptr || split || t.n == 0), ErrorKind::argument,
          "gradus_epilogue: tensor ", at, " has no weight, or a negative n");
    check(!split || (t.weight == nullptr && t.low != nullptr && s.dtype == Dtype::f32 &&
                     s.low_dtype == Dtype::bf16),
          ErrorKind::argument, "gradus_epilogue: tensor ", at,
          ": `remainder` goes with a bf16 `low`, weight_type f32 and no weight");
    check(s.dtype == Dtype::f32 || s.dtype == Dtype::f64, ErrorKind::dtype,
          "gradus_epilogue: tensor ", at, ": a weight is f32 or f64; a half one is `low`");
    check(t.low == nullptr || gradus::is_half(s.low_dtype), ErrorKind::dtype,
          "gradus_epilogue: tensor ", at, ": `low` is bf16 or f16");
    for (std::size_t k = 0; k < ep::max_slots; ++k) {
      s.state[k] = t.state[k];
      check(k >= e.slots || t.gradient == nullptr || t.state[k] != nullptr || t.n == 0,
            ErrorKind::argument, "gradus_epilogue: tensor ", at, ": this rule needs ",
            static_cast<std::int64_t>(e.slots), " state tensors");
    }
    taken[i] = s;
  }
  e.segments.here = std::move(taken);
}

ep::StepState* state_of(const gradus_epilogue& e) {
  return static_cast<ep::StepState*>(e.state.data());
}

ep::Table table_of(gradus_epilogue& e) {
  ep::Table t;
  t.segments = e.segments.on(e.device);
  t.segment_count = static_cast<std::int32_t>(e.segments.here.size());
  t.clocks = static_cast<ep::SegmentClock*>(e.clocks.data());
  t.chunks = e.chunks.on(e.device);
  t.chunk_count = static_cast<std::int64_t>(e.chunks.here.size());
  t.partials = static_cast<double*>(e.partials.data());
  t.ring = e.row.on(e.device);
  t.rules = e.rule.on(e.device);
  t.policy = e.policy.on(e.device);
  t.state = state_of(e);
  t.needs_norms = e.needs_norms;
  t.prepares = e.prepares;
  for (const ep::Segment& s : e.segments.here) t.elements += s.n;
  return t;
}

}  // namespace

gradus_epilogue* gradus_epilogue_new(const gradus_epilogue_tensor* tensors, int64_t count,
                                     const gradus_epilogue_options* options, int device) {
  auto e = std::make_unique<gradus_epilogue>();
  const int failed = guarded([&] {
    check(tensors != nullptr && options != nullptr && count > 0, ErrorKind::argument,
          "gradus_epilogue_new: expected tensors and options");
    if (device >= 0) e->device = gradus::Device::cuda(device);
    choose_rule(*e, *options);
    take_tensors(*e, tensors, static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
      gradus::optim::append_chunks(e->chunks.here, static_cast<std::int32_t>(i), tensors[i].n);
    ep::Policy policy;
    policy.max_norm = options->max_norm;
    policy.max_value = options->max_value;
    policy.growth_interval = options->growth_interval;
    policy.skip_non_finite = options->apply_non_finite == 0;
    e->policy.here.push_back(policy);
    e->row.here.emplace_back();
    const auto chunks = static_cast<std::int64_t>(e->chunks.here.size());
    e->clocks = gradus::zeros({count, 2}, {Dtype::i64, e->device});
    e->partials = gradus::zeros({2 * chunks}, {Dtype::f64, e->device});
    ep::StepState begin;
    if (options->loss_scale > 0) begin.loss_scale = double(float(options->loss_scale));
    e->state = gradus::from_data(&begin, {sizeof begin / 8}, {Dtype::i64, e->device});
    gradus::synchronize(e->device);  // it may be used from another stream next
  });
  return failed ? nullptr : e.release();
}

int gradus_epilogue_set_tensors(gradus_epilogue* e, const gradus_epilogue_tensor* tensors) {
  return guarded([&] {
    check(e != nullptr && tensors != nullptr, ErrorKind::argument,
          "gradus_epilogue_set_tensors: expected an epilogue and tensors");
    const std::size_t count = e->segments.here.size();
    for (std::size_t i = 0; i < count; ++i) {
      check(tensors[i].n == e->segments.here[i].n, ErrorKind::argument,
            "gradus_epilogue_set_tensors: tensor ", static_cast<std::int64_t>(i),
            " has another size than before");
    }
    take_tensors(*e, tensors, count);
  });
}

int gradus_epilogue_add_samples(gradus_epilogue* e, double weight, void* stream) {
  return guarded([&] {
    const gradus::StreamGuard guard(e->device, e->stream = stream);
    gradus::optim::epilogue::add_samples(state_of(*e), weight, e->device);
  });
}

int gradus_epilogue_step(gradus_epilogue* e, const gradus_epilogue_rates* rates, void* stream) {
  return guarded([&] {
    const gradus::StreamGuard guard(e->device, e->stream = stream);
    e->row.here[0] = {rates->lr, rates->momentum, rates->weight_decay, rates->average, 0};
    const ep::Table table = table_of(*e);
    gradus::optim::epilogue::stats(table, e->device);
    gradus::optim::epilogue::decide(table, e->device);
    if (table.prepares) gradus::optim::epilogue::prepare(table, e->device);
    gradus::optim::epilogue::apply(table, e->device);
  });
}

const double* gradus_epilogue_loss_scale(const gradus_epilogue* e) {
  return &state_of(*e)->loss_scale;
}

int gradus_epilogue_read(gradus_epilogue* e, gradus_epilogue_state* state) {
  return guarded([&] {
    const gradus::StreamGuard guard(e->device, e->stream);
    ep::StepState s;
    const Tensor here = e->state.to(gradus::Device::cpu());
    std::memcpy(&s, here.data(), sizeof s);
    *state = {s.attempted, s.applied, s.norm, s.loss_scale, s.finite};
  });
}

void gradus_epilogue_free(gradus_epilogue* e) {
  if (e == nullptr) return;
  guarded([&] {  // its memory must not be given out while the last step still uses it
    const gradus::StreamGuard guard(e->device, e->stream);
    gradus::synchronize(e->device);
  });
  delete e;
}

const char* gradus_epilogue_error() { return last_error.c_str(); }
