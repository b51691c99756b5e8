#include "gradus/optim/clip.h"

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/optim/epilogue.h"

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
double epilogue_norm(const std::vector<Tensor>& gradients, bool infinity) {
  PooledVector<epilogue::Segment> segments;
  PooledVector<epilogue::Chunk> chunks;
  epilogue::Table table;
  for (const Tensor& g : gradients) {
    check(g.is_contiguous(), ErrorKind::argument, "clip_grad_norm_: a gradient has strides ",
          g.strides(), "; only contiguous ones can be clipped");
    epilogue::Segment s;
    s.g = g.data();
    s.g_dtype = g.dtype();
    s.n = g.numel();
    epilogue::append_chunks(chunks, static_cast<std::int32_t>(segments.size()), s.n);
    segments.push_back(s);
    table.elements += s.n;
  }
  PooledVector<double> partials(chunks.size());
  epilogue::Policy policy;
  policy.infinity_norm = infinity;
  epilogue::StepState state;
  table.segments = segments.data();
  table.segment_count = static_cast<std::int32_t>(segments.size());
  table.chunks = chunks.data();
  table.chunk_count = static_cast<std::int64_t>(chunks.size());
  table.partials = partials.data();
  table.policy = &policy;
  table.state = &state;
  epilogue::stats(table, gradients[0].device());
  epilogue::decide(table, gradients[0].device());
  return state.norm;
}

/// (sum |g|^p)^(1/p) over all, in f64.
double general_norm(const std::vector<Tensor>& gradients, double p) {
  double total = 0;
  for (const Tensor& g : gradients)
    total += sum(pow(abs(as_dtype(g, Dtype::f64)), p)).item<double>();
  return std::pow(total, 1 / p);
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
  const double norm = norm_type == 2 || infinity ? epilogue_norm(gradients, infinity)
                                                 : general_norm(gradients, norm_type);
  const double factor = max_norm / (norm + 1e-6);
  for (const Tensor& g : gradients) {
    if (!(factor >= 1)) g.mul_(factor);  // a NaN spreads, as in PyTorch
  }
  return from_data(&norm, {}, {Dtype::f64, gradients[0].device()});
}

void clip_grad_value_(const Parameters& parameters, double clip_value) {
  check(clip_value >= 0, ErrorKind::argument,
        "clip_grad_value_: clip_value must not be negative, got ", clip_value);
  const NoGrad guard;
  for (const Tensor& g : gradients_of(parameters)) g.copy_(clamp(g, -clip_value, clip_value));
}

}  // namespace gradus::optim
