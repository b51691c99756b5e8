// Publishing: everything durable under a temporary name first, then one rename.
#include "gradus/trainer/checkpoint/store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

/// The directory may be a link; where it cannot be looked at, the first use of it says why.
fs::path resolved(const fs::path& directory) {
  std::error_code code;
  const fs::path real = fs::weakly_canonical(directory, code);
  return code ? directory : real;
}

}  // namespace

CheckpointStore::CheckpointStore(Files& files, const fs::path& directory)
    : files_(files), directory_(resolved(directory)) {}

std::string step_name(std::int64_t step) { return fmt::format("step_{:09}", step); }

std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with("step_") || name.size() < 14 || name.size() > 23) return {};
  const std::string digits = name.substr(5);
  if (digits.find_first_not_of("0123456789") != digits.npos) return {};
  const std::int64_t step = std::stoll(digits);
  if (step_name(step) != name) return {};
  return step;
}

/// Names of a checkpoint's files, its manifest excepted.
std::vector<std::string> files_of(const fs::path& checkpoint) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(checkpoint)) {
    const std::string name = entry.path().lexically_relative(checkpoint).generic_string();
    if (entry.is_regular_file() && name != manifest_name) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path CheckpointStore::path_of(std::int64_t step) const { return directory_ / step_name(step); }

void CheckpointStore::publish(std::int64_t step, const std::vector<FileToSave>& contents,
                              const std::function<void()>& before_commit) {
  place(step, contents, before_commit);
  write_durably(files_, directory_ / "newest", step_name(step) + "\n");
}

void CheckpointStore::adopt(const fs::path& checkpoint,
                            const std::function<void()>& before_commit) {
  std::vector<FileToSave> contents;
  for (const std::string& name : files_of(checkpoint)) {
    contents.push_back(
        {name, [this, from = checkpoint / name](CheckpointFile& to) {
           read_pieces(files_, from, [&](const char* bytes, std::size_t n) { to.write(bytes, n); });
         }});
  }
  place(step_of(checkpoint.filename().string()).value(), contents, before_commit);
}

/// Writes a checkpoint and makes it durable.
void CheckpointStore::place(std::int64_t step, const std::vector<FileToSave>& contents,
                            const std::function<void()>& before_commit) {
  check(step >= 0, ErrorKind::argument, "checkpoint: step ", step, " is negative");
  make_directories(files_, directory_);
  const fs::path temporary =
      directory_ / fmt::format("{}{}_{}", temporary_prefix, step_name(step), getpid());
  discard(temporary);
  try {
    write_contents(temporary, contents);
    if (before_commit) before_commit();
    commit(temporary, path_of(step));
  } catch (...) {
    try {
      remove_tree(files_, temporary);
    } catch (const Error&) {
      // The first error is the one to report; clean() removes the rest at the next start.
    }
    throw;
  }
  // An error here leaves both the new and the replaced checkpoint: which of them a power cut would
  // bring back is not known yet.
  sync_directory(files_, directory_);
  // From here the checkpoint is durable.
  remove_tree(files_, temporary);  // after an exchange: the one that was replaced
}

void CheckpointStore::write_contents(const fs::path& temporary,
                                     const std::vector<FileToSave>& contents) {
  done(files_.make_directory(temporary), "make the directory", temporary);
  std::vector<ManifestLine> lines;
  std::set<fs::path> directories;
  const auto save = [&](const std::string& name, auto write) {
    FileWriter writer(files_, temporary / name);
    CheckpointFile file(writer);
    write(file);
    writer.sync();
    writer.close();
    return file.checksum();
  };
  for (const FileToSave& content : contents) {
    check_file_name(content.name);
    const fs::path parent = (temporary / content.name).parent_path();
    if (parent != temporary && directories.insert(parent).second) make_directories(files_, parent);
    lines.push_back({save(content.name, content.write), content.name});
  }
  save(manifest_name, [&](CheckpointFile& file) { file.write(manifest_text(lines)); });
  for (const fs::path& directory : directories) sync_directory(files_, directory);
  sync_directory(files_, temporary);
}

void CheckpointStore::commit(const fs::path& temporary, const fs::path& final) {
  int result = files_.rename(temporary, final);
  if (result == -EEXIST || result == -ENOTEMPTY) {
    result = files_.exchange(temporary, final);
    if (result == -EINVAL || result == -ENOSYS || result == -ENOTSUP) {
      // A file system without exchange: for a moment the step has no directory, but its old one is
      // complete under a name that clean() puts back.
      const fs::path replaced =
          directory_ / (std::string(replaced_prefix) + final.filename().string());
      remove_tree(files_, replaced);
      done(files_.rename(final, replaced), "rename", final);
      result = files_.rename(temporary, final);
      if (result < 0)
        files_.rename(replaced, final);
      else
        result = files_.rename(replaced, temporary);
    }
  }
  done(result, "publish", final);
}

void CheckpointStore::set_best(std::int64_t step) {
  std::error_code code;
  if (fs::exists(path_of(step), code))
    write_durably(files_, directory_ / "best", step_name(step) + "\n");
  else if (fs::exists(directory_ / "best", code))
    remove_tree(files_, directory_ / "best");
}

std::vector<std::int64_t> CheckpointStore::steps() const {
  std::vector<std::int64_t> steps;
  std::error_code code;
  if (fs::symlink_status(directory_, code).type() == fs::file_type::not_found) return steps;
  for (const Files::Entry& entry : list(files_, directory_))
    if (const auto step = step_of(entry.name)) steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<StoredCheckpoint> CheckpointStore::newest_good(
    std::vector<std::string>& skipped) const {
  std::exception_ptr unreadable;
  const std::vector<std::int64_t> all = steps();
  for (auto step = all.rbegin(); step != all.rend(); ++step) {
    const std::string wrong = verify_directory(files_, path_of(*step), &unreadable);
    if (wrong.empty()) return StoredCheckpoint{*step, path_of(*step)};
    skipped.push_back(step_name(*step) + ": " + wrong);
  }
  if (unreadable) std::rethrow_exception(unreadable);
  return {};
}

void CheckpointStore::remove(const fs::path& path) {
  // Half a checkpoint must never stand under a checkpoint's name.
  const fs::path temporary =
      directory_ / fmt::format("{}{}_{}", temporary_prefix, path.filename().string(), getpid());
  discard(temporary);
  const int result = files_.rename(path, temporary);
  if (result == -ENOENT) return;
  done(result, "rename", path);
  remove_tree(files_, temporary);
}

void CheckpointStore::discard(const fs::path& temporary) {
  std::error_code code;
  if (!fs::exists(temporary, code)) return;
  // It may hold what an exchange took out of sight, and the exchange may not be durable yet.
  sync_directory(files_, directory_);
  remove_tree(files_, temporary);
}

}  // namespace gradus::trainer
