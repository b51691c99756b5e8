// How a case of OpInfo is replayed: results, gradients, lower dtypes, other memory, bad inputs.
#include <gtest/gtest.h>

#include "gradus/autograd/engine.h"
#include "gradus/tensor/stream.h"
#include "gradus/tests/cases.h"
#include "gradus/tests/oracle/device.h"
#include "gradus/tests/oracle/replay.h"

namespace gradus::oracle {
namespace {

/// The gradient that flows into a result: the exporter's upstream().
Tensor upstream(const Tensor& y) {
  const Tensor dy = empty(y.shape(), {Dtype::f64});
  for (std::int64_t i = 0; i < dy.numel(); ++i) {
    dy.data<double>()[i] = (static_cast<double>((i * 37 + 11) % 64) - 31.5) / 16;
  }
  return as_dtype(dy, y.dtype()).to(y.device());
}

Answer answer(const Call& call, const Case& c, const Tensors& inputs) {
  Answer a;
  a.results = call.f(Args(c.args, inputs));
  Tensors roots, upstreams, wanted;
  for (const Tensor& y : a.results) {
    if (!y.requires_grad()) continue;
    roots.push_back(y);
    upstreams.push_back(upstream(y));
  }
  for (const Tensor& x : inputs) {
    if (x.requires_grad()) wanted.push_back(x);
  }
  if (!roots.empty()) a.gradients = grad(roots, wanted, upstreams);
  return a;
}

}  // namespace

void Replay::run(const Call& call, const Case& c) {
  call_ = &call, case_ = &c;
  try {
    if (c.error) {
      bad_input();
    } else if (c.dtype == Dtype::f64) {
      reference_dtype();
      for (Dtype d : {Dtype::f32, Dtype::bf16, Dtype::f16}) lower_dtype(d);
    } else {
      if (agrees(answer(call, c, inputs(c.dtype)), c.dtype)) ++tally_.integers;
    }
  } catch (const LeftOut& e) {
    ++tally_.left_out[c.op + ": " + e.reason];
  } catch (const std::exception& e) {
    fail(e.what());
  }
}

void Replay::fail(const std::string& what) {
  ADD_FAILURE() << case_->op << ": " << what << "\n  " << case_->line.substr(0, 600);
}

/// Fresh tensors, the f64 ones as `dtype`.
Tensors Replay::inputs(Dtype dtype) const {
  Tensors all;
  for (const Stored& s : case_->inputs) {
    Tensor x = samples_.read(s);
    if (s.dtype == Dtype::f64) x = as_dtype(x, dtype);
    x = on_device(x);
    if (s.differentiable && x.is_floating()) x.set_requires_grad(true);
    all.push_back(x);
  }
  return all;
}

void Replay::reference_dtype() {
  const Answer a = answer(*call_, *case_, inputs(Dtype::f64));
  if (!agrees(a, Dtype::f64)) return;
  ++tally_.forward;
  if (gradients_agree(a) && case_->has_gradients) ++tally_.gradients;
  for (int form = 1; form < 4; ++form) {
    Tensors views = inputs(Dtype::f64);
    for (Tensor& x : views) {
      if (x.dim() > 0) x = testing::in_other_memory(x, form);
    }
    same_bits(a, views, form == 1 ? "transposed" : form == 2 ? "strided" : "at an offset");
  }
  expanded_inputs();
}

/// Products of a GPU may go through a library, whose order of sums depends on the strides.
void Replay::same_bits(const Answer& a, const Tensors& views, const std::string& form) {
  const bool exactly = replay_device().is_cpu() || call_->bound.kind != Bound::contraction;
  const auto same = [&](const Tensor& got, const Tensor& plain) {
    if (exactly) return bit_difference(got, plain);
    return difference(got, plain, {1e-10, 0, {largest(plain, 1)}});
  };
  const Answer b = answer(*call_, *case_, views);
  for (std::size_t i = 0; i < a.results.size(); ++i) {
    const std::string what = same(b.results[i], a.results[i]);
    if (!what.empty()) return fail("inputs " + form + ": " + what);
  }
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    if (!a.gradients[i]) continue;
    const std::string what = same(b.gradients[i], a.gradients[i]);
    if (!what.empty()) return fail("gradient of inputs " + form + ": " + what);
  }
}

/// Every input with its first slice repeated: as an expanded view, and as the same values in
/// memory of their own.
void Replay::expanded_inputs() {
  if (case_->line.find("\"running_") != std::string::npos) return;  // which are written
  const auto repeated = [&](bool copy) {
    Tensors all = inputs(Dtype::f64);
    for (Tensor& x : all) {
      if (x.dim() == 0 || x.shape()[0] < 2) continue;
      const bool wanted = x.requires_grad();
      x = x.detach().narrow(0, 0, 1).expand(x.shape());
      if (copy) x = x.clone();
      x = x.detach();
      if (wanted) x.set_requires_grad(true);
    }
    return all;
  };
  Answer plain;
  try {
    plain = answer(*call_, *case_, repeated(true));
  } catch (const Error&) {
    return;  // these values are no valid input
  }
  same_bits(plain, repeated(false), "expanded");
}

void Replay::lower_dtype(Dtype dtype) {
  if (case_->line.find("\"D:") != std::string::npos) return;
  bool any = false;
  for (const Stored& s : case_->inputs) {
    if (s.dtype != Dtype::f64) continue;
    any = true;
    const Tensor x = samples_.read(s);
    if (!bit_difference(as_dtype(as_dtype(x, dtype), Dtype::f64), x).empty()) return;
  }
  if (!any || case_->op == "double" || case_->op == "float") return;
  const Answer a = answer(*call_, *case_, inputs(dtype));
  if (!agrees(a, dtype)) return;
  ++tally_.lower;
  if (dtype != Dtype::f32) return;
  // Gradients in f32 from the same inputs: a wrong formula would be off by far more.
  for (std::size_t i = 0; i < a.gradients.size() && i < case_->gradients.size(); ++i) {
    if (!a.gradients[i] || !case_->gradients[i]) continue;
    const Tensor expected = samples_.read(*case_->gradients[i]);
    const std::string what =
        difference(a.gradients[i], expected, {2e5 * call_->gradient, 2, {gradient_scale()}});
    if (!what.empty()) return fail("f32 gradient " + std::to_string(i) + ": " + what);
  }
}

void Replay::bad_input() {
  if (!call_->takes_bad_input.empty()) throw LeftOut{call_->takes_bad_input};
  std::string got = "no error";
  try {
    call_->f(Args(case_->args, inputs(Dtype::f64)));
    synchronize(replay_device());  // a kernel says so later
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::internal &&
        std::string_view(e.what()).find(": ") != std::string::npos) {
      ++tally_.errors;
      return;
    }
    got = e.what();
  }
  fail("a bad input gave: " + got);
}

}  // namespace gradus::oracle
