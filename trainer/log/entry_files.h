// Entries as files of their own kind: pictures as pictures, everything else as lines of JSON.
#pragma once

#include <memory>

#include "gradus/trainer/log/sink.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

/// visualizations/<step>/<key>.png (or .jpg); those of the final evaluation in <step>_end.
class ImageFiles final : public Sink {
 public:
  /// `ending`: png or jpg. `every_n_steps`: of those that are no part of a validation.
  ImageFiles(Files& files, std::filesystem::path run_directory, std::int64_t every_n_steps,
             std::string ending);
  bool wants(std::int64_t, std::string_view) const override { return false; }
  bool wants_entry(const Moment& at, Entry::Kind kind) const override;
  void write(const Record&) override {}
  void write_entry(const Entry& entry) override;
  void resume(std::int64_t step) override;
  /// What an evaluation shows again takes the place of what it showed.
  void resume_within(std::int64_t step) override { resume(step); }

 private:
  Files& files_;
  std::filesystem::path directory_;
  std::int64_t every_n_steps_;
  std::string ending_;
};

/// entries.jsonl: {"event": "text", "step": 50, "epoch": 0, ..., "name": "sample", "text": "..."},
/// and so on for histograms and tables.
class EntryLines final : public Sink {
 public:
  EntryLines(Files& files, std::filesystem::path path, std::int64_t every_n_steps);
  bool wants(std::int64_t, std::string_view) const override { return false; }
  bool wants_entry(const Moment& at, Entry::Kind kind) const override;
  void write(const Record&) override {}
  void write_entry(const Entry& entry) override;
  void flush() override;
  void resume(std::int64_t step) override;
  void resume_within(std::int64_t step) override;

 private:
  void cut(std::int64_t step, bool within);

  Files& files_;
  std::filesystem::path path_;
  std::int64_t every_n_steps_;
  std::unique_ptr<FileWriter> writer_;
};

}  // namespace gradus::trainer
