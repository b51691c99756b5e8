// Writing and checking the manifest. The set of files must match exactly: a manifest that lost its
// last lines would otherwise pass.
#include "gradus/trainer/checkpoint/manifest.h"

#define XXH_INLINE_ALL
#ifdef __AVX512F__
#define XXH_VECTOR XXH_AVX2  // fast enough for any disk, and g++ 12 warns in its AVX-512 header
#endif
#include <xxhash.h>

#include <algorithm>
#include <set>

namespace gradus::trainer {

namespace fs = std::filesystem;

struct Checksum::State {
  XXH3_state_t* state = XXH3_createState();
  ~State() { XXH3_freeState(state); }
};

Checksum::Checksum() : state_(new State) { XXH3_128bits_reset(state_->state); }
Checksum::~Checksum() = default;

void Checksum::update(const void* bytes, std::size_t n) {
  XXH3_128bits_update(state_->state, bytes, n);
}

std::string Checksum::text() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_->state));
  std::string out;
  for (const unsigned char byte : canonical.digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

std::string manifest_text(const std::vector<ManifestLine>& lines) {
  std::string text;
  for (const ManifestLine& line : lines) text += line.checksum + "  " + line.name + "\n";
  return text;
}

namespace {

constexpr std::size_t max_manifest = 16 << 20;

bool name_is_safe(const std::string& name) {
  if (name.empty() || name.size() > 1000 || name == manifest_name) return false;
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == 0x7f) return false;
  std::size_t begin = 0;
  while (begin <= name.size()) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

/// The lines, or what is wrong with them.
std::string parse(const std::string& text, std::vector<ManifestLine>& lines) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    if (end == text.npos) return "the last line is not complete";
    const std::string line = text.substr(begin, end - begin);
    const bool hex = line.find_first_not_of("0123456789abcdef") == 32;
    if (!hex || line.compare(32, 2, "  ") != 0 || !name_is_safe(line.substr(34)))
      return "line " + std::to_string(lines.size() + 1) + " is not a checksum and a name";
    lines.push_back({line.substr(0, 32), line.substr(34)});
    begin = end + 1;
  }
  return lines.empty() ? "it is empty" : "";
}

/// Every file below a directory; false at something that is neither file nor directory.
bool collect(Files& files, const fs::path& directory, const std::string& prefix,
             std::set<std::string>& names, std::string& wrong) {
  for (const Files::Entry& entry : list(files, directory)) {
    const std::string name = prefix + entry.name;
    if (entry.kind == Files::Entry::other) {
      wrong = name + ": not a regular file";
      return false;
    }
    if (entry.kind == Files::Entry::file)
      names.insert(name);
    else if (!collect(files, directory / entry.name, name + "/", names, wrong))
      return false;
  }
  return true;
}

}  // namespace

void check_file_name(const std::string& name) {
  check(name_is_safe(name), ErrorKind::argument, "checkpoint: not a usable file name: \"", name,
        "\"");
}

std::string verify_directory(Files& files, const fs::path& directory,
                             std::exception_ptr* unreadable) try {
  std::set<std::string> names;
  std::string wrong;
  if (!collect(files, directory, "", names, wrong)) return wrong;
  if (!names.erase(manifest_name)) return std::string(manifest_name) + ": missing";
  std::vector<ManifestLine> lines;
  wrong = parse(read_file(files, directory / manifest_name, max_manifest), lines);
  if (!wrong.empty()) return std::string(manifest_name) + ": " + wrong;
  for (const ManifestLine& line : lines) {
    if (!names.erase(line.name)) return line.name + ": missing or listed twice";
    Checksum checksum;
    read_pieces(files, directory / line.name,
                [&](const void* bytes, std::size_t n) { checksum.update(bytes, n); });
    if (checksum.text() != line.checksum) return line.name + ": checksum differs";
  }
  return names.empty() ? "" : *names.begin() + ": not in the manifest";
} catch (const FileError& e) {
  if (unreadable != nullptr && e.environment()) *unreadable = std::current_exception();
  return e.what();
} catch (const Error& e) {
  if (e.kind() != ErrorKind::io && e.kind() != ErrorKind::corrupt) throw;
  return e.what();
}

}  // namespace gradus::trainer
