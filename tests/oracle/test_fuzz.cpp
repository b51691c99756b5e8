// Draws cases of the op fuzzer. GRADUS_FUZZ_CASES and GRADUS_FUZZ_SEED in the environment ask for
// more of them, or others; a failure names the seed of its case.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "gradus/kernels/create.h"
#include "gradus/tests/cases.h"
#include "gradus/tests/oracle/compare.h"
#include "gradus/tests/oracle/device.h"
#include "gradus/tests/oracle/fuzz.h"

namespace gradus::oracle::fuzz {

std::uint64_t Random::bits() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

namespace {

std::size_t place(const Shape& shape, const std::vector<std::int64_t>& index) {
  std::int64_t at = 0;
  for (int d = 0; d < shape.size(); ++d) at = at * shape[d] + index[static_cast<std::size_t>(d)];
  return static_cast<std::size_t>(at);
}

}  // namespace

double& Plain::at(const std::vector<std::int64_t>& index) { return v.at(place(shape, index)); }
double Plain::at(const std::vector<std::int64_t>& index) const { return v.at(place(shape, index)); }

void every(const Shape& shape, const std::function<void(const std::vector<std::int64_t>&)>& f) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.size()), 0);
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    f(index);
    for (int d = shape.size() - 1; d >= 0; --d) {
      auto& at = index[static_cast<std::size_t>(d)];
      if (++at < shape[d]) break;
      at = 0;
    }
  }
}

double broadcast(const Plain& x, const std::vector<std::int64_t>& index) {
  std::vector<std::int64_t> own(index.end() - x.shape.size(), index.end());
  for (int d = 0; d < x.shape.size(); ++d) {
    if (x.shape[d] == 1) own[static_cast<std::size_t>(d)] = 0;
  }
  return x.at(own);
}

Shape Draw::shape(int dims, std::int64_t most) {
  Shape s;
  for (int d = 0; d < dims; ++d) {
    const std::int64_t kind = random.range(0, 19);
    s.push_back(kind == 0 ? 0 : kind == 1 ? random.range(8, 40) : random.range(1, most));
  }
  return s.numel() > 4000 ? shape(dims, most) : s;
}

Drawn Draw::tensor(const Shape& shape, Dtype dtype, double low, double high) {
  Tensor values = empty(shape, {Dtype::f64});
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    double v = random.uniform(low, high);
    if (random.range(0, 7) == 0) v = std::round(v);  // ties and zeros happen
    values.data<double>()[i] = v;
  }
  Tensor x = on_device(as_dtype(values, dtype));
  if (shape.size() > 0 && random.range(0, 5) == 0) {  // one dimension expanded
    const int d = dim(shape);
    if (shape[d] > 0) x = x.narrow(d, 0, 1).expand(shape);
  } else {
    x = testing::in_other_memory(x, static_cast<int>(random.range(0, 3)));
  }
  Drawn drawn{x, Plain(shape)};
  drawn.p.v = as_dtype(x, Dtype::f64).to_vector<double>();
  return drawn;
}

Drawn Draw::index(const Shape& shape, std::int64_t size) {
  Drawn drawn{empty(shape, {Dtype::i64}), Plain(shape)};
  for (std::size_t i = 0; i < drawn.p.v.size(); ++i) {
    const std::int64_t v = random.range(0, size - 1);
    drawn.t.data<std::int64_t>()[i] = v;
    drawn.p.v[i] = static_cast<double>(v);
  }
  drawn.t = on_device(drawn.t);
  return drawn;
}

namespace {

/// "" or how the result is wrong.
std::string wrong(const Outcome& o) {
  if (o.got.shape() != o.expected.shape) {
    return "the shape is " + to_string(o.got.shape()) + ", expected " + to_string(o.expected.shape);
  }
  double size = o.size;
  for (double v : o.expected.v) {
    if (std::isfinite(v)) size = std::max(size, std::abs(v));
  }
  const Tensor expected = from_data(o.expected.v.data(), o.expected.shape, {Dtype::f64});
  Tolerance t;
  if (o.got.is_floating()) {
    t.units = is_half(o.got.dtype()) ? 1 : 0.5;
    t.relative = o.roundings * unit_roundoff(o.got.dtype());
    t.magnitude = {size};
  }
  return difference(o.got, expected, t);
}

std::uint64_t setting(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

TEST(OracleFuzz, OpsAgreeWithPlainLoops) {
  Ops all;
  add_simple_ops(all);
  add_structured_ops(all);
  const std::uint64_t seed = setting("GRADUS_FUZZ_SEED", 1);
  const std::uint64_t cases = setting("GRADUS_FUZZ_CASES", 50'000);
  int failures = 0;
  for (std::uint64_t k = 0; k < cases && failures < 10; ++k) {
    Draw draw(Random(seed + k).bits());
    const auto& [name, op] = all[static_cast<std::size_t>(
        draw.random.range(0, static_cast<std::int64_t>(all.size()) - 1))];
    std::string problem, what;
    try {
      const Outcome o = op(draw);
      what = o.what;
      problem = wrong(o);
    } catch (const std::exception& e) {
      problem = e.what();
    }
    if (problem.empty()) continue;
    ++failures;
    ADD_FAILURE() << name << " " << what << ": " << problem << "\n  GRADUS_FUZZ_SEED=" << seed + k
                  << " GRADUS_FUZZ_CASES=1 shows it again";
  }
}

TEST(OracleFuzz, WrongResultsAreSeen) {
  Outcome o{"", ones({2}), Plain(Shape{2}, 1), 4};
  EXPECT_EQ(wrong(o), "");
  o.expected.v[1] = 1.001;
  EXPECT_NE(wrong(o), "");
  o.expected = Plain(Shape{3}, 1);
  EXPECT_NE(wrong(o), "");
}

}  // namespace
}  // namespace gradus::oracle::fuzz
