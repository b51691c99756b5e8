// The person at the other end: a bar on standard error where that is a terminal, else lines on
// standard output; and the library's messages between them.
#pragma once

#include <memory>
#include <string_view>

#include "gradus/trainer/config.h"
#include "gradus/trainer/log/console.h"

namespace gradus::cli {

/// One at a time: it receives log_message() while it lives.
class Terminal {
 public:
  explicit Terminal(const trainer::LogConfig& config);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  /// For the Trainer; shares the screen with say().
  std::unique_ptr<trainer::Sink> sink();
  void say(std::string_view text);
  void finish();

 private:
  std::shared_ptr<trainer::Console> console_;  // null: progress = "none"
};

}  // namespace gradus::cli
