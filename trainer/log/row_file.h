// A text file of rows, one a step: the part that CSV and JSON lines have in common. Records of the
// same step become one row; a file whose writer died in the middle of a line is taken up where it
// was whole.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gradus/trainer/log/sink.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

class RowFile : public Sink {
 public:
  RowFile(Files& files, std::filesystem::path path, Record::Kind kind, std::int64_t every_n_steps);
  bool wants(std::int64_t step, std::string_view name) const override;
  void write(const Record& record) override;
  void tick(const Progress& progress) override;
  void flush() override;
  void resume(std::int64_t step) override;

 protected:
  /// Where a row stands: the step, and whether it belongs to the end of the run.
  struct Place {
    std::int64_t step;
    bool at_end;
  };
  /// One row with its line's end. May rewrite the file with replace() first.
  virtual std::string line(const Record& record) = 0;
  /// The place of a line that stands in the file; nothing if it is no row.
  virtual std::optional<Place> place(std::string_view line) const = 0;
  /// Takes the head of a file found at the start; returns how many lines it has, or nothing if the
  /// file is not one of ours.
  virtual std::optional<std::size_t> read_head(std::string_view) { return 0; }

  std::string contents() const;
  void replace(std::string_view text);

 private:
  void write_pending();

  Files& files_;
  std::filesystem::path path_;
  Record::Kind kind_;
  std::int64_t every_n_steps_;
  std::optional<Record> pending_;
  std::unique_ptr<FileWriter> writer_;
};

/// metrics.csv: step, epoch, event, then a column for each name in the order of their first
/// appearance. A new name adds a column at the end of every row.
class CsvFile : public RowFile {
 public:
  using RowFile::RowFile;

 protected:
  std::string line(const Record& record) override;
  std::optional<Place> place(std::string_view line) const override;
  std::optional<std::size_t> read_head(std::string_view text) override;

 private:
  std::vector<std::string> names_;
  bool head_written_ = false;
};

/// metrics.jsonl and timing.jsonl: {"event": "step", "step": 50, "epoch": 0, "train/loss": 0.61}
class JsonlFile : public RowFile {
 public:
  using RowFile::RowFile;

 protected:
  std::string line(const Record& record) override;
  std::optional<Place> place(std::string_view line) const override;
};

}  // namespace gradus::trainer
