#include "gradus/trainer/checkpoint/background.h"

#include <atomic>
#include <exception>
#include <thread>
#include <utility>

namespace gradus::trainer {

struct Background::Work {
  std::atomic<bool> ended{false};
  std::exception_ptr error;  // written before ended is set
  std::thread thread;
};

Background::Background() = default;

Background::~Background() {
  if (work_) work_->thread.join();
}

void Background::start(std::function<void()> work) {
  wait();
  auto made = std::make_unique<Work>();
  made->thread = std::thread([at = made.get(), work = std::move(work)] {
    try {
      work();
    } catch (...) {
      at->error = std::current_exception();
    }
    at->ended = true;
  });
  work_ = std::move(made);
}

void Background::wait() {
  if (!work_) return;
  work_->thread.join();
  const std::unique_ptr<Work> done = std::move(work_);
  if (done->error) std::rethrow_exception(done->error);
}

bool Background::ended() const { return !work_ || work_->ended; }

}  // namespace gradus::trainer
