// Replays ONNX's node tests over our functions. Needs Debian's libonnx-testdata; where that is not
// installed the test is skipped. `./run oracle` installs it and prints what is left out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>

#include "gradus/tests/oracle/compare.h"
#include "gradus/tests/oracle/device.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

constexpr auto home = "/usr/share/libonnx-testdata/data/node";
/// The cases that pass; a change that loses one must say so here.
constexpr int expected_to_pass = 676;

/// ONNX's own bounds: rtol 1e-5, atol 1e-7; half types to two units of their last place.
std::string mismatch(const Tensor& got, const Tensor& expected) {
  Tolerance t{1e-5, 0, {}};
  for (double v : expected.to(Dtype::f64).to_vector<double>()) {
    t.magnitude.push_back(std::isfinite(v) ? std::abs(v) + 1e-2 : 0);
  }
  if (is_half(expected.dtype())) t.units = 2;
  std::string what = difference(got, expected, t);
  if (what.empty() && expected.is_floating() != got.is_floating()) what = "another kind of dtype";
  return what;
}

TEST(OracleOnnx, NodeTestsPass) {
  if (!std::filesystem::exists(home)) GTEST_SKIP() << "libonnx-testdata is not installed";
  Rules rules;
  add_pointwise_rules(rules);
  add_reduction_rules(rules);
  add_shape_rules(rules);
  add_index_rules(rules);
  add_layer_rules(rules);
  add_network_rules(rules);
  std::vector<std::filesystem::path> cases;
  for (const auto& entry : std::filesystem::directory_iterator(home)) cases.push_back(entry.path());
  std::sort(cases.begin(), cases.end());
  int passed = 0;
  std::map<std::string, std::vector<std::string>> left_out;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (!is_replayed(i)) continue;
    const std::string name = cases[i].filename();
    try {
      NodeTest test = read_test(cases[i]);
      for (Tensor& x : test.node.inputs) x = on_device(x);
      if (name.find("BFLOAT16") != std::string::npos) throw LeftOut{"bf16 stored as integers"};
      const auto rule = rules.find(test.node.op);
      if (rule == rules.end()) throw LeftOut{test.node.op};
      Tensors got;
      const Tensors all = rule->second(test.node);
      for (std::size_t k = 0; k < all.size(); ++k) {
        if (k >= test.node.wanted.size() || test.node.wanted[k]) got.push_back(all[k]);
      }
      bool good = got.size() >= test.expected.size();
      EXPECT_TRUE(good) << name << ": " << got.size() << " results";
      for (std::size_t k = 0; good && k < test.expected.size(); ++k) {
        const std::string what = mismatch(got[k], test.expected[k]);
        good = what.empty();
        EXPECT_EQ(what, "") << name << ", result " << k;
      }
      passed += good ? 1 : 0;
    } catch (const LeftOut& e) {
      left_out[e.reason].push_back(name);
    } catch (const std::exception& e) {
      ADD_FAILURE() << name << ": " << e.what();
    }
  }
  std::printf("%-10s %6d passed\n", "onnx", passed);
  for (const auto& [reason, names] : left_out) {
    std::printf("%-10s   left out %4zu %s:", "", names.size(), reason.c_str());
    for (const std::string& name : names) std::printf(" %s", name.c_str() + 5);  // test_
    std::printf("\n");
  }
  passed += static_cast<int>(left_out[on_the_cpu_alone].size());
  EXPECT_GE(passed, all_are_replayed() ? expected_to_pass : 1);
}

}  // namespace
}  // namespace gradus::oracle::onnx
