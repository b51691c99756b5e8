// An offline run of Weights & Biases: wandb/offline-run-<time>-<id>/run-<id>.wandb, which
// the wandb package reads. A log of protocol buffers in LevelDB's framing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gradus/trainer/log/sink.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

class WandbRun final : public Sink {
 public:
  struct Options {
    std::int64_t every_n_steps = 1;
    std::string name;                                         // shown
    std::vector<std::pair<std::string, std::string>> config;  // key, value as JSON
  };
  WandbRun(Files& files, std::filesystem::path run_directory, Options options);
  bool wants(std::int64_t step, std::string_view name) const override;
  void write(const Record& record) override;
  void tick(const Progress& progress) override;
  void flush() override;
  /// The file of earlier starts is taken up again, without what lies behind `step`.
  void resume(std::int64_t step) override;
  void end(std::string_view status) override;

 private:
  void begin();
  void add(int field, const class Protobuf& message, bool at_end = false);
  void write_pending();

  Files& files_;
  std::filesystem::path directory_;  // <run>/wandb
  Options options_;
  std::optional<Record> pending_;                          // everything of one step is one row
  std::vector<std::pair<std::string, std::string>> last_;  // newest value of each name, as JSON
  std::filesystem::path file_;
  std::unique_ptr<FileWriter> writer_;
  std::uint64_t offset_ = 0;  // of the file's end
  std::uint64_t records_ = 0;
  double began_ = 0;  // seconds since 1970, of the first start
};

/// A payload as it stands at `offset` of a file: pieces that do not cross blocks of 32 KiB, each
/// with checksum, length and place in the whole.
std::string wandb_framed(std::string_view payload, std::uint64_t offset);
inline constexpr std::string_view wandb_head{":W&B\xe1\xbe\x00", 7};  // magic 0xBEE1, version 0
/// The payloads of a file up to the first that is not whole.
std::vector<std::string> wandb_payloads(std::string_view file);

}  // namespace gradus::trainer
