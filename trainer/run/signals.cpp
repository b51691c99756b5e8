// The table of signals, and a handler that may be called anywhere.
#include "gradus/trainer/run/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>

#include "gradus/tensor/error.h"

namespace gradus::trainer {
namespace {

/// The first request to leave: 256 times when it came, in ms, and its signal. 0: none.
std::atomic<std::int64_t> leave{0};
std::atomic<bool> save_wanted{false};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

/// A step may take long: who pressed Ctrl-C at a terminal is told that he was heard.
std::atomic<bool> at_terminal{false};
constexpr std::string_view heard =
    "\r\x1b[Kinterrupted: this step is finished and saved first; once more leaves at once\n";

/// One request may come twice: `timeout` signals its child, and then the group that it is in.
constexpr std::int64_t twice_within_ms = 100;

std::int64_t milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void on_leave(int signal) {
  std::int64_t first = 0;
  const std::int64_t now = milliseconds();
  if (!leave.compare_exchange_strong(first, now * 256 + signal)) {
    if (first % 256 == signal && now - first / 256 < twice_within_ms) return;
    _exit(128 + signal);
  }
  if (signal != SIGINT || !at_terminal) return;
  const int before = errno;
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, heard.data(), heard.size());
  errno = before;
}

void on_save(int) { save_wanted = true; }

struct Handled {
  int signal;
  std::string_view name;
  std::string SignalsConfig::*action;
};
constexpr Handled handled[] = {{SIGTERM, "SIGTERM", &SignalsConfig::term},
                               {SIGUSR1, "SIGUSR1", &SignalsConfig::usr1},
                               {SIGUSR2, "SIGUSR2", &SignalsConfig::usr2},
                               {SIGINT, "SIGINT", &SignalsConfig::interrupt},
                               {SIGHUP, "SIGHUP", &SignalsConfig::hangup}};

}  // namespace

struct SignalHandlers::Installed {
  int signal;
  struct sigaction before;
};

SignalHandlers::SignalHandlers(const SignalsConfig& actions) {
  leave = 0;
  save_wanted = false;
  at_terminal = ::isatty(STDERR_FILENO) == 1;
  for (const Handled& row : handled) {
    const std::string& action = actions.*row.action;
    if (action == "default") continue;
    struct sigaction now = {}, before;
    now.sa_handler = action == "save" ? on_save : on_leave;
    now.sa_flags = SA_RESTART;
    sigemptyset(&now.sa_mask);
    check(sigaction(row.signal, &now, &before) == 0, ErrorKind::internal, "signals: ", row.name);
    installed_.push_back({row.signal, before});
  }
}

SignalHandlers::~SignalHandlers() {
  for (const Installed& one : installed_) sigaction(one.signal, &one.before, nullptr);
}

int SignalHandlers::leave_requested() { return static_cast<int>(leave % 256); }

bool SignalHandlers::take_save_request() { return save_wanted.exchange(false); }

int exit_status_of(int signal) { return signal == SIGINT ? 130 : 75; }

std::string_view signal_name(int signal) {
  for (const Handled& row : handled)
    if (row.signal == signal) return row.name;
  return "signal";
}

}  // namespace gradus::trainer
