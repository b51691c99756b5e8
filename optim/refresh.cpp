// Keeping the rows of the segment table true to the tensors they stand for.
#include "gradus/kernels/create.h"
#include "gradus/optim/segments.h"

namespace gradus::optim {

using epilogue::Segment;

namespace {

std::uint64_t version_of(const Tensor& t) {
  return t.raw()->storage->version.load(std::memory_order_relaxed);
}

}  // namespace

std::uint32_t Segments::flags_of(const Item& item, const Leaf* leaf) const {
  std::uint32_t flags = item.flags;
  const bool moves = leaf != nullptr && leaf->written && !item.group_frozen;
  if (!item.tracked && !moves) {
    const bool averaged = item.average[0].defined() || item.average[1].defined();
    flags |= averaged ? Segment::average_only : Segment::frozen;
  }
  return flags;
}

/// Writes row i from scratch.
void Segments::bind(std::size_t i) {
  Item& item = items_[i];
  Segment& row = rows_.here[i];
  row.p = item.remainder ? nullptr : item.master ? item.master.data() : item.parameter.data();
  row.remainder = item.remainder ? static_cast<std::uint16_t*>(item.remainder.data()) : nullptr;
  row.n = item.parameter.numel();
  row.dtype = item.weight_dtype();
  row.g = nullptr;
  for (std::size_t k = 0; k < item.state.size(); ++k)
    row.state[k] = item.state[k] ? item.state[k].data() : nullptr;
  for (std::size_t k = 0; k < item.average.size(); ++k)
    row.average[k] = item.average[k] ? item.average[k].data() : nullptr;
  item.gradient = Tensor();
  const Leaf* leaf = static_cast<const Leaf*>(item.leaf.get());
  if (leaf != nullptr && leaf->gradient) bind_gradient(item, row);
  bind_shadow(item, row);
  row.flags = flags_of(item, leaf);
}

void Segments::bind_gradient(Item& item, Segment& row) {
  Leaf& leaf = *static_cast<Leaf*>(item.leaf.get());
  if (!leaf.gradient.is_contiguous()) leaf.gradient = as_contiguous(leaf.gradient);
  item.gradient = leaf.gradient;
  row.g = item.gradient.data();
  row.g_dtype = item.gradient.dtype();
}

/// The copy that the next forward reads: the parameter itself if it is half precision, else the
/// half-precision shadow of its storage if there is one.
void Segments::bind_shadow(Item& item, Segment& row) {
  const TensorBody& body = *item.parameter.raw();
  item.shadow = body.storage->shadow;
  row.low = nullptr;
  if (item.has_master()) {
    row.low = item.parameter.data();
    row.low_dtype = item.dtype;
  } else if (item.shadow != nullptr && !item.tracked) {
    row.low = static_cast<char*>(item.shadow->data) + 2 * body.offset;
    row.low_dtype = body.storage->shadow_dtype;
  }
}

void Segments::refresh() {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    Segment& row = rows_.here[i];
    const TensorBody& body = *item.parameter.raw();
    check(body.dtype == item.dtype && body.storage->device == device_ && body.numel == row.n,
          ErrorKind::argument, optimizer_, ": parameter '", item.parameter.name,
          "' was moved or converted after the optimizer was made; build, to(device), then the "
          "optimizer");
    if (body.node.get() != item.leaf.get() && !item.tracked) [[unlikely]] {
      claim(item);
      place_state(i, 0);
      bind(i);
    }
    void* data = static_cast<char*>(body.storage->data) +
                 body.offset * static_cast<std::int64_t>(size_of(body.dtype));
    const bool elsewhere = data != (item.has_master() ? row.low : row.p);
    if (elsewhere || item.shadow != body.storage->shadow) [[unlikely]]
      bind(i);
    if (item.has_master() && (elsewhere || item.version != version_of(item.parameter)))
        [[unlikely]] {  // somebody wrote the parameter
      if (item.remainder)
        item.remainder.zero_();
      else
        copy_into(item.parameter, item.master);
      item.version = version_of(item.parameter);
    }
    const Leaf* leaf = static_cast<const Leaf*>(item.leaf.get());
    if (leaf != nullptr && leaf->written && leaf->gradient.raw() != item.gradient.raw())
        [[unlikely]]
      bind_gradient(item, row);
    row.flags = flags_of(item, leaf);
  }
}

void Segments::written(Write what) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    if (what == Write::update && !rows_.here[i].updates()) continue;
    if (what == Write::exchange && !item.average[0]) continue;
    Storage& storage = *item.parameter.raw()->storage;
    const std::uint64_t before = storage.version.load(std::memory_order_relaxed);
    storage.version.store(before + 1, std::memory_order_relaxed);  // no one else writes weights now
    item.version = before + 1;
    // A shadow that was true before was rewritten together with its weights.
    if (storage.shadow != nullptr && storage.shadow_version == before) {
      storage.shadow_version = before + 1;
      storage.shadow->version.fetch_add(1, std::memory_order_relaxed);  // graphs may have kept it
    }
  }
}

void Segments::zero_grad() {
  for (const Item& item : items_) item.parameter.zero_grad();
}

void Segments::freeze_group(std::int32_t group, bool frozen) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (rows_.here[i].group == group && !items_[i].tracked) items_[i].group_frozen = frozen;
  }
}

void Segments::set_average(std::size_t i, int which, const Tensor& average) {
  items_[i].average[static_cast<std::size_t>(which)] = average;
  bind(i);
}

}  // namespace gradus::optim
