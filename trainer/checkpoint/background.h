// One piece of work at a time beside the training thread: a checkpoint being written.
#pragma once

#include <functional>
#include <memory>

namespace gradus::trainer {

class Background {
 public:
  Background();
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
  struct Work;  // its thread: <thread> is a tenth of what gradus.h costs to include
  std::unique_ptr<Work> work_;
};

}  // namespace gradus::trainer
