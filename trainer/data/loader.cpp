#include "gradus/trainer/data/loader.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "gradus/trainer/data/permutation.h"

namespace gradus::trainer {

Loader::Loader(DatasetPointer data, LoaderOptions options)
    : data_(std::move(data)),
      options_(options),
      fields_(data_->fields()),
      stream_(dynamic_cast<const StreamDataset*>(data_.get())) {
  if (stream_ != nullptr) options_.workers = std::min(options_.workers, 1);  // in its order
  check(options_.batch_size > 0, ErrorKind::argument, "loader: batch_size must be positive, got ",
        options_.batch_size);
  check(data_->size() > 0 || stream_ != nullptr, ErrorKind::argument,
        "loader: the data set is empty");
  check(!options_.drop_last || data_->size() >= options_.batch_size || data_->size() == 0,
        ErrorKind::argument, "loader: ", data_->size(), " samples do not fill one batch of ",
        options_.batch_size, " and drop_last is set");
  ring_.resize(static_cast<std::size_t>(options_.slots()));
}

Loader::~Loader() { stop(); }

std::int64_t Loader::batches(double cap) const {
  const std::int64_t n = data_->size(), b = options_.batch_size;
  const std::int64_t all = n == 0 ? unknown_length : options_.drop_last ? n / b : (n + b - 1) / b;
  if (cap == 0) return all;
  check(cap >= 1 || n > 0, ErrorKind::argument, "data: a share (", cap,
        ") of the batches of a stream whose length is not known");
  const double wanted = cap < 1 ? cap * static_cast<double>(all) : cap;
  // 0.29 of 100 is 29, though not in binary.
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(wanted + 1e-9), 1, all);
}

void Loader::tell(StreamPlace& place) const {
  if (stream_ != nullptr) place = given_;
}

void Loader::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& t : threads_) t.join();
  threads_.clear();
  stopping_ = false;
}

void Loader::start(std::int64_t epoch, std::int64_t first_sample, const std::string& cursor) {
  stop();
  reader_.reset();
  place_ = {cursor, false};
  epoch_ = epoch;
  first_ = first_sample;
  const std::int64_t left = data_->size() - first_sample, b = options_.batch_size;
  count_ = left <= 0 ? 0 : options_.drop_last ? left / b : (left + b - 1) / b;
  if (stream_ != nullptr) count_ = unknown_length;  // until its end is seen
  taken_ = claimed_ = 0;
  for (Slot& slot : ring_) {
    slot.number = -1;
    slot.ready = false;
    slot.error = nullptr;
  }
  for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { work(); });
}

std::int64_t Loader::rows_in(std::int64_t number) const {
  return std::min(options_.batch_size, data_->size() - first_ - number * options_.batch_size);
}

void Loader::read(std::int64_t number, Slot& slot) {
  Batch& batch = slot.batch;
  if (stream_ != nullptr) {
    if (!reader_) reader_ = std::make_unique<StreamReader>(*stream_, epoch_, place_.cursor);
    batch.epoch = epoch_;
    slot.after = place_ =
        reader_->read(options_.batch_size, first_ + number * options_.batch_size, batch);
    if (options_.drop_last && batch.size < options_.batch_size) batch.size = 0;
    return;
  }
  const std::int64_t n = rows_in(number);
  const Permutation order(data_->size(), options_.seed, static_cast<std::uint64_t>(epoch_));
  batch.rows.resize(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t place = first_ + number * options_.batch_size + i;
    batch.rows[static_cast<std::size_t>(i)] = options_.shuffle ? order[place] : place;
  }
  batch.size = n;
  batch.epoch = epoch_;
  allocate(fields_, batch);
  data_->fill(batch.rows, batch);
}

/// Tries again after a pause that doubles: a file server that is away for a moment ends no run.
void Loader::read_patiently(std::int64_t number, Slot& slot) {
  for (int tries = 0;; ++tries) {
    try {
      return read(number, slot);
    } catch (const std::exception& error) {
      reader_.reset();  // what was read of a stream is read again
      if (tries >= options_.retries) throw;
      log_message({"data: ", error.what(), "; trying again"});
      std::unique_lock lock(mutex_);
      const auto pause = std::chrono::milliseconds(100 << tries);
      if (changed_.wait_for(lock, pause, [&] { return stopping_; })) throw;
    }
  }
}

void Loader::work() {
  const auto ring = static_cast<std::int64_t>(ring_.size());
  for (;;) {
    std::int64_t number = 0;
    Slot* slot = nullptr;
    {
      std::unique_lock lock(mutex_);
      // The slot of the batch in use (number taken_ - 1) must not be written yet: ring - 1 may be
      // ahead.
      changed_.wait(
          lock, [&] { return stopping_ || claimed_ >= count_ || claimed_ < taken_ + ring - 1; });
      if (stopping_ || claimed_ >= count_) return;
      number = claimed_++;
      slot = &ring_[static_cast<std::size_t>(number % ring)];
      slot->number = number;
      slot->ready = false;
    }
    std::exception_ptr error;
    try {
      read_patiently(number, *slot);
    } catch (...) {
      error = std::current_exception();
    }
    {
      std::lock_guard lock(mutex_);
      slot->error = error;
      slot->ready = true;
      see_end(*slot);
    }
    changed_.notify_all();
  }
}

/// A stream's last batch says how many there are.
void Loader::see_end(const Slot& slot) {
  if (stream_ == nullptr || slot.error || !slot.after.ended) return;
  count_ = slot.number + (slot.batch.size > 0 ? 1 : 0);
}

Batch* Loader::next() {
  if (options_.workers == 0) {
    if (taken_ >= count_) return nullptr;
    Slot& slot = ring_[0];
    slot.number = taken_;
    read_patiently(taken_, slot);
    see_end(slot);
    if (taken_ >= count_) return nullptr;
    ++taken_;
    given_ = slot.after;
    return &slot.batch;
  }
  std::unique_lock lock(mutex_);
  if (taken_ >= count_) return nullptr;
  Slot& slot = ring_[static_cast<std::size_t>(taken_ % static_cast<std::int64_t>(ring_.size()))];
  const auto arrived = [&] { return taken_ >= count_ || (slot.number == taken_ && slot.ready); };
  if (options_.timeout_s > 0) {
    const auto limit = std::chrono::duration<double>(std::min(options_.timeout_s, 1e9));
    check(changed_.wait_for(lock, limit, arrived), ErrorKind::io, "data: batch ", taken_,
          " of epoch ", epoch_, " (from sample ", first_ + taken_ * options_.batch_size,
          " of the order) was not read within ", options_.timeout_s,
          " s (trainer.dataloader_timeout_s)");
  } else {
    changed_.wait(lock, arrived);
  }
  if (taken_ >= count_) return nullptr;
  ++taken_;
  if (stream_ != nullptr) given_ = slot.after;
  lock.unlock();
  changed_.notify_all();
  if (slot.error) std::rethrow_exception(slot.error);
  return &slot.batch;
}

}  // namespace gradus::trainer
