#include "gradus/trainer/checkpoint/background.h"

#include <utility>

namespace gradus::trainer {

Background::~Background() {
  if (thread_.joinable()) thread_.join();
}

void Background::start(std::function<void()> work) {
  wait();
  ended_ = false;
  thread_ = std::thread([this, work = std::move(work)] {
    try {
      work();
    } catch (...) {
      error_ = std::current_exception();
    }
    ended_ = true;
  });
}

void Background::wait() {
  if (thread_.joinable()) thread_.join();
  if (const std::exception_ptr error = std::exchange(error_, nullptr))
    std::rethrow_exception(error);
}

void Background::check() {
  if (thread_.joinable() && ended_) wait();
}

}  // namespace gradus::trainer
