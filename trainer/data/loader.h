// Batches of a data set in an order fixed by (seed, epoch), read ahead by a thread into a ring of
// batches.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "gradus/trainer/data/stream.h"

namespace gradus::trainer {

struct LoaderOptions {
  std::int64_t batch_size = 32;
  bool shuffle = false;
  bool drop_last = false;
  std::uint64_t seed = 0;
  int workers = 1;       // 0: no thread, batches are read when asked for
  int prefetch = 4;      // batches in the ring
  int retries = 0;       // of a batch that could not be read, after 0.1, 0.2, 0.4 ... seconds
  double timeout_s = 0;  // how long next() waits for a batch before it throws (io); 0: for ever

  /// Batches in memory at a time.
  std::int64_t slots() const { return workers > 0 ? std::max(2, prefetch) : 1; }
};

/// One pass after another over a data set. start() sets the epoch and the sample to begin with (of
/// a stream the cursor), so that resuming in the middle of an epoch repeats nothing and skips
/// nothing.
class Loader {
 public:
  Loader(DatasetPointer data, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  void start(std::int64_t epoch, std::int64_t first_sample = 0, const std::string& cursor = {});
  /// The next batch, or null at the end of the epoch. Valid until the next call.
  /// Throws what a worker threw, with the batch it was reading.
  Batch* next();
  /// Where the batch that next() gave last leaves its stream; leaves `place` alone if the data are
  /// none.
  void tell(StreamPlace& place) const;
  /// Batches in a whole epoch, or up to a cap: a count, or a share in (0, 1); unknown_length of a
  /// stream that does not say. 0: no cap.
  std::int64_t batches(double cap = 0) const;
  const Dataset& data() const { return *data_; }
  const LoaderOptions& options() const { return options_; }

 private:
  struct Slot {
    Batch batch;
    std::int64_t number = -1;  // of the batch it holds or is getting
    bool ready = false;
    StreamPlace after;  // it, of a stream
    std::exception_ptr error;
  };
  void read(std::int64_t number, Slot& slot);
  void read_patiently(std::int64_t number, Slot& slot);
  void see_end(const Slot& slot);
  std::int64_t rows_in(std::int64_t number) const;
  void work();
  void stop();

  DatasetPointer data_;
  LoaderOptions options_;
  std::vector<Field> fields_;
  std::int64_t epoch_ = 0, first_ = 0,
               count_ = 0;                 // of this pass: its first sample and its batches
  std::int64_t taken_ = 0;                 // batches handed out
  const StreamDataset* stream_ = nullptr;  // the data, if they are one
  std::unique_ptr<StreamReader> reader_;
  StreamPlace place_;  // of the reader
  StreamPlace given_;  // after the batch handed out last
  std::vector<Slot> ring_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t claimed_ = 0;  // batches some worker has begun
  bool stopping_ = false;
};

}  // namespace gradus::trainer
