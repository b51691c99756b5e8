// A window: the micro-batches whose gradients make one optimizer step.
#include <algorithm>

#include "gradus/tensor/views.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {

/// Micro-batches of the window that begins now.
std::int64_t Loop::micro_batches() const {
  std::int64_t count = config_.trainer.accumulate;
  for (const auto& [step, from_then] : accumulate_pairs(config_))
    if (state_.attempted >= step) count = from_then;
  return count;
}

/// Nothing of the window's gradients or weight is left.
void Loop::drop_window() {
  for (const NamedOptimizer& o : optimizers_) o.optimizer->clear_samples();
  begin_window();
  in_window_ = false;
}

/// The next batch of the epoch, counted; null at its end.
Batch* Loop::next_batch() {
  const double before = times_.data;
  Batch* batch = nullptr;
  {
    const Timed timed(times_.data, "data");
    batch = loaders_.at("train")->next();
  }
  shown_.data_seconds += times_.data - before;
  if (batch == nullptr) {  // a stream's last samples may be too few for a batch
    check(state_.cursor > 0 || !stream_.cursor.empty(), ErrorKind::argument,
          "data.train: there is no batch in it");
    stream_.ended = true;
    return nullptr;
  }
  loaders_.at("train")->tell(stream_);
  batch = up_to_the_last_sample(batch);
  state_.cursor += batch->size;
  state_.samples += batch->size;
  times_.samples += batch->size;
  shown_.samples += batch->size;
  ++state_.micro;
  return batch;
}

/// With trainer.max_samples the run's last batch may be a part of one: n means exactly n.
Batch* Loop::up_to_the_last_sample(Batch* batch) {
  const std::int64_t most = config_.trainer.max_samples, left = most - state_.samples;
  if (most == 0 || batch->size <= left) return batch;
  cut_ = piece_of(*batch, 0, left);
  return &cut_;
}

/// Samples of each of trainer.split_batches pieces, but for the last.
std::int64_t Loop::piece_size(std::int64_t samples) const {
  const std::int64_t pieces = config_.trainer.split_batches;
  return (samples + pieces - 1) / pieces;
}

/// Samples `begin` ... of a batch: at most `most`.
Batch Loop::piece_of(const Batch& batch, std::int64_t begin, std::int64_t most) {
  Batch piece;
  piece.size = std::min(most, batch.size - begin);
  piece.epoch = batch.epoch;
  for (const auto& [name, t] : batch.fields)
    piece.fields.emplace_back(name, views::slice(t, 0, begin, begin + piece.size, 1));
  if (!batch.rows.empty())
    piece.rows.assign(batch.rows.begin() + begin, batch.rows.begin() + begin + piece.size);
  return piece;
}

/// A batch of the loader, in trainer.split_batches pieces. False if no piece had a loss.
bool Loop::split_step(Batch& batch, std::int64_t first_row, std::int64_t rows) {
  const std::int64_t most = piece_size(batch.size);
  if (most == batch.size) return micro_step(batch, first_row, rows);
  bool any = false;
  for (std::int64_t begin = 0; begin < batch.size; begin += most) {
    Batch piece = piece_of(batch, begin, most);
    if (micro_step(piece, first_row + begin, rows)) any = true;
  }
  return any;
}

/// A batch that has no loss makes room for another one, a step without weight for another step; but
/// a task that never gives anything must not run forever.
void Loop::count_without_loss() {
  ++skipped_in_row_;
  check(skipped_in_row_ <= config_.trainer.max_none_retries, ErrorKind::argument,
        "train: the task gave ", skipped_in_row_,
        " batches in a row no loss (trainer.max_none_retries is ", config_.trainer.max_none_retries,
        ")");
  if (!std::exchange(told_of_no_loss_, true))
    log_message(
        {"train: the task gave a batch no loss; another one takes its place, now and whenever it "
         "happens again"});
}

/// False at the end of the epoch, when no batch was left.
bool Loop::window() {
  thaw_if_due();
  whole_ = state_;
  whole_stream_ = stream_;
  entries_.clear();
  if (profile_) profile_->begin_step(state_.attempted + 1);
  in_window_ = true;
  anomaly_.clear();
  begin_window();
  std::int64_t rows = 0, used = 0;
  const std::int64_t wanted = micro_batches(),
                     global = wanted * loaders_.at("train")->options().batch_size;
  try {
    const std::int64_t last = config_.trainer.max_samples;
    while (used < wanted && !epoch_is_over() && (last == 0 || state_.samples < last)) {
      Batch* batch = next_batch();
      if (batch == nullptr) break;
      if (!split_step(*batch, rows, global)) {
        count_without_loss();
        continue;
      }
      if (window_weight_ > 0) skipped_in_row_ = 0;
      rows += batch->size;
      ++used;
    }
    if (used > 0 && window_weight_ == 0) {
      count_without_loss();
      drop_window();  // its samples count as seen
      return true;
    }
    if (used > 0) optimizer_step();
  } catch (const BreakStep&) {
    drop_window();  // its samples count as seen
    return true;
  }
  if (used > 0 && config_.trainer.anomaly) tell_of_anomaly();
  if (used > 0 && retries() && was_bad()) rewind();
  in_window_ = false;
  return used > 0;
}

}  // namespace gradus::trainer
