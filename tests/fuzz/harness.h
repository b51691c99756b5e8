// What reads bytes that others wrote, one entry a family: `one_input` takes any bytes at all and
// returns 0. A gradus::Error is a right answer to wrong bytes; everything else that is not a return
// (a crash, a report of a sanitizer, another exception, no memory, no end) is a finding.
// libFuzzer drives the entries (./run fuzz); the tests replay tests/fuzz/corpus.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gradus/tensor/error.h"

namespace gradus::fuzz {

using Bytes = std::span<const std::uint8_t>;

struct Parser {
  std::string name;  // of its folder in the corpus
  int (*one_input)(Bytes);
};
/// All families that are linked into this program, by name.
std::vector<Parser>& parsers();

/// At namespace level: `const Registered csv("csv", one_input);`
struct Registered {
  Registered(const char* name, int (*one_input)(Bytes)) { parsers().push_back({name, one_input}); }
};

inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A directory in memory for parsers that want a file; one a process, removed with it.
class Scratch {
 public:
  /// Writes `bytes` to a file of this name and returns its path.
  static std::filesystem::path file(const std::string& name, Bytes bytes);
  static const std::filesystem::path& directory();
};

/// Calls `work`; what it throws as gradus::Error is an answer like any other.
template <class Work>
int answered(Work work) {
  try {
    work();
  } catch (const Error&) {
  }
  return 0;
}

/// For what must hold of bytes that were accepted: ends the program with a word.
void must(bool holds, const char* what);

}  // namespace gradus::fuzz
