// Simulated streams, events and captures. A stream is a queue that runs only when the host waits
// for something: work that was never waited for has not happened, as it may not have on a GPU. With
// a seed the streams take turns at random.
#include "gradus/tensor/cuda/runtime.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "gradus/kernels/simt/device.h"
#include "gradus/kernels/simt/grid.h"
#include "gradus/kernels/simt/memory.h"
#include "gradus/kernels/simt/simt.h"

namespace gradus::cuda::runtime {
namespace {

struct EventState {
  int device;
  std::int64_t recorded = 0, reached = 0;  // how often
};

struct Operation {
  std::function<void()> run;
  EventState* after = nullptr;  // may run once `after` was reached `times` times
  std::int64_t times = 0;
  bool ready() const { return after == nullptr || after->reached >= times; }
};

struct Queue {
  Stream stream;
  std::deque<Operation> operations;
  std::unique_ptr<std::vector<Operation>> capture;  // while capturing
};

struct Machine {
  std::recursive_mutex mutex;
  std::vector<std::unique_ptr<Queue>> queues;
  simt::Options options;
  std::uint64_t draws = 0;  // changes the order from launch to launch
  bool running = false;
  std::int64_t launches[simt::device_count] = {}, waits[simt::device_count] = {};

  Machine() {
    if (const char* seed = std::getenv("GRADUS_SIMT_SEED"))
      options.seed = std::strtoull(seed, nullptr, 10);
    if (const char* protect = std::getenv("GRADUS_SIMT_PROTECT"))
      options.protect = std::strcmp(protect, "1") == 0;
    if (const char* stop = std::getenv("GRADUS_SIMT_STOP")) options.stop = stop;
    simt::set_protect(options.protect);
  }
};

Machine& machine() {
  static Machine* const instance = new Machine;
  return *instance;
}
using Lock = std::lock_guard<std::recursive_mutex>;

/// A number below n from the seed; 0 without one.
std::uint64_t draw(std::uint64_t n) {
  Machine& m = machine();
  if (m.options.seed == 0) return 0;
  std::uint64_t z = m.options.seed + ++m.draws * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (z ^ (z >> 31)) % n;
}

Queue& queue_of(Stream stream) {
  Machine& m = machine();
  if (stream.handle != nullptr) return *static_cast<Queue*>(stream.handle);
  for (auto& q : m.queues) {  // CUDA's default stream
    if (q->stream == stream) return *q;
  }
  m.queues.push_back(std::make_unique<Queue>());
  m.queues.back()->stream = stream;
  return *m.queues.back();
}

void drop_everything() {
  for (auto& q : machine().queues) q->operations.clear();
}

/// Runs operations of all streams until `done()`.
template <class Done>
void run_until(Done done) {
  Machine& m = machine();
  if (done()) return;
  const simt::Unlocked access;  // once for all of them: it takes longer than a small kernel
  while (!done()) {
    std::vector<Queue*> able;
    for (auto& q : m.queues) {
      if (!q->operations.empty() && q->operations.front().ready()) able.push_back(q.get());
    }
    check(!able.empty(), ErrorKind::internal,
          "simulated cuda: a stream waits for an event that nobody records");
    Queue& q = *able[draw(able.size())];
    const Operation operation = std::move(q.operations.front());
    q.operations.pop_front();
    try {
      m.running = true;
      operation.run();
      m.running = false;
    } catch (...) {  // as on a GPU, nothing that was put behind it happens
      m.running = false;
      drop_everything();
      throw;
    }
  }
}

void put(Stream stream, Operation operation) {
  Queue& q = queue_of(stream);
  if (q.capture != nullptr) {
    q.capture->push_back(std::move(operation));
    return;
  }
  q.operations.push_back(std::move(operation));
  constexpr std::size_t longest = 1024;  // a GPU's queue is not endless, either
  if (q.operations.size() > longest) run_until([&] { return q.operations.size() <= longest / 2; });
}

void check_device(const char* call, int device) {
  check(device >= 0 && device < simt::device_count, ErrorKind::device, "cuda: ", call,
        ": there is no device ", device, " (", simt::device_count, " devices)");
}

void check_copy_end(const void* p, std::size_t bytes, const char* end) {
  check(simt::owner_of(p, bytes) != -2, ErrorKind::internal, "simulated cuda: copy: ", end,
        " is neither device nor pinned memory, or shorter than ", bytes, " bytes");
}

/// A kernel and its arguments by value.
struct Launch {
  KernelCall kernel;
  std::vector<std::unique_ptr<std::max_align_t[]>> storage;
  std::vector<void*> values;
  Size3 grid, block;
  std::size_t shared;

  Launch(const KernelCall& call, Size3 grid_size, Size3 block_size, std::size_t shared_bytes)
      : kernel(call), grid(grid_size), block(block_size), shared(shared_bytes) {
    for (int i = 0; i < call.count; ++i) {
      const std::size_t words = call.sizes[i] / sizeof(std::max_align_t) + 1;
      storage.push_back(std::make_unique<std::max_align_t[]>(words));
      std::memcpy(storage.back().get(), call.values[i], call.sizes[i]);
      values.push_back(storage.back().get());
    }
    values.push_back(nullptr);
    kernel.values = values.data();
  }
};

}  // namespace

int device_count() { return simt::device_count; }

const std::string& why_no_device() {
  static const std::string nothing;
  return nothing;
}

const Properties& properties(int device) {
  check_device("properties", device);
  static const Properties all{
      "simulated by kernels/simt", 7, 5, 4, simt::device_bytes, simt::most_shared};
  return all;
}

std::size_t free_memory(int device) {
  const Lock lock(machine().mutex);
  return simt::free_bytes(device);
}

std::string bus_id(int) { return ""; }

void* allocate(int device, std::size_t bytes) {
  const Lock lock(machine().mutex);
  check_device("allocate", device);
  return simt::allocate_device(device, bytes);
}

void free(void* p, Stream last_use) noexcept {
  const Lock lock(machine().mutex);
  if (queue_of(last_use).operations.empty()) return simt::free_device(p);
  put(last_use, {[p] { simt::free_device(p); }});
}

int device_of(const void* p) {
  const Lock lock(machine().mutex);
  const int owner = simt::owner_of(p);
  check(owner >= 0, ErrorKind::device, "cuda: a pointer is not to device memory");
  return owner;
}

void* allocate_pinned(std::size_t bytes) {
  const Lock lock(machine().mutex);
  return simt::allocate_host(bytes);
}

void free_pinned(void* p) noexcept {
  const Lock lock(machine().mutex);
  simt::free_host(p);
}

Stream make_stream(int device) {
  const Lock lock(machine().mutex);
  check_device("make_stream", device);
  Machine& m = machine();
  m.queues.push_back(std::make_unique<Queue>());
  m.queues.back()->stream = {device, m.queues.back().get()};
  return m.queues.back()->stream;
}

void copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  const Lock lock(machine().mutex);
  check_copy_end(to, bytes, "the destination");
  check_copy_end(from, bytes, "the source");
  put(stream, {[=] { std::memcpy(to, from, bytes); }});
}

void fill(void* to, int byte, std::size_t bytes, Stream stream) {
  const Lock lock(machine().mutex);
  check_copy_end(to, bytes, "the destination");
  put(stream, {[=] { std::memset(to, byte, bytes); }});
}

void launch(const KernelCall& kernel, Size3 grid, Size3 block, std::size_t shared, Stream stream) {
  const Lock lock(machine().mutex);
  const auto refuse = [&](const char* why) {
    raise(ErrorKind::device, {"cuda: kernel ", simt::kernel_name(kernel.name), ", grid (", grid.x,
                              ", ", grid.y, ", ", grid.z, "), block (", block.x, ", ", block.y,
                              ", ", block.z, "), ", shared, " bytes of shared memory: ", why});
  };
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > 1024 || block.z > 64) refuse("a block has 1 to 1024 threads");
  if (grid.x > 2147483647u || grid.y > simt::most_blocks_y || grid.z > simt::most_blocks_y)
    refuse("the grid is too large");
  if (shared > simt::most_shared) refuse("a block has at most 65536 bytes of shared memory");
  for (int i = 0; i < kernel.count; ++i) {
    const void* p = nullptr;
    if (!kernel.pointers[i]) continue;
    std::memcpy(&p, kernel.values[i], sizeof(p));
    if (p == nullptr) continue;
    const int owner = simt::owner_of(p);
    if (owner == -1 || owner == stream.device) continue;
    const std::string text =
        "argument " + std::to_string(i) +
        (owner < 0 ? " points to host memory"
                   : " points to memory of device " + std::to_string(owner) +
                         ", the stream is device " + std::to_string(stream.device) + "'s");
    refuse(text.c_str());
  }
  ++machine().launches[stream.device];
  const auto call = std::make_shared<Launch>(kernel, grid, block, shared);
  put(stream, {[call] {
        const Machine& m = machine();
        simt::run_grid(call->kernel, call->grid, call->block, call->shared,
                       m.options.seed == 0 ? 0 : draw(~std::uint64_t{0}) | 1, m.options.stop);
      }});
}

Event make_event(int device) { return new EventState{device}; }

void record(Event event, Stream stream) {
  const Lock lock(machine().mutex);
  auto* e = static_cast<EventState*>(event);
  const std::int64_t number = ++e->recorded;
  put(stream, {[=] { e->reached = std::max(e->reached, number); }});
}

void wait(Stream stream, Event event) {
  const Lock lock(machine().mutex);
  auto* e = static_cast<EventState*>(event);
  put(stream, {[] {}, e, e->recorded});
}

bool is_done(Event event) {
  const Lock lock(machine().mutex);
  const auto* e = static_cast<EventState*>(event);
  return e->reached >= e->recorded;
}

void synchronize(Stream stream) {
  const Lock lock(machine().mutex);
  Queue& q = queue_of(stream);
  check(q.capture == nullptr, ErrorKind::device,
        "cuda: a capture cannot wait: the operation needs a result on the host");
  ++machine().waits[stream.device];
  run_until([&] { return q.operations.empty(); });
}

void synchronize(Event event) {
  const Lock lock(machine().mutex);
  const auto* e = static_cast<EventState*>(event);
  ++machine().waits[e->device];
  run_until([&] { return e->reached >= e->recorded; });
}

void begin_capture(Stream stream) {
  const Lock lock(machine().mutex);
  Queue& q = queue_of(stream);
  check(q.capture == nullptr, ErrorKind::device, "cuda: this stream is being captured already");
  q.capture = std::make_unique<std::vector<Operation>>();
}

bool is_capturing(Stream stream) {
  const Lock lock(machine().mutex);
  return queue_of(stream).capture != nullptr;
}

Graph end_capture(Stream stream) {
  const Lock lock(machine().mutex);
  Queue& q = queue_of(stream);
  check(q.capture != nullptr, ErrorKind::device, "cuda: this stream is not being captured");
  return q.capture.release();
}

void replay(Graph graph, Stream stream) {
  const Lock lock(machine().mutex);
  for (const Operation& operation : *static_cast<std::vector<Operation>*>(graph))
    put(stream, operation);
}

void destroy(Graph graph) noexcept { delete static_cast<std::vector<Operation>*>(graph); }

std::int64_t launches(int device) {
  const Lock lock(machine().mutex);
  return machine().launches[device];
}

std::int64_t waits(int device) {
  const Lock lock(machine().mutex);
  return machine().waits[device];
}

}  // namespace gradus::cuda::runtime

namespace gradus::simt {

Options configure(const Options& options) {
  using namespace gradus::cuda::runtime;
  const Lock lock(machine().mutex);
  run_until([] {
    for (const auto& q : machine().queues) {
      if (!q->operations.empty()) return false;
    }
    return true;
  });
  Options before = machine().options;
  machine().options = options;
  machine().draws = 0;
  set_protect(options.protect);
  return before;
}

const Options& options() { return gradus::cuda::runtime::machine().options; }

}  // namespace gradus::simt
