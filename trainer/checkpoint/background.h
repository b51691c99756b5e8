// One piece of work at a time beside the training thread: a checkpoint being written.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>

namespace gradus::trainer {

class Background {
 public:
  Background() = default;
  ~Background();  // waits; an error that nobody asked for is lost
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// Waits for the work before, then starts this one on a thread of its own.
  void start(std::function<void()> work);
  /// Until nothing is under way. Throws what the work threw, once.
  void wait();
  /// Throws what the work threw if it has ended; never waits.
  void check();

 private:
  std::thread thread_;
  std::atomic<bool> ended_{false};
  std::exception_ptr error_;  // written before ended_ is set
};

}  // namespace gradus::trainer
