// The data set that applies transforms.
#include <algorithm>
#include <cstring>

#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"
#include "gradus/trainer/data/transforms.h"

namespace gradus::trainer {

/// A sample on its way: all fields as the base gave them, and "x" as numbers.
struct TransformedDataset::Row {
  Batch batch;
  Sample x;
  std::vector<float> classes;  // shares, where samples are mixed
};

namespace {
constexpr std::uint32_t mixing_place = 255;  // transforms have the places before it

std::size_t field_named(const std::vector<Field>& fields, const char* name) {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].name == name) return i;
  raise(ErrorKind::argument, {"transforms: the data set has no field \"", name, "\""});
}

/// Copies one field of one sample into row `i` of a batch's tensor.
void put(const Tensor& to, std::size_t i, const void* from) {
  const auto bytes = static_cast<std::size_t>(to.numel() / std::max<std::int64_t>(1, to.size(0))) *
                     size_of(to.dtype());
  std::memcpy(static_cast<char*>(to.data()) + i * bytes, from, bytes);
}

}  // namespace

TransformedDataset::TransformedDataset(DatasetPointer base, Transforms transforms,
                                       std::int64_t views, std::uint64_t seed)
    : base_(std::move(base)),
      transforms_(std::move(transforms)),
      views_(views),
      seed_(seed),
      before_(base_->fields()),
      fields_(before_) {
  x_ = field_named(before_, "x");
  check(before_[x_].dtype == Dtype::f32, ErrorKind::dtype, "transforms: \"x\" is ",
        to_string(before_[x_].dtype), ", expected f32");
  for (const auto& t : transforms_.list) fields_[x_].shape = t->shape_after(fields_[x_].shape);
  if (transforms_.mixing.kind != Mixing::Kind::none) {
    y_ = field_named(before_, "y");
    check(base_->classes() > 1 && before_[y_].dtype == Dtype::i64 && before_[y_].shape.empty(),
          ErrorKind::argument, "transforms: mixup and cutmix need classes");
    fields_[y_] = {"y", {base_->classes()}, Dtype::f32};
  }
  for (std::int64_t v = 1; v < views_; ++v)
    fields_.push_back({"x" + std::to_string(v), fields_[x_].shape, Dtype::f32});
}

/// Sample `index` with everything but mixing done to it.
void TransformedDataset::read(std::int64_t index, std::int64_t epoch, std::int64_t view,
                              Row& row) const {
  Batch& one = row.batch;
  one.fields.resize(before_.size());
  one.epoch = epoch;
  one.size = 1;
  for (std::size_t k = 0; k < before_.size(); ++k) {
    Shape shape = before_[k].shape;
    shape.insert(0, 1);
    auto& [name, tensor] = one.fields[k];
    if (!tensor || tensor.shape() != shape || tensor.dtype() != before_[k].dtype)
      tensor = gradus::empty(shape, {before_[k].dtype});
    name = before_[k].name;
  }
  base_->fill(std::span(&index, 1), one);
  const Tensor& x = one.fields[x_].second;
  row.x.shape = before_[x_].shape;
  row.x.values.assign(x.data<float>(), x.data<float>() + x.numel());
  for (std::size_t i = 0; i < transforms_.list.size(); ++i) {
    Keyed random(seed_, epoch, index, static_cast<std::uint32_t>(i | std::size_t(view) << 8));
    transforms_.list[i]->apply(row.x, random);
  }
  if (transforms_.mixing.kind == Mixing::Kind::none) return;
  row.classes.assign(static_cast<std::size_t>(base_->classes()), 0.f);
  row.classes.at(static_cast<std::size_t>(*one.fields[y_].second.data<std::int64_t>())) = 1;
}

/// x = share * x + (1 - share) * other (mixup, Zhang et al. 2018), or a box of `other` put into x
/// (CutMix, Yun et al. 2019); classes by the same share. The other sample is drawn from the whole
/// data set, not from the batch, so that nothing depends on how batches are put together.
void TransformedDataset::mix(std::int64_t index, std::int64_t epoch, std::int64_t view, Row& row,
                             Row& other) const {
  Keyed random(seed_, epoch, index, mixing_place | static_cast<std::uint32_t>(view) << 8);
  const Mixing& m = transforms_.mixing;
  read(random.below(size()), epoch, view, other);
  double share = random.beta(m.alpha, m.alpha);
  std::vector<float>&a = row.x.values, &b = other.x.values;
  if (m.kind == Mixing::Kind::mixup) {
    for (std::size_t i = 0; i < a.size(); ++i)
      a[i] = static_cast<float>(share * a[i] + (1 - share) * b[i]);
  } else {
    const std::int64_t c = row.x.channels(), h = row.x.height(), w = row.x.width();
    const double side = std::sqrt(1 - share);
    const auto bh = static_cast<std::int64_t>(side * double(h)),
               bw = static_cast<std::int64_t>(side * double(w));
    const std::int64_t cy = random.below(h), cx = random.below(w);
    const std::int64_t top = std::max<std::int64_t>(0, cy - bh / 2),
                       bottom = std::min(h, cy - bh / 2 + bh),
                       left = std::max<std::int64_t>(0, cx - bw / 2),
                       right = std::min(w, cx - bw / 2 + bw);
    for (std::int64_t k = 0; k < c; ++k)
      for (std::int64_t y = top; y < bottom; ++y)
        for (std::int64_t x = left; x < right; ++x) {
          const auto at = static_cast<std::size_t>((k * h + y) * w + x);
          a[at] = b[at];
        }
    share = 1 - double((bottom - top) * (right - left)) / double(h * w);  // what is really there
  }
  for (std::size_t k = 0; k < row.classes.size(); ++k)
    row.classes[k] = static_cast<float>(share * row.classes[k] + (1 - share) * other.classes[k]);
}

void TransformedDataset::fill(std::span<const std::int64_t> rows, Batch& batch) const {
  const bool mixed = transforms_.mixing.kind != Mixing::Kind::none;
  Row row, other;  // used again for every sample of the batch
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::int64_t view = 0; view < views_; ++view) {
      read(rows[i], batch.epoch, view, row);
      if (mixed) mix(rows[i], batch.epoch, view, row, other);
      const std::size_t place =
          view == 0 ? x_ : before_.size() + static_cast<std::size_t>(view) - 1;
      put(batch.fields[place].second, i, row.x.values.data());
      if (view > 0) continue;
      for (std::size_t k = 0; k < before_.size(); ++k) {
        if (k == x_) continue;
        if (mixed && k == y_)
          put(batch.fields[k].second, i, row.classes.data());
        else
          put(batch.fields[k].second, i, row.batch.fields[k].second.data());
      }
    }
  }
}

std::vector<Tensor> TransformedDataset::get(std::int64_t index) const {
  Batch one;
  for (const Field& f : fields_) {
    Shape shape = f.shape;
    shape.insert(0, 1);
    one.fields.emplace_back(f.name, gradus::empty(shape, {f.dtype}));
  }
  fill(std::span(&index, 1), one);
  std::vector<Tensor> sample;
  for (const auto& [name, tensor] : one.fields) sample.push_back(views::select(tensor, 0, 0));
  return sample;
}

}  // namespace gradus::trainer
