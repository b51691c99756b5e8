// Samples that come one after another and have no numbers: a feed, a generator, a file too large to
// index. Everything else of a run (batches, resuming, validation) is as with a Dataset.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gradus/trainer/data/dataset.h"

namespace gradus::trainer {

/// Derive from it to bring data that can only be read on: fields() and open() are enough, and a
/// size() where one pass has a length that is known. Samples come in the stream's own order, read
/// ahead by one thread.
class StreamDataset : public Dataset {
 public:
  /// One pass, from its beginning or from where another one stood.
  class Pass {
   public:
    virtual ~Pass() = default;
    /// The next sample, one tensor a field as Dataset::get() gives them; nothing at the pass's end.
    virtual std::optional<std::vector<Tensor>> next() = 0;
    /// Where it stands, in any words: open() with them goes on with what next() would give now.
    /// Saved with every checkpoint.
    virtual std::string cursor() const = 0;
  };
  /// `cursor`: "" for the beginning. An epoch that trainer.batches_per_epoch ends before the pass
  /// does is followed by one that goes on where it stood.
  virtual std::unique_ptr<Pass> open(std::int64_t epoch, const std::string& cursor) const = 0;

  /// Samples of a pass; 0: not known, or without end.
  std::int64_t size() const override { return 0; }
  /// Throws (unsupported): samples have no numbers.
  std::vector<Tensor> get(std::int64_t index) const final;
};

/// Where a run is within a stream, after the last batch it took.
struct StreamPlace {
  std::string cursor;
  bool ended = false;  // that batch was the last of its pass
};

/// Stands for a number of samples or batches that nobody knows.
inline constexpr std::int64_t unknown_length = std::numeric_limits<std::int64_t>::max();

/// Batches out of one pass.
class StreamReader {
 public:
  StreamReader(const StreamDataset& stream, std::int64_t epoch, const std::string& cursor)
      : pass_(stream.open(epoch, cursor)), fields_(stream.fields()) {}
  /// The next `rows` samples, or those that are left; batch.size says how many. `first` is the
  /// number of the first one, for messages. Returns where the pass then stands.
  StreamPlace read(std::int64_t rows, std::int64_t first, Batch& batch);

 private:
  std::unique_ptr<StreamDataset::Pass> pass_;
  std::vector<Field> fields_;
  std::optional<std::vector<Tensor>> ahead_;  // a sample after the batch: there is more to come
};

}  // namespace gradus::trainer
