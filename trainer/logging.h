// Logging from anywhere in a step: a task, a module deep inside a model, a function of yours. The
// calls reach the trainer that is at work on this thread; outside of one they do nothing.
//   struct Block : nn::Module { Tensor forward(const Tensor& x) override {
//     if (trainer::log_wanted("block/spread")) trainer::log_value("block/spread", std(x)); ... } };
// During an evaluation the names get the data set's in front: "valid/block/spread". In a step that
// is captured (trainer.cuda_graph) only log_value() works.
#pragma once

#include <functional>
#include <string_view>

#include "gradus/tensor/tensor.h"
#include "gradus/trainer/log/entry.h"

namespace gradus::trainer {

/// A number for the next row: averaged over the steps since the last one. 0-dim or (N), on any
/// device; no wait.
void log_value(std::string_view name, const Tensor& value, double weight = 1);
void log_value(std::string_view name, double value, double weight = 1);
/// Whether a number of this name, of the step of now, would stand in a row: false except on logging
/// steps with a sink that wants it. What costs time is computed only then.
bool log_wanted(std::string_view name);
/// The function is called only if log_wanted(name).
void log_value(std::string_view name, const std::function<Tensor()>& value);

/// Nothing is done, and nothing read from the device, unless a sink that is due takes entries of
/// this kind; of several of one name in a step or an evaluation the first is taken.
void log_image(std::string_view name, const Tensor& pixels);  // see picture_of()
void log_histogram(std::string_view name, const Tensor& values);
void log_text(std::string_view name, std::string_view text);
void log_table(std::string_view name, const Table& table);
void log_entry(std::string_view name, Entry::Kind kind,
               const std::function<decltype(Entry::content)()>& make);

/// Makes a trainer the one that the calls above reach; the one before it comes back at the end.
class Trainer;
class LogScope {
 public:
  LogScope();  // none: for a step that does not count
  explicit LogScope(Trainer& trainer);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  Trainer* before_;
};

}  // namespace gradus::trainer
