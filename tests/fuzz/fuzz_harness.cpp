// The list of parsers and their scratch directory.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "gradus/tests/fuzz/harness.h"

namespace gradus::fuzz {

namespace fs = std::filesystem;

std::vector<Parser>& parsers() {
  static std::vector<Parser> all;
  return all;
}

namespace {

struct Home {
  fs::path path;
  Home() {
    const fs::path base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : fs::temp_directory_path();
    std::string name = (base / "gradus_fuzz_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  ~Home() {
    std::error_code code;
    fs::remove_all(path, code);
  }
};

}  // namespace

const fs::path& Scratch::directory() {
  static const Home home;
  return home.path;
}

fs::path Scratch::file(const std::string& name, Bytes bytes) {
  const fs::path path = directory() / name;
  fs::create_directories(path.parent_path());
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  must(file != nullptr, "a scratch file");
  must(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size(), "a scratch file");
  std::fclose(file);
  return path;
}

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace gradus::fuzz
