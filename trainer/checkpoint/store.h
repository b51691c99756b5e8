// The checkpoints of a run: `checkpoints/step_%09d/`, published whole or not at all, found again by
// looking at what is really there, and removed by rule. Only the holder of the run's lock writes
// here.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

/// Directories with these beginnings are not checkpoints: half written, or about to be replaced.
inline constexpr std::string_view temporary_prefix = ".tmp_", replaced_prefix = ".replaced_";

/// A file of a checkpoint on its way to the disk; the checksum is of what was meant to be written.
class CheckpointFile {
 public:
  explicit CheckpointFile(FileWriter& writer) : writer_(writer) {}
  void write(const void* bytes, std::size_t n) {
    checksum_.update(bytes, n);
    writer_.write(bytes, n);
  }
  void write(std::string_view text) { write(text.data(), text.size()); }
  std::string checksum() const { return checksum_.text(); }

 private:
  FileWriter& writer_;
  Checksum checksum_;
};
struct FileToSave {
  std::string name;  // "model.safetensors", "optimizer/main.safetensors"
  std::function<void(CheckpointFile&)> write;
};

struct StoredCheckpoint {
  std::int64_t step;
  std::filesystem::path path;
};

class CheckpointStore {
 public:
  /// `directory` is the run's `checkpoints`; it is made by the first publish.
  CheckpointStore(Files& files, const std::filesystem::path& directory);

  /// Writes a checkpoint. When it returns, the checkpoint is durable and `newest` names it; when it
  /// throws, what was there before is still there. One of the same step is replaced atomically.
  /// `before_commit` runs last before it becomes visible and may throw: is the lock still ours?
  void publish(std::int64_t step, const std::vector<FileToSave>& contents,
               const std::function<void()>& before_commit = {});
  /// A copy of another run's checkpoint under its own step, which becomes no newest one.
  void adopt(const std::filesystem::path& checkpoint,
             const std::function<void()>& before_commit = {});
  /// Makes the pointer file `best` name this step, or removes it if there is no such checkpoint.
  /// Pointers are for people: nothing here reads them.
  void set_best(std::int64_t step);

  /// The steps of all checkpoints, good or not, ascending.
  std::vector<std::int64_t> steps() const;
  std::filesystem::path path_of(std::int64_t step) const;

  /// The newest whose checksums hold. What was passed over, and why, is added to `skipped`. Throws
  /// FileError if there is none because the disk fails: none of them need be damaged.
  std::optional<StoredCheckpoint> newest_good(std::vector<std::string>& skipped) const;

  /// Deletes what no rule keeps. Call it only after a publish returned; `newest` is its step.
  void prune(const CheckpointConfig& rules, std::int64_t newest, std::optional<std::int64_t> best);

  /// After a crash: finishes an exchange that was cut short and removes temporary directories.
  void clean();
  /// The run goes on from `step`: later checkpoints belong to a history that is being rewritten.
  /// They get the name superseded_step_%09d, which prune() removes once `step` has passed theirs.
  void set_aside_after(std::int64_t step);

 private:
  void place(std::int64_t step, const std::vector<FileToSave>& contents,
             const std::function<void()>& before_commit);
  void write_contents(const std::filesystem::path& temporary,
                      const std::vector<FileToSave>& contents);
  void commit(const std::filesystem::path& temporary, const std::filesystem::path& final);
  void remove(const std::filesystem::path& path);
  void discard(const std::filesystem::path& temporary);

  Files& files_;
  std::filesystem::path directory_;
};

/// "step_000001200"
std::string step_name(std::int64_t step);
/// The step of such a name; nothing for every other name.
std::optional<std::int64_t> step_of(const std::string& name);

/// Whether a checkpoint of that step stands at the end of an epoch.
using IsEpochEnd = std::function<bool(std::int64_t step)>;

/// The steps that may go: rules add up, and a checkpoint stays if any rule wants it. The newest and
/// the best stay always (the best unless keep_best is off), and nothing later than `newest` goes.
std::vector<std::int64_t> steps_to_delete(const std::vector<std::int64_t>& steps,
                                          const CheckpointConfig& rules, std::int64_t newest,
                                          std::optional<std::int64_t> best,
                                          const IsEpochEnd& is_epoch_end = {});

}  // namespace gradus::trainer
