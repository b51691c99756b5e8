// The CUDA runtime as Gradus uses it. Nothing else in the library names it: runtime.cpp calls the
// real one, kernels/simt/runtime.cpp is a simulated one, and memory, streams and kernels are
// written against these functions. They count what matters to a benchmark: kernels started, and
// waits of the host.
//
// A call that fails is an Error that names what was called; kernels name themselves and their grid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "gradus/tensor/error.h"

namespace gradus::cuda {

/// Where work is put: the operations of one stream run in order. `handle` is a cudaStream_t.
struct Stream {
  int device = 0;
  void* handle = nullptr;
  friend bool operator==(const Stream&, const Stream&) = default;
};
using Event = void*;  // a cudaEvent_t: a place in a stream that was or will be reached
using Graph = void*;  // a cudaGraphExec_t: operations that replay() gives to a stream again

/// The size of a grid or a block.
struct Size3 {
  std::uint32_t x = 1, y = 1, z = 1;
  Size3() = default;
  template <class A, class B = int, class C = int>
  Size3(A x_size, B y_size = 1, C z_size = 1)
      : x(narrow(x_size)), y(narrow(y_size)), z(narrow(z_size)) {}

 private:
  /// What does not fit stays too large, so that the launch is refused.
  static std::uint32_t narrow(auto n) {
    const auto wide = static_cast<std::uint64_t>(n);
    return wide > 0xffffffffu ? 0xffffffffu : static_cast<std::uint32_t>(wide);
  }
};

struct Properties {
  char name[128] = {};
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  std::size_t memory = 0;        // bytes of the device
  std::size_t block_shared = 0;  // most shared memory a block can have
};

/// A kernel and its arguments on their way: what launch() of kernels/cuda/launch.cuh makes.
struct KernelCall {
  const char* name;               // as the compiler spells it; for errors
  const void* function;           // what the real runtime starts
  void (*invoke)(void** values);  // what the simulator calls, once a thread
  void** values;                  // the arguments' addresses, copied before the call returns
  const std::size_t* sizes;
  const bool* pointers;  // is the argument a pointer? Then it must be memory of the device
  int count;
};

namespace runtime {

/// 0 without a driver or a GPU: never an error.
int device_count();
/// Why it is 0, for an error; nothing if it is not.
const std::string& why_no_device();
const Properties& properties(int device);
std::size_t free_memory(int device);
/// Where it is on the bus, as other libraries of the driver call it; empty for a simulated one.
std::string bus_id(int device);

/// Null where there is not enough; aligned to 256 bytes.
void* allocate(int device, std::size_t bytes);
/// Gives memory back when all that was put into `last_use` is done.
void free(void* p, Stream last_use) noexcept;
/// The device whose memory this is.
int device_of(const void* p);
/// Host memory that devices copy from and to by themselves.
void* allocate_pinned(std::size_t bytes);
void free_pinned(void* p) noexcept;

/// The first thing asked of a device: throws if nothing of this build runs on it.
Stream make_stream(int device);
/// Device or pinned memory to the same: returns at once.
void copy(void* to, const void* from, std::size_t bytes, Stream stream);
void fill(void* to, int byte, std::size_t bytes, Stream stream);
void launch(const KernelCall& kernel, Size3 grid, Size3 block, std::size_t shared, Stream stream);

/// For a library that starts kernels by itself: what its calls are about is the stream's device;
/// and what it started is one launch. The simulator has no libraries, and neither of these.
void use_in_library(Stream stream);
void count_library_launch(Stream stream);

Event make_event(int device);
void record(Event event, Stream stream);
/// What is put into `stream` from now on runs after `event` as last recorded.
void wait(Stream stream, Event event);
bool is_done(Event event);

/// The host waits. Both throw what went wrong on the device since the last wait.
void synchronize(Stream stream);
void synchronize(Event event);

/// From here to end_capture, what is put into `stream` is recorded instead of run.
void begin_capture(Stream stream);
bool is_capturing(Stream stream);
Graph end_capture(Stream stream);
void replay(Graph graph, Stream stream);
void destroy(Graph graph) noexcept;

std::int64_t launches(int device);
std::int64_t waits(int device);

}  // namespace runtime
}  // namespace gradus::cuda
