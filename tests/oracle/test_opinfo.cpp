// Replays PyTorch's OpInfo samples through the public functions, family by family: results,
// gradients, lower dtypes, other memory, bad inputs. `./run oracle` prints the table.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>

#include "gradus/autograd/engine.h"
#include "gradus/kernels/create.h"
#include "gradus/tests/cases.h"
#include "gradus/tests/oracle/compare.h"

namespace gradus::oracle {
namespace {

/// The gradient that flows into a result: the exporter's upstream().
Tensor upstream(const Tensor& y) {
  const Tensor dy = empty(y.shape(), {Dtype::f64});
  for (std::int64_t i = 0; i < dy.numel(); ++i) {
    dy.data<double>()[i] = (static_cast<double>((i * 37 + 11) % 64) - 31.5) / 16;
  }
  return as_dtype(dy, y.dtype());
}

struct Answer {
  Tensors results, gradients;  // gradients of the inputs that require one, perhaps undefined
};

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

/// The largest finite magnitude.
double largest(const Tensor& t, double top = 0) {
  if (!t.is_floating()) return top;
  for (double v : t.detach().to(Dtype::f64).to_vector<double>()) {
    if (std::isfinite(v)) top = std::max(top, std::abs(v));
  }
  return top;
}

/// What all replays of a family add up to.
struct Tally {
  int forward = 0, gradients = 0, lower = 0, integers = 0, errors = 0;
  std::map<std::string, int> left_out;
  int total() const { return forward + gradients + lower + integers + errors; }
};

class Replay {
 public:
  Replay(const Samples& samples, Tally& tally) : samples_(samples), tally_(tally) {}

  void run(const Call& call, const Case& c) {
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

 private:
  void fail(const std::string& what) {
    ADD_FAILURE() << case_->op << ": " << what << "\n  " << case_->line.substr(0, 600);
  }

  /// Fresh tensors, the f64 ones as `dtype`.
  Tensors inputs(Dtype dtype) const {
    Tensors all;
    for (const Stored& s : case_->inputs) {
      Tensor x = samples_.read(s);
      if (s.dtype == Dtype::f64) x = as_dtype(x, dtype);
      if (s.differentiable && x.is_floating()) x.set_requires_grad(true);
      all.push_back(x);
    }
    return all;
  }

  /// Sums of |a| |b|: the op itself on absolute values.
  std::vector<double> sizes_of_terms(std::size_t result) const {
    Tensors sizes = inputs(Dtype::f64);
    for (Tensor& x : sizes) {
      if (!x.is_floating()) continue;
      x = x.detach().abs();
    }
    return call_->f(Args(case_->args, sizes))[result].to(Dtype::f64).to_vector<double>();
  }

  /// The number of terms of a contraction is at most this.
  double terms() const {
    std::int64_t first = 1, second = 1;
    for (const Stored& s : case_->inputs) {
      const std::int64_t n = s.shape.numel();
      if (n > first)
        second = first, first = n;
      else
        second = std::max(second, n);
    }
    return static_cast<double>(second > 1 ? second : first);
  }

  Tolerance tolerance(const Tensor& expected, std::size_t result, Dtype dtype) const {
    const Bound& bound = call_->bound;
    const double u = unit_roundoff(dtype);
    Tolerance t;
    if (is_half(dtype)) t.units = 1;
    if (!expected.is_floating()) return t;
    if (bound.kind == Bound::ulp) {
      if (dtype == Dtype::f64) t.relative = 1e-12, t.units = 2;
      if (dtype == Dtype::f32) t.units = bound.n;
    } else if (bound.kind == Bound::contraction) {
      t.relative = dtype == Dtype::f64 ? 1e-12 : 2 * (terms() + 2) * u;
      t.magnitude = sizes_of_terms(result);
    } else if (bound.kind == Bound::roundings) {
      t.relative = dtype == Dtype::f64 ? 1e-12 : bound.n * u;
      double top = largest(expected);
      for (const Stored& s : case_->inputs) top = largest(samples_.read(s), top);
      t.magnitude = {top};
    }
    return t;
  }

  bool agrees(const Answer& a, Dtype dtype) {
    const std::size_t count = call_->compared == 0 ? case_->outputs.size() : call_->compared;
    if (a.results.size() != count) {
      fail(std::to_string(a.results.size()) + " results, expected " + std::to_string(count));
      return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Tensor expected = samples_.read(case_->outputs[i]);
      const bool converted = case_->dtype == Dtype::f64 && expected.dtype() == Dtype::f64;
      const Dtype wanted = converted ? dtype : expected.dtype();
      const Tensor& y = a.results[i];
      Tolerance t = tolerance(expected, i, y.is_floating() ? y.dtype() : dtype);
      if (!is_floating(dtype) && y.is_floating()) t.units += 2;  // the expected is f32, too
      std::string what = difference(y, expected, t);
      if (what.empty() && y.dtype() != wanted) {
        what = "the dtype is " + std::string(to_string(y.dtype())) + ", expected " +
               std::string(to_string(wanted));
      }
      if (!what.empty()) {
        fail(std::string(to_string(dtype)) + ", result " + std::to_string(i) + ": " + what);
        return false;
      }
    }
    return true;
  }

  void reference_dtype() {
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

  /// What the errors of gradients are relative to: where terms cancel, a gradient is far smaller
  /// than they are. Upstream gradients lie around 1.
  double gradient_scale() const {
    double top = 0.1;
    for (const auto& g : case_->gradients) {
      if (g) top = largest(samples_.read(*g), top);
    }
    return top;
  }

  bool gradients_agree(const Answer& a) {
    const double scale = gradient_scale();
    for (std::size_t i = 0; i < case_->gradients.size(); ++i) {
      const std::string which = "gradient " + std::to_string(i) + ": ";
      const Tensor got = i < a.gradients.size() ? a.gradients[i] : Tensor();
      const std::optional<Stored>& stored = case_->gradients[i];
      const Tensor expected = stored ? samples_.read(*stored) : Tensor();
      if (!got) {  // nothing flows: the same as zeros
        if (!expected || largest(expected) == 0) continue;
        fail(which + "none, expected one");
        return false;
      }
      const std::string what =
          difference(got, expected ? expected : zeros(got.shape(), got.options()),
                     {call_->gradient, 0, {scale}});
      if (!what.empty()) {
        fail(which + what);
        return false;
      }
    }
    return true;
  }

  void same_bits(const Answer& a, const Tensors& views, const char* form) {
    const Answer b = answer(*call_, *case_, views);
    for (std::size_t i = 0; i < a.results.size(); ++i) {
      const std::string what = bit_difference(b.results[i], a.results[i]);
      if (!what.empty()) return fail(std::string("inputs ") + form + ": " + what);
    }
    for (std::size_t i = 0; i < a.gradients.size(); ++i) {
      if (!a.gradients[i]) continue;
      const std::string what = bit_difference(b.gradients[i], a.gradients[i]);
      if (!what.empty()) return fail(std::string("gradient of inputs ") + form + ": " + what);
    }
  }

  /// Every input with its first slice repeated: as an expanded view, and as the same values in
  /// memory of their own.
  void expanded_inputs() {
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

  void lower_dtype(Dtype dtype) {
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

  void bad_input() {
    if (!call_->takes_bad_input.empty()) throw LeftOut{call_->takes_bad_input};
    std::string got = "no error";
    try {
      call_->f(Args(case_->args, inputs(Dtype::f64)));
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

  const Samples& samples_;
  Tally& tally_;
  const Call* call_ = nullptr;
  const Case* case_ = nullptr;
};

struct Family {
  const char* name;
  void (*add)(Calls&);
};
const Family families[] = {{"pointwise", add_pointwise_calls},
                           {"activation", add_activation_calls},
                           {"reduce", add_reduce_calls},
                           {"shape", add_shape_calls},
                           {"index", add_index_calls},
                           {"product", add_product_calls},
                           {"conv", add_conv_calls},
                           {"norm", add_norm_calls},
                           {"loss", add_loss_calls}};

/// A line of opinfo/counts.txt: what passed when it was last written.
std::map<std::string, Tally> committed_counts() {
  std::map<std::string, Tally> counts;
  std::ifstream file(GRADUS_SOURCE_DIR "/tests/oracle/opinfo/counts.txt");
  std::string name;
  for (Tally t; file >> name >> t.forward >> t.gradients >> t.lower >> t.integers >> t.errors;) {
    counts[name] = t;
  }
  return counts;
}

class Opinfo : public ::testing::TestWithParam<Family> {};

TEST_P(Opinfo, IsReplayed) {
  const Family& family = GetParam();
  Calls calls;
  family.add(calls);
  std::map<std::string, const Call*> by_entry;
  for (const Call& c : calls) by_entry[c.entry] = &c;
  const Samples samples = load_samples(family.name);
  Tally tally;
  Replay replay(samples, tally);
  for (const Case& c : samples.cases) {
    const auto call = by_entry.find(c.op);
    if (call == by_entry.end()) {
      ++tally.left_out[c.op + ": no function of ours"];
    } else {
      replay.run(*call->second, c);
    }
  }
  std::printf("%-10s %6d forward %6d gradient %6d lower dtypes %6d integers %4d bad inputs\n",
              family.name, tally.forward, tally.gradients, tally.lower, tally.integers,
              tally.errors);
  for (const auto& [reason, n] : samples.left_out) {
    tally.left_out[reason + " (not exported)"] += static_cast<int>(n);
  }
  for (const auto& [reason, n] : tally.left_out) {
    std::printf("%-10s   left out %4d %s\n", "", n, reason.c_str());
  }
  const auto counts = committed_counts();
  const auto before = counts.find(family.name);
  ASSERT_NE(before, counts.end()) << "opinfo/counts.txt has no line for " << family.name;
  EXPECT_GE(tally.forward, before->second.forward);
  EXPECT_GE(tally.gradients, before->second.gradients);
  EXPECT_GE(tally.lower, before->second.lower);
  EXPECT_GE(tally.integers, before->second.integers);
  EXPECT_GE(tally.errors, before->second.errors);
}

INSTANTIATE_TEST_SUITE_P(Families, Opinfo, ::testing::ValuesIn(families),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace gradus::oracle
