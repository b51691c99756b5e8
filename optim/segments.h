// The segment table of one optimizer: which tensors it moves, where their state lies, and the rows
// that the kernels read.
//
// Memory: gradients, slots and averages of the tensors that are taken together lie in one block a
// kind, each padded to 64 bytes; parameters that own their memory alone are moved into one block
// too (so a raw pointer taken before the optimizer was made is stale after). Nothing but speed
// depends on any of this: pointers are compared before every step and a row is rewritten where one
// changed. A step whose rows are as they were allocates and writes nothing here.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gradus/autograd/node.h"
#include "gradus/autograd/parameter.h"
#include "gradus/kernels/epilogue.h"
#include "gradus/optim/mirror.h"

namespace gradus::optim {

/// One tensor in an optimizer's care. Row i of the table belongs to item i.
struct Item {
  Parameter parameter;
  std::span<const char* const> slots;  // names of the rule's state tensors
  std::size_t scratch = 0;             // how many of them, the last ones, are not saved
  std::uint32_t flags = 0;             // decay, adapt; copy_only or average_only if only tracked
  bool tracked = false;                // a buffer, which only has averages
  bool group_frozen = false;
  Ref<Node> leaf;    // null while the parameter wants no gradient
  Tensor master;     // f32 copy of a half-precision parameter, which then is its own low copy
  Tensor remainder;  // or its lower half alone, (2 n) u8: a split master
  Tensor gradient;   // as the row points to it
  std::array<Tensor, epilogue::max_slots> state;
  std::array<Tensor, epilogue::max_averages> average;
  Dtype dtype = Dtype::f32;   // of the parameter when it was taken
  std::uint64_t version = 0;  // of its storage after the last update, for `master`
  Storage* shadow = nullptr;
  bool has_master() const { return master || remainder; }
  /// The type of what the rule moves, and of its state.
  Dtype weight_dtype() const { return is_half(dtype) && !tracked ? Dtype::f32 : dtype; }
  /// What the rule moves: the master (a copy if it is split), or the parameter itself.
  Tensor weight() const;
  /// Writes `value` (its weight_dtype(), on any device) to the master and to the parameter.
  void set_master(const Tensor& value) const;
};

/// What makes a tensor a new item.
struct NewItem {
  Parameter parameter;
  std::int32_t group = 0;
  std::span<const char* const> slots;
  std::uint32_t flags = 0;
  bool tracked = false;
  std::size_t scratch = 0;
};

/// The chunks of segment `segment` of n elements, added to those before it.
void append_chunks(PooledVector<epilogue::Chunk>& chunks, std::int32_t segment, std::int64_t n);

class Segments {
 public:
  explicit Segments(const char* optimizer, bool split_masters = false);
  ~Segments();
  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;

  /// Takes tensors in; `averages`: 1 if they get a moving average.
  void add(std::vector<NewItem> items, int averages);
  /// Gives item i the average[which] it updates from now on (a teacher's weights).
  void set_average(std::size_t i, int which, const Tensor& average);
  void freeze_group(std::int32_t group, bool frozen);

  /// Brings the rows up to date with the tensors they stand for. Before every launch.
  void refresh();
  enum class Write { update, exchange, all };
  /// After an update, an exchange or a load: tells everyone who saved or copied the weights.
  void written(Write what);
  void zero_grad();

  const PooledVector<Item>& items() const { return items_; }
  std::int32_t group(std::size_t i) const { return rows_.here[i].group; }
  /// Whether item i takes part in the step of now: since refresh().
  bool updates(std::size_t i) const { return rows_.here[i].updates(); }
  /// Fills in the pointers and sizes that belong to the rows, which are then as they are here.
  void fill(epilogue::Table& table);
  /// Applied steps of each item. On a GPU both wait.
  std::vector<std::int64_t> steps() const;
  void set_steps(const std::vector<std::int64_t>& steps);
  Device device() const { return device_; }

 private:
  void check_item(const NewItem& item) const;
  void place_parameters(std::size_t first);
  void place_state(std::size_t first, int averages);
  void claim(Item& item);
  void bind(std::size_t i);
  void bind_gradient(Item& item, epilogue::Segment& row);
  void bind_shadow(Item& item, epilogue::Segment& row);
  void rebuild_chunks();
  std::uint32_t flags_of(const Item& item, const Leaf* leaf) const;

  const char* optimizer_;
  bool split_masters_;
  Device device_ = Device::cpu();
  PooledVector<Item> items_;
  Mirror<epilogue::Segment> rows_;
  Mirror<epilogue::Chunk> chunks_;
  Tensor clocks_;    // (items, 2) i64: the bytes of a SegmentClock each
  Tensor partials_;  // (2 chunks), f64
  std::int64_t elements_ = 0;
};

}  // namespace gradus::optim
