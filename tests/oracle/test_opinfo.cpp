// Replays PyTorch's OpInfo samples through the public functions, family by family, and holds the
// counts. `./run oracle` prints the table.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "gradus/tests/oracle/device.h"
#include "gradus/tests/oracle/replay.h"

namespace gradus::oracle {
namespace {

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
  for (std::size_t i = 0; i < samples.cases.size(); ++i) {
    if (!is_replayed(i)) continue;
    const Case& c = samples.cases[i];
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
  if (!all_are_replayed()) return;
  int elsewhere = 0;
  for (const auto& [reason, n] : tally.left_out) {
    if (reason.ends_with(on_the_cpu_alone)) elsewhere += n;
  }
  const auto counts = committed_counts();
  const auto before = counts.find(family.name);
  ASSERT_NE(before, counts.end()) << "opinfo/counts.txt has no line for " << family.name;
  EXPECT_GE(tally.forward, before->second.forward);
  EXPECT_GE(tally.gradients, before->second.gradients);
  EXPECT_GE(tally.lower, before->second.lower);
  EXPECT_GE(tally.integers + elsewhere, before->second.integers);
  EXPECT_GE(tally.errors + elsewhere, before->second.errors);
}

INSTANTIATE_TEST_SUITE_P(Families, Opinfo, ::testing::ValuesIn(families),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace gradus::oracle
