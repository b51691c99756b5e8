// TensorBoard's event files, one of them for each start of a run, in the run directory itself:
// `tensorboard --logdir runs` then shows each run under its directory's name.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gradus/trainer/log/sink.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

/// What the HPARAMS page compares runs by.
using HyperParameters =
    std::vector<std::pair<std::string, std::variant<double, bool, std::string>>>;

class TensorBoard final : public Sink {
 public:
  struct Options {
    std::int64_t every_n_steps = 1;
    std::int64_t images_every_n_steps = 1;
    std::int64_t histograms_every_n_steps = 0;  // beside every_n_steps
    HyperParameters parameters = {};
    std::vector<std::string> metrics = {};  // that the HPARAMS page shows: "valid/accuracy"
    std::string configuration = {};         // shown as a text
  };
  TensorBoard(Files& files, std::filesystem::path directory, Options options);
  bool wants(std::int64_t step, std::string_view name) const override;
  bool wants_entry(const Moment& at, Entry::Kind kind) const override;
  void write(const Record& record) override;
  void write_entry(const Entry& entry) override;
  void tick(const Progress& progress) override;
  void flush() override;
  void resume(std::int64_t step) override;
  void resume_within(std::int64_t step) override;
  void end(std::string_view status) override;

 private:
  void begin();
  void add(const Moment& at, const class Protobuf& summary);
  void write_pending();
  void cut(std::int64_t step, bool within);

  Files& files_;
  std::filesystem::path directory_;
  Options options_;
  std::string pending_;  // whole records
  std::unique_ptr<FileWriter> writer_;
  bool described_ = false;  // an earlier start of the run has written configuration and parameters
};

/// CRC-32C (Castagnoli): of "123456789" it is 0xE3069283.
std::uint32_t crc32c(std::string_view bytes);
/// One record of an event file: length, its masked checksum, the payload, its masked checksum.
std::string event_record(std::string_view payload);
/// The payloads of an event file up to the first record that is not whole or whose sums are wrong.
std::vector<std::string_view> event_records(std::string_view file);

}  // namespace gradus::trainer
