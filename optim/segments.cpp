#include "gradus/optim/segments.h"

#include <algorithm>

#include "gradus/kernels/create.h"
#include "gradus/kernels/split_master.h"
#include "gradus/tensor/views.h"

namespace gradus::optim {
namespace {

constexpr std::int64_t alignment = 64;

std::int64_t padded_bytes(std::int64_t n, Dtype dtype) {
  const std::int64_t bytes = n * static_cast<std::int64_t>(size_of(dtype));
  return (bytes + alignment - 1) / alignment * alignment;
}

/// Hands out tensors from one block, each at a multiple of 64 bytes.
class Block {
 public:
  Block(std::int64_t bytes, Device device) : memory_(empty({bytes}, {Dtype::u8, device})) {}
  Tensor take(const Shape& shape, Dtype dtype) {
    const std::int64_t size = static_cast<std::int64_t>(size_of(dtype));
    Tensor t = as_view(memory_, shape, contiguous_strides(shape), at_ / size);
    t.raw()->dtype = dtype;
    at_ += padded_bytes(t.numel(), dtype);
    return t;
  }
  const Tensor& memory() const { return memory_; }

 private:
  Tensor memory_;
  std::int64_t at_ = 0;
};

/// True if nobody but this tensor knows its memory.
bool may_move(const Tensor& t) {
  const TensorBody& b = *t.raw();
  return b.storage->references.load(std::memory_order_acquire) == 1 &&
         b.storage->allocator != nullptr && b.storage->shadow == nullptr && b.offset == 0 &&
         b.numel > 0;
}

Leaf* leaf_of(const Ref<Node>& node) { return static_cast<Leaf*>(node.get()); }

}  // namespace

Tensor Item::weight() const {
  if (!remainder) return master ? master : static_cast<const Tensor&>(parameter);
  const Tensor joined = empty(parameter.shape(), {Dtype::f32, parameter.device()});
  dispatch<cpu::join_master, cuda::join_master>(parameter.device(), parameter.detach(), remainder,
                                                joined);
  return joined;
}

void Item::set_master(const Tensor& value) const {
  if (remainder) {
    const Tensor there = as_contiguous(value.to(parameter.device()));
    dispatch<cpu::split_master, cuda::split_master>(parameter.device(), there, parameter.detach(),
                                                    remainder);
  } else {
    copy_into(value, master);
    copy_into(master, parameter);
  }
}

void append_chunks(PooledVector<epilogue::Chunk>& chunks, std::int32_t segment, std::int64_t n) {
  for (std::int64_t begin = 0; begin < n; begin += epilogue::chunk_elements) {
    const std::int64_t left = std::min<std::int64_t>(n - begin, epilogue::chunk_elements);
    chunks.push_back({begin, segment, static_cast<std::int32_t>(left)});
  }
}

Segments::Segments(const char* optimizer, bool split_masters)
    : optimizer_(optimizer), split_masters_(split_masters) {}

Segments::~Segments() {
  for (Item& item : items_) {
    if (item.leaf) leaf_of(item.leaf)->optimizer = nullptr;
  }
}

void Segments::check_item(const NewItem& item) const {
  const Parameter& p = item.parameter;
  check(p.defined(), ErrorKind::argument, optimizer_, ": parameter '", p.name, "' is undefined");
  const bool counter = (item.flags & epilogue::Segment::copy_only) != 0;
  check(p.is_floating() || counter, ErrorKind::dtype, optimizer_, ": parameter '", p.name,
        "' has dtype ", p.dtype(), "; only floating ones can be optimized");
  check(p.is_leaf(), ErrorKind::argument, optimizer_, ": parameter '", p.name,
        "' was computed from others; optimize those");
  check(p.is_contiguous(), ErrorKind::argument, optimizer_, ": parameter '", p.name,
        "' has strides ", p.strides(), "; make it contiguous() first");
  check(p.device() == device_, ErrorKind::device, optimizer_, ": parameter '", p.name, "' is on ",
        p.device(), ", the others on ", device_);
  const Leaf* leaf = gradus::leaf_of(p);
  check(item.tracked || leaf == nullptr || leaf->optimizer == nullptr || leaf->optimizer == this,
        ErrorKind::argument, optimizer_, ": parameter '", p.name,
        "' already belongs to another optimizer");
  for (std::size_t i = 0; i < items_.size(); ++i) {
    check(items_[i].parameter.raw() != p.raw() || rows_.here[i].group == item.group,
          ErrorKind::argument, optimizer_, ": parameter '", p.name,
          "' is in two groups; tied weights belong to one");
  }
}

void Segments::add(std::vector<NewItem> added, int averages) {
  const std::size_t first = items_.size();
  if (items_.empty() && !added.empty() && added[0].parameter.defined())
    device_ = added[0].parameter.device();
  for (std::size_t k = 0; k < added.size(); ++k) {
    if (added[k].parameter.name.empty()) added[k].parameter.name = std::to_string(first + k);
  }
  for (const NewItem& n : added) check_item(n);  // all of them before the first change
  for (NewItem& n : added) {
    const bool tied = std::any_of(items_.begin(), items_.end(), [&](const Item& item) {
      return item.parameter.raw() == n.parameter.raw();
    });
    if (tied) continue;  // one row
    Item item;
    item.parameter = std::move(n.parameter);
    item.dtype = item.parameter.dtype();
    item.slots = n.slots;
    item.scratch = n.scratch;
    item.flags = n.flags;
    item.tracked = n.tracked;
    items_.push_back(std::move(item));
    rows_.here.emplace_back().group = n.group;
  }
  for (std::size_t i = first; i < items_.size(); ++i) claim(items_[i]);
  place_parameters(first);
  place_state(first, averages);
  for (std::size_t i = first; i < items_.size(); ++i) bind(i);
  rebuild_chunks();
}

/// A parameter moves under one optimizer only.
void Segments::claim(Item& item) {
  if (item.tracked) return;
  const Ref<Node>& node = item.parameter.raw()->node;
  if (item.leaf == node) return;
  check(!node || node->leaf, ErrorKind::argument, optimizer_, ": parameter '", item.parameter.name,
        "' is no longer a leaf: it was overwritten by a recorded operation");
  if (node) {
    Leaf* leaf = leaf_of(node);
    check(leaf->optimizer == nullptr || leaf->optimizer == this, ErrorKind::argument, optimizer_,
          ": parameter '", item.parameter.name, "' already belongs to another optimizer");
    leaf->optimizer = this;
  }
  if (item.leaf) leaf_of(item.leaf)->optimizer = nullptr;
  item.leaf = node;
}

void Segments::place_parameters(std::size_t first) {
  std::int64_t bytes = 0;
  for (std::size_t i = first; i < items_.size(); ++i) {
    const Item& item = items_[i];
    if (!item.tracked && may_move(item.parameter))
      bytes += padded_bytes(item.parameter.numel(), item.dtype);
  }
  if (bytes == 0) return;
  Block block(bytes, device_);
  for (std::size_t i = first; i < items_.size(); ++i) {
    const Tensor& p = items_[i].parameter;
    if (items_[i].tracked || !may_move(p)) continue;
    const Tensor place = block.take(p.shape(), p.dtype());
    copy_into(p, place);
    // Its own Storage, so that versions and shadows stay per parameter, in the block's memory.
    const Tensor moved = from_external(place.data(), p.shape(), p.strides(), p.options(),
                                       [keep = block.memory()] {});
    Storage& to = *moved.raw()->storage;
    const Storage& from = *p.raw()->storage;
    to.version.store(from.version.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.recorded_view = from.recorded_view;
    p.set_data(moved);
  }
}

/// Gradients, masters, slots and averages of the items from `first` on. An item that wants no
/// gradient yet gets its slots when it first does.
void Segments::place_state(std::size_t first, int averages) {
  const auto needs_gradient = [](const Item& item) {
    return item.leaf && !leaf_of(item.leaf)->gradient;
  };
  const auto needs_slots = [](const Item& item) {
    return item.leaf && !item.slots.empty() && !item.state[0];
  };
  const auto needs_master = [](const Item& item) {
    return !item.tracked && is_half(item.dtype) && !item.has_master();
  };
  const auto splits = [&](const Item& item) {
    return split_masters_ && item.dtype == Dtype::bf16;  // f16 is no half of an f32
  };
  std::int64_t gradient_bytes = 0, master_bytes = 0, average_bytes = 0;
  std::array<std::int64_t, epilogue::max_slots> slot_bytes{};
  for (std::size_t i = first; i < items_.size(); ++i) {
    const Item& item = items_[i];
    const std::int64_t n = item.parameter.numel(), bytes = padded_bytes(n, item.weight_dtype());
    if (needs_gradient(item)) gradient_bytes += padded_bytes(n, item.dtype);
    if (needs_master(item)) master_bytes += splits(item) ? padded_bytes(2 * n, Dtype::u8) : bytes;
    if (averages > 0 && !item.average[0]) average_bytes += bytes;
    if (needs_slots(item)) {
      for (std::size_t k = 0; k < item.slots.size(); ++k) slot_bytes[k] += bytes;
    }
  }
  Block gradients(gradient_bytes, device_), masters(master_bytes, device_),
      moving(average_bytes, device_);
  std::vector<Block> slots;
  for (const std::int64_t bytes : slot_bytes) {
    slots.emplace_back(bytes, device_);
    slots.back().memory().zero_();
  }
  for (std::size_t i = first; i < items_.size(); ++i) {
    Item& item = items_[i];
    const Shape& shape = item.parameter.shape();
    if (needs_gradient(item)) leaf_of(item.leaf)->gradient = gradients.take(shape, item.dtype);
    if (needs_master(item)) {
      if (splits(item)) {
        item.remainder = masters.take({2 * item.parameter.numel()}, Dtype::u8);
        item.remainder.zero_();
      } else {
        item.master = masters.take(shape, Dtype::f32);
        copy_into(item.parameter, item.master);
      }
      item.version = item.parameter.raw()->storage->version.load(std::memory_order_relaxed);
    }
    if (needs_slots(item)) {
      for (std::size_t k = 0; k < item.slots.size(); ++k)
        item.state[k] = slots[k].take(shape, item.weight_dtype());
    }
    if (averages > 0 && !item.average[0]) {
      item.average[0] = moving.take(shape, item.weight_dtype());
      copy_into(item.weight(), item.average[0]);
    }
  }
}

/// Chunks, and room for what the kernels write of them and of the items.
void Segments::rebuild_chunks() {
  chunks_.here.clear();
  elements_ = 0;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const std::int64_t n = rows_.here[i].n;
    elements_ += n;
    append_chunks(chunks_.here, static_cast<std::int32_t>(i), n);
  }
  partials_ = zeros({2 * static_cast<std::int64_t>(chunks_.here.size())}, {Dtype::f64, device_});
  static_assert(sizeof(epilogue::SegmentClock) == 2 * sizeof(std::int64_t));
  const Tensor clocks = zeros({static_cast<std::int64_t>(items_.size()), 2}, {Dtype::i64, device_});
  if (clocks_) copy_into(clocks_, views::slice(clocks, 0, 0, clocks_.shape()[0], 1));
  clocks_ = clocks;
}

void Segments::fill(epilogue::Table& table) {
  table.segments = rows_.on(device_);
  table.clocks = static_cast<epilogue::SegmentClock*>(clocks_.data());
  table.chunks = chunks_.on(device_);
  table.partials = static_cast<double*>(partials_.data());
  table.chunk_count = static_cast<std::int64_t>(chunks_.here.size());
  table.segment_count = static_cast<std::int32_t>(items_.size());
  table.elements = elements_;
}

std::vector<std::int64_t> Segments::steps() const {
  return views::select(clocks_, 1, 0).to_vector<std::int64_t>();
}

void Segments::set_steps(const std::vector<std::int64_t>& steps) {
  copy_into(from_data(steps.data(), {static_cast<std::int64_t>(steps.size())}, {Dtype::i64}),
            views::select(clocks_, 1, 0));
}

}  // namespace gradus::optim
