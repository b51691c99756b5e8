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
  /// Whether the work has ended, so that wait() does not wait for it.
  bool ended() const;

 private:
  struct Work;  // its thread: <thread> is a tenth of what gradus.h costs to include
  std::unique_ptr<Work> work_;
};

}  // namespace gradus::trainer
