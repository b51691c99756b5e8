// Every parser on every file of its corpus, and on what becomes of them: cut short, with bits
// flipped, with pieces of one another. Under the sanitizers of CI this is a small fuzzer of its
// own.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "gradus/tests/crash/soak.h"
#include "gradus/tests/fuzz/harness.h"

namespace gradus::fuzz {
namespace {

namespace fs = std::filesystem;
using Input = std::vector<std::uint8_t>;

std::vector<std::pair<std::string, Input>> corpus_of(const std::string& parser) {
  std::vector<std::pair<std::string, Input>> inputs;
  const fs::path folder = fs::path(GRADUS_SOURCE_DIR) / "tests/fuzz/corpus" / parser;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    inputs.emplace_back(entry.path().filename().string(),
                        Input{std::istreambuf_iterator<char>(file), {}});
  }
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

/// `input` as a careless or a hostile hand leaves it.
Input changed(Input input, const Input& other, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(input.size());
    const auto here = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0: input.resize(at); break;
      case 1:
        if (!input.empty()) input[at] ^= static_cast<std::uint8_t>(1u << below(8));
        break;
      case 2:
        if (!input.empty()) input[at] = static_cast<std::uint8_t>(below(2) ? 0xff : below(256));
        break;
      case 3: {
        const std::size_t from = below(other.size());
        const std::size_t n = std::min<std::size_t>(below(64), other.size() - from);
        input.insert(here, other.begin() + static_cast<std::ptrdiff_t>(from),
                     other.begin() + static_cast<std::ptrdiff_t>(from + n));
        break;
      }
      case 4: {
        const std::size_t n = std::min<std::size_t>(below(16), input.size() - at);
        input.erase(here, here + static_cast<std::ptrdiff_t>(n));
        break;
      }
      default:  // a size: four bytes, most of them high
        for (std::size_t i = at; i < std::min(at + 4, input.size()); ++i)
          input[i] = static_cast<std::uint8_t>(below(2) ? 0xff : 0x7f);
    }
  }
  return input;
}

struct Replay : ::testing::TestWithParam<Parser> {};

TEST_P(Replay, the_corpus_and_what_becomes_of_it) {
  const auto inputs = corpus_of(GetParam().name);
  ASSERT_FALSE(inputs.empty());
  std::mt19937_64 random(gradus::testing::soak_seed());
  const int changes = gradus::testing::soak_count(60, 20000);
  for (const auto& [name, input] : inputs) {
    SCOPED_TRACE(name);
    ASSERT_NO_THROW(GetParam().one_input(input));
    for (int i = 0; i < changes; ++i) {
      const Input other = inputs[random() % inputs.size()].second;
      const Input bad = changed(input, other, random);
      ASSERT_NO_THROW(GetParam().one_input(bad)) << "change " << i;
    }
  }
}

std::vector<Parser> sorted_parsers() {
  std::vector<Parser> all = parsers();
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, ::testing::ValuesIn(sorted_parsers()),
                         [](const auto& info) { return info.param.name; });

/// Not everything may be refused: each corpus has a file that its parser takes, and the parser that
/// takes nothing would never be tested beyond its first check.
TEST(FuzzCorpus, has_a_folder_for_every_parser_and_no_other) {
  std::vector<std::string> folders, names;
  for (const auto& entry :
       fs::directory_iterator(fs::path(GRADUS_SOURCE_DIR) / "tests/fuzz/corpus"))
    folders.push_back(entry.path().filename().string());
  for (const Parser& parser : parsers()) names.push_back(parser.name);
  std::sort(folders.begin(), folders.end());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(folders, names);
}

}  // namespace
}  // namespace gradus::fuzz
