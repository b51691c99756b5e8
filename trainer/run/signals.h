// Signals as flags: the handler only notes what came, the training loop acts at the end of a step.
// Only the command line makes a SignalHandlers; the library installs none.
#pragma once

#include <string_view>
#include <vector>

#include "gradus/trainer/config.h"

namespace gradus::trainer {

/// While it lives, the signals of the table set flags; its destructor restores what was there
/// before. A second signal that asks to leave ends the process at once, with status 128 + its
/// number; the same one again within 0.1 s is the first, sent twice.
class SignalHandlers {
 public:
  explicit SignalHandlers(const SignalsConfig& actions);
  ~SignalHandlers();
  SignalHandlers(const SignalHandlers&) = delete;
  SignalHandlers& operator=(const SignalHandlers&) = delete;

  /// The first signal that asked to save and leave; 0: none came.
  static int leave_requested();
  /// Whether a save was asked for since the last call.
  static bool take_save_request();

 private:
  struct Installed;
  std::vector<Installed> installed_;
};

/// 75 (checkpointed, please requeue), or 130 after SIGINT.
int exit_status_of(int signal);
/// "SIGTERM"
std::string_view signal_name(int signal);

}  // namespace gradus::trainer
