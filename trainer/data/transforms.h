// What is done to each sample on its way to the model: transforms in a list, random ones keyed.
#pragma once

#include <memory>
#include <vector>

#include "gradus/trainer/config.h"
#include "gradus/trainer/data/dataset.h"
#include "gradus/trainer/data/keyed.h"

namespace gradus::trainer {

/// The numbers of one sample and their shape; images are (C, H, W), values of [0, 1] before any
/// normalisation.
struct Sample {
  std::vector<float> values;
  Shape shape;
  std::int64_t channels() const { return shape[0]; }
  std::int64_t height() const { return shape[1]; }
  std::int64_t width() const { return shape[2]; }
};

/// One entry of data.<name>.transforms. apply() is called from several threads at once.
class Transform {
 public:
  virtual ~Transform() = default;
  /// True if it draws: left out where a validation set takes over the transforms of train.
  virtual bool random() const { return true; }
  virtual Shape shape_after(const Shape& shape) const { return shape; }
  virtual void apply(Sample& x, Keyed& random) const = 0;
};

/// Mixing a sample with another one of the data set, labels too; keyed like the rest.
struct Mixing {
  enum class Kind { none, mixup, cutmix };
  Kind kind = Kind::none;
  double alpha = 0;  // both parameters of the beta distribution of the share
};

struct Transforms {
  std::vector<std::shared_ptr<const Transform>> list;
  Mixing mixing;
  bool empty() const { return list.empty() && mixing.kind == Mixing::Kind::none; }
};

/// The transforms of one list, for samples of shape `shape`. Throws Error(argument) with the place
/// in the file. `random` false: without those that draw.
Transforms read_transforms(const Config& config, const std::string& key,
                           const std::vector<Value>& list, const Shape& shape, bool random);

/// A data set whose field "x" is transformed, `views` times independently ("x", "x1", "x2" ...).
/// With mixing "y" becomes shares of the classes (classes) f32.
class TransformedDataset final : public Dataset {
 public:
  TransformedDataset(DatasetPointer base, Transforms transforms, std::int64_t views,
                     std::uint64_t seed);
  std::int64_t size() const override { return base_->size(); }
  std::vector<Field> fields() const override { return fields_; }
  /// As in epoch 0.
  std::vector<Tensor> get(std::int64_t index) const override;
  void fill(std::span<const std::int64_t> rows, Batch& batch) const override;
  std::int64_t classes() const override { return base_->classes(); }
  std::string alphabet() const override { return base_->alphabet(); }

 private:
  struct Row;
  void read(std::int64_t index, std::int64_t epoch, std::int64_t view, Row& row) const;
  void mix(std::int64_t index, std::int64_t epoch, std::int64_t view, Row& row, Row& other) const;
  DatasetPointer base_;
  Transforms transforms_;
  std::int64_t views_;
  std::uint64_t seed_;
  std::vector<Field> before_, fields_;
  std::size_t x_ = 0, y_ = 0;  // places of the fields in before_
};

}  // namespace gradus::trainer
