// The sinks of a run as one.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gradus/trainer/log/sink.h"

namespace gradus::trainer {

class Sinks {
 public:
  void add(std::unique_ptr<Sink> sink) { sinks_.push_back(std::move(sink)); }
  bool wants(std::int64_t step, std::string_view name) const {
    for (const auto& sink : sinks_)
      if (sink->wants(step, name)) return true;
    return false;
  }
  bool want_any(std::int64_t step, const std::vector<std::string>& names) const {
    for (const std::string& name : names)
      if (wants(step, name)) return true;
    return false;
  }
  bool wants_entry(const Moment& at, Entry::Kind kind) const {
    for (const auto& sink : sinks_)
      if (sink->wants_entry(at, kind)) return true;
    return false;
  }
  void write_entry(const Entry& entry) {
    for (const auto& sink : sinks_)
      if (sink->wants_entry(entry.at, entry.kind())) sink->write_entry(entry);
  }
  void end(std::string_view status) {
    for (const auto& sink : sinks_) sink->end(status);
  }
  void write(const Record& record) {
    for (const auto& sink : sinks_) sink->write(record);
  }
  /// A row of training, to each what it wants of it. `regular`: at log.every_n_steps.
  void write_row(const Record& record, bool regular) {
    for (const auto& sink : sinks_) {
      if (regular && sink->follows()) {
        sink->write(record);
        continue;
      }
      Record some = record;
      std::erase_if(some.values, [&](const auto& v) { return !sink->wants(some.step, v.first); });
      if (!some.values.empty()) sink->write(some);
    }
  }
  void tick(const Progress& progress) {
    for (const auto& sink : sinks_) sink->tick(progress);
  }
  void evaluating(std::string_view name, std::int64_t batch, std::int64_t batches) {
    for (const auto& sink : sinks_) sink->evaluating(name, batch, batches);
  }
  void flush() {
    for (const auto& sink : sinks_) sink->flush();
  }
  void resume(std::int64_t step, bool within) {
    for (const auto& sink : sinks_) within ? sink->resume_within(step) : sink->resume(step);
  }

 private:
  std::vector<std::unique_ptr<Sink>> sinks_;
};

}  // namespace gradus::trainer
