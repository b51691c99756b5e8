// The checksums of a directory: `manifest.xxh128`, one line a file, which `xxhsum -c` reads too.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

inline constexpr const char* manifest_name = "manifest.xxh128";

/// XXH3 128 bit, as 32 lower-case hexadecimal digits.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  void update(const void* bytes, std::size_t n);
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct ManifestLine {
  std::string checksum;
  std::string name;
};
std::string manifest_text(const std::vector<ManifestLine>& lines);

/// Throws Error(argument) unless a name stays below its directory: no "..", no absolute name, no
/// character that a line of the manifest could not hold.
void check_file_name(const std::string& name);

/// Compares a directory with its manifest: the same set of files, every checksum right.
/// Returns what is wrong ("model.safetensors: checksum differs"), or "" if all is well.
/// `unreadable` is set to the FileError where it is the machine that is at fault, and the files may
/// be good.
std::string verify_directory(Files& files, const std::filesystem::path& directory,
                             std::exception_ptr* unreadable = nullptr);

}  // namespace gradus::trainer
