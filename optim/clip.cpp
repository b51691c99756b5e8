#include "gradus/optim/clip.h"

#include <cmath>
#include <cstddef>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/optim/epilogue.h"
#include "gradus/optim/mirror.h"
#include "gradus/optim/segments.h"

namespace gradus::optim {
namespace {

/// The distinct gradients of `parameters` (tied ones once).
std::vector<Tensor> gradients_of(const Parameters& parameters) {
  std::vector<Tensor> gradients;
  for (const Parameter& p : parameters.list()) {
    const Tensor g = p.grad();
    if (!g) continue;
    bool seen = false;
    for (const Tensor& other : gradients) seen = seen || other.raw() == g.raw();
    if (!seen) gradients.push_back(g);
  }
  return gradients;
}

/// The 2-norm or the largest magnitude of all: the first two launches of the optimizer's epilogue.
/// (), f64, where the gradients are; nothing waits.
Tensor epilogue_norm(const std::vector<Tensor>& gradients, bool infinity) {
  const Device device = gradients[0].device();
  Mirror<epilogue::Segment> segments;
  Mirror<epilogue::Chunk> chunks;
  Mirror<epilogue::Policy> policy;
  epilogue::Table table;
  for (const Tensor& g : gradients) {
    check(g.is_contiguous(), ErrorKind::argument, "clip_grad_norm_: a gradient has strides ",
          g.strides(), "; only contiguous ones can be clipped");
    check_same_device("clip_grad_norm_", device, g.device());
    epilogue::Segment s;
    s.g = g.data();
    s.g_dtype = g.dtype();
    s.n = g.numel();
    append_chunks(chunks.here, static_cast<std::int32_t>(segments.here.size()), s.n);
    segments.here.push_back(s);
    table.elements += s.n;
  }
  table.segment_count = static_cast<std::int32_t>(segments.here.size());
  table.chunk_count = static_cast<std::int64_t>(chunks.here.size());
  const Tensor partials = empty({table.chunk_count}, {Dtype::f64, device});
  const Tensor clocks = zeros({table.segment_count, 2}, {Dtype::i64, device});
  constexpr std::int64_t words = sizeof(epilogue::StepState) / 8;
  const epilogue::StepState fresh;
  const Tensor state = from_data(&fresh, {words}, {Dtype::i64, device});
  policy.here.emplace_back().infinity_norm = infinity;
  table.segments = segments.on(device);
  table.clocks = static_cast<epilogue::SegmentClock*>(clocks.data());
  table.chunks = chunks.on(device);
  table.partials = static_cast<double*>(partials.data());
  table.policy = policy.on(device);
  table.state = static_cast<epilogue::StepState*>(state.data());
  epilogue::stats(table, device);
  epilogue::decide(table, device);
  constexpr std::int64_t at = offsetof(epilogue::StepState, norm) / 8;
  const Tensor norm = empty({}, {Dtype::f64, device});
  copy_into(from_external(static_cast<double*>(state.data()) + at, {}, {}, norm.options()), norm);
  return norm;
}

/// (sum |g|^p)^(1/p) over all, in f64.
Tensor general_norm(const std::vector<Tensor>& gradients, double p) {
  Tensor total = zeros({}, {Dtype::f64, gradients[0].device()});
  for (const Tensor& g : gradients) total = total + sum(pow(abs(as_dtype(g, Dtype::f64)), p));
  return pow(total, 1 / p);
}

}  // namespace

Tensor clip_grad_norm_(const Parameters& parameters, double max_norm, double norm_type) {
  check(norm_type > 0, ErrorKind::argument,
        "clip_grad_norm_: expected norm_type > 0 or infinity, got ", norm_type);
  check(max_norm >= 0, ErrorKind::argument, "clip_grad_norm_: max_norm must not be negative, got ",
        max_norm);
  const NoGrad guard;
  const std::vector<Tensor> gradients = gradients_of(parameters);
  if (gradients.empty()) return zeros({}, {Dtype::f64});
  const bool infinity = norm_type == HUGE_VAL;
  const Tensor norm = norm_type == 2 || infinity ? epilogue_norm(gradients, infinity)
                                                 : general_norm(gradients, norm_type);
  const Tensor factor = clamp(max_norm / (norm + 1e-6), {}, 1);  // a NaN stays and spreads
  for (const Tensor& g : gradients) g.mul_(factor);
  return norm;
}

void clip_grad_value_(const Parameters& parameters, double clip_value) {
  check(clip_value >= 0, ErrorKind::argument,
        "clip_grad_value_: clip_value must not be negative, got ", clip_value);
  const NoGrad guard;
  for (const Tensor& g : gradients_of(parameters)) g.copy_(clamp(g, -clip_value, clip_value));
}

}  // namespace gradus::optim
