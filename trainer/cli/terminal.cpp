// Which stream, which width, which clock.
#include "gradus/trainer/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>

#include "gradus/tensor/error.h"
#include "gradus/trainer/cli/commands.h"

namespace gradus::cli {
namespace {

using trainer::Console;
using trainer::Progress;
using trainer::Record;

std::atomic<Terminal*> current{nullptr};

double seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

int width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// The Trainer owns its sinks; this one hands on to the console that the command line keeps.
class Shared final : public trainer::Sink {
 public:
  explicit Shared(std::shared_ptr<Console> console) : console_(std::move(console)) {}
  bool wants(std::int64_t, std::string_view) const override { return false; }
  bool follows() const override { return true; }
  void write(const Record& record) override { console_->write(record); }
  void tick(const Progress& progress) override { console_->tick(progress); }
  void evaluating(std::string_view name, std::int64_t batch, std::int64_t batches) override {
    console_->evaluating(name, batch, batches);
  }

 private:
  std::shared_ptr<Console> console_;
};

/// progress = "none".
class Nothing final : public trainer::Sink {
 public:
  bool wants(std::int64_t, std::string_view) const override { return false; }
  void write(const Record&) override {}
};

}  // namespace

Terminal::Terminal(const trainer::LogConfig& config) {
  current = this;
  set_log_handler([](std::string_view message) {
    if (Terminal* terminal = current) terminal->say(message);
  });
  if (config.progress == "none") return;
  const bool automatic = config.progress == "auto";
  trainer::ConsoleOptions options;
  options.bar = config.progress == "bar" || (automatic && isatty(STDERR_FILENO));
  options.every_n_seconds = config.every_n_seconds;
  options.every_n_steps = config.lines_every_n_steps;
  options.units = config.units;
  options.seconds = seconds;
  options.width = width;
  options.out = print;
  if (options.bar) {
    options.out = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stderr);
      std::fflush(stderr);
    };
  }
  console_ = std::make_shared<Console>(std::move(options));
}

Terminal::~Terminal() {
  set_log_handler(nullptr);
  current = nullptr;
}

std::unique_ptr<trainer::Sink> Terminal::sink() {
  if (!console_) return std::make_unique<Nothing>();
  return std::make_unique<Shared>(console_);
}

void Terminal::say(std::string_view text) {
  if (console_)
    console_->say(text);
  else
    std::fprintf(stderr, "gradus: %.*s\n", static_cast<int>(text.size()), text.data());
}

void Terminal::finish() {
  if (console_) console_->finish();
}

}  // namespace gradus::cli
