// Where threads meet: warp functions and the barrier of a block.
#include <algorithm>

#include "gradus/kernels/simt/block.h"

namespace gradus::simt {
namespace {

/// The lane whose value lane `l` gets.
unsigned source_of(const Thread& t, unsigned l) {
  const int width = t.width, lane = static_cast<int>(l), begin = lane / width * width;
  int from = lane;
  switch (t.kind) {
    case Meeting::index: from = begin + (t.argument & (width - 1)); break;
    case Meeting::up: from = lane - t.argument < begin ? lane : lane - t.argument; break;
    case Meeting::down: from = lane + t.argument >= begin + width ? lane : lane + t.argument; break;
    case Meeting::exclusive_or:
      // As the hardware: a lane of a later group is out of reach, one of an earlier group is not.
      from = (lane ^ t.argument) >= begin + width ? lane : lane ^ t.argument;
      break;
    default: break;
  }
  return static_cast<unsigned>(from);
}

/// Lets the lanes of `mask` go if all of them came to the same meeting. True if they did.
bool resolve(Thread* lanes, unsigned count, unsigned l) {
  Thread& t = lanes[l];
  const auto takes_part = [&](unsigned k) { return (t.mask >> k & 1) != 0; };
  if (!takes_part(l)) fail(t, "calls a warp function whose mask does not contain its own lane");
  for (unsigned k = 0; k < warp; ++k) {
    if (!takes_part(k)) continue;
    if (k >= count || lanes[k].state == Thread::done) {
      fail(t, "waits in a warp function for lane " + std::to_string(k) +
                  (k >= count ? ", which does not exist" : ", which has ended"));
    }
    const Thread& other = lanes[k];
    if (other.state != Thread::in_meeting || other.kind != t.kind || other.mask != t.mask)
      return false;
  }
  std::uint64_t votes = 0;
  for (unsigned k = 0; k < count; ++k) {
    if (takes_part(k) && lanes[k].value != 0) votes |= std::uint64_t{1} << k;
  }
  for (unsigned k = 0; k < count; ++k) {
    if (!takes_part(k)) continue;
    if (t.kind == Meeting::ballot) {
      lanes[k].result = votes;
    } else if (t.kind != Meeting::warp) {
      const unsigned from = source_of(lanes[k], k);
      if (from >= count || !takes_part(from))
        fail(lanes[k],
             "reads lane " + std::to_string(from) + ", which takes no part in the shuffle");
      lanes[k].result = lanes[from].value;
    }
  }
  for (unsigned k = 0; k < count; ++k) {
    if (takes_part(k)) lanes[k].state = Thread::ready;
  }
  return true;
}

}  // namespace

bool resolve_meetings() {
  bool any = false;
  const unsigned n = static_cast<unsigned>(now.threads.size());
  for (unsigned begin = 0; begin < n; begin += warp) {
    Thread* lanes = now.threads.data() + begin;
    const unsigned count = std::min(warp, n - begin);
    for (unsigned l = 0; l < count; ++l) {
      if (lanes[l].state == Thread::in_meeting) any = resolve(lanes, count, l) || any;
    }
  }
  return any;
}

/// True if the barrier let everyone go; false if the block has ended.
bool resolve_barrier() {
  std::size_t waiting = 0, ended = 0;
  const Thread *early = nullptr, *stuck = nullptr, *waits = nullptr;
  int votes = 0;
  for (const Thread& t : now.threads) {
    if (t.state == Thread::at_barrier) {
      ++waiting;
      waits = &t;
      votes += t.vote;
    } else if (t.state == Thread::done) {
      ++ended;
      early = &t;
    } else {
      stuck = &t;
    }
  }
  if (stuck != nullptr) {
    fail(*stuck, "waits in a warp function for lanes that are elsewhere (mask " +
                     std::to_string(stuck->mask) + ")");
  }
  if (waiting == 0) return false;
  if (ended > 0) {
    fail(*waits, "waits at __syncthreads, which thread " +
                     to_text(index_of(number_of(*early), block_size)) + " never reaches");
  }
  for (Thread& t : now.threads) {
    t.state = Thread::ready;
    t.result = static_cast<std::uint64_t>(votes);
  }
  return true;
}

}  // namespace gradus::simt
