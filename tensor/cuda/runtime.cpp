// The real CUDA runtime behind runtime.h.
#include "gradus/tensor/cuda/runtime.h"

#include <cuda_runtime_api.h>
#include <cxxabi.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>

namespace gradus::cuda::runtime {
namespace {

constexpr int most_devices = 64;
std::array<std::atomic<std::int64_t>, most_devices> launch_count{}, wait_count{};

void expect(cudaError_t status, const char* call) {
  check(status == cudaSuccess, ErrorKind::device, "cuda: ", call, ": ", cudaGetErrorString(status),
        " (", cudaGetErrorName(status), ")");
}

/// Makes `device` the one that the runtime's calls of this thread are about.
void use(int device) {
  thread_local int current = -1;
  if (current == device) return;
  expect(cudaSetDevice(device), "cudaSetDevice");
  current = device;
}

cudaStream_t handle(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }

/// Events carry their device, so that a wait can be counted.
struct EventOf {
  cudaEvent_t event;
  int device;
};

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
  return status == 0 ? std::string(text.get()) : std::string(name);
}

[[noreturn]] void raise_launch(cudaError_t status, const KernelCall& kernel, Size3 grid,
                               Size3 block, std::size_t shared) {
  const char* mangled = nullptr;
  const bool named = cudaFuncGetName(&mangled, kernel.function) == cudaSuccess;
  const std::string name = named ? demangled(mangled) : std::string(kernel.name);
  raise(ErrorKind::device, {"cuda: kernel ", name, ", grid (", grid.x, ", ", grid.y, ", ", grid.z,
                            "), block (", block.x, ", ", block.y, ", ", block.z, "), ", shared,
                            " bytes of shared memory: ", cudaGetErrorString(status)});
}

}  // namespace

int device_count() {
  static const int count = [] {
    int n = 0;
    // No driver, one that is older than this library's runtime, or no GPU: there are none.
    if (cudaGetDeviceCount(&n) != cudaSuccess) n = 0;
    return n < most_devices ? n : most_devices;
  }();
  return count;
}

const Properties& properties(int device) {
  static std::array<Properties, most_devices> all;
  static std::array<std::once_flag, most_devices> once;
  const auto at = static_cast<std::size_t>(device);
  std::call_once(once[at], [&] {
    cudaDeviceProp p;
    expect(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
    Properties& to = all[at];
    std::strncpy(to.name, p.name, sizeof(to.name) - 1);
    to.major = p.major;
    to.minor = p.minor;
    to.multiprocessors = p.multiProcessorCount;
    to.memory = p.totalGlobalMem;
    to.block_shared = p.sharedMemPerBlockOptin;
  });
  return all[at];
}

std::size_t free_memory(int device) {
  use(device);
  std::size_t free_bytes = 0, total = 0;
  expect(cudaMemGetInfo(&free_bytes, &total), "cudaMemGetInfo");
  return free_bytes;
}

void* allocate(int device, std::size_t bytes) {
  use(device);
  // Memory may be asked for while a stream of this thread is being captured: that is no part of
  // the graph.
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  cudaThreadExchangeStreamCaptureMode(&mode);
  void* p = nullptr;
  const cudaError_t status = cudaMalloc(&p, bytes);
  cudaThreadExchangeStreamCaptureMode(&mode);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is handled: the next call must not find it
    return nullptr;
  }
  expect(status, "cudaMalloc");
  return p;
}

void free(void* p, Stream) noexcept { cudaFree(p); }  // waits for the device by itself

int device_of(const void* p) {
  cudaPointerAttributes attributes;
  expect(cudaPointerGetAttributes(&attributes, p), "cudaPointerGetAttributes");
  check(attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged,
        ErrorKind::device, "cuda: a pointer is not to device memory");
  return attributes.device;
}

void* allocate_pinned(std::size_t bytes) {
  void* p = nullptr;
  expect(cudaHostAlloc(&p, bytes, cudaHostAllocPortable), "cudaHostAlloc");
  return p;
}

void free_pinned(void* p) noexcept { cudaFreeHost(p); }

Stream make_stream(int device) {
  use(device);
  cudaStream_t stream = nullptr;
  expect(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return {device, stream};
}

void copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  use(stream.device);
  expect(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, handle(stream)), "cudaMemcpyAsync");
}

void fill(void* to, int byte, std::size_t bytes, Stream stream) {
  use(stream.device);
  expect(cudaMemsetAsync(to, byte, bytes, handle(stream)), "cudaMemsetAsync");
}

void launch(const KernelCall& kernel, Size3 grid, Size3 block, std::size_t shared, Stream stream) {
  use(stream.device);
  constexpr std::size_t without_asking = 48 << 10;
  cudaError_t status = cudaSuccess;
  if (shared > without_asking) {
    status = cudaFuncSetAttribute(kernel.function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(shared));
  }
  if (status == cudaSuccess) {
    status =
        cudaLaunchKernel(kernel.function, dim3(grid.x, grid.y, grid.z),
                         dim3(block.x, block.y, block.z), kernel.values, shared, handle(stream));
  }
  if (status != cudaSuccess) {
    cudaGetLastError();
    raise_launch(status, kernel, grid, block, shared);
  }
  launch_count[static_cast<std::size_t>(stream.device)].fetch_add(1, std::memory_order_relaxed);
}

Event make_event(int device) {
  use(device);
  auto event = std::make_unique<EventOf>(EventOf{nullptr, device});
  expect(cudaEventCreateWithFlags(&event->event, cudaEventDisableTiming),
         "cudaEventCreateWithFlags");
  return event.release();
}

void record(Event event, Stream stream) {
  use(stream.device);
  expect(cudaEventRecord(static_cast<EventOf*>(event)->event, handle(stream)), "cudaEventRecord");
}

void wait(Stream stream, Event event) {
  use(stream.device);
  expect(cudaStreamWaitEvent(handle(stream), static_cast<EventOf*>(event)->event, 0),
         "cudaStreamWaitEvent");
}

bool is_done(Event event) {
  const cudaError_t status = cudaEventQuery(static_cast<EventOf*>(event)->event);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  expect(status, "cudaEventQuery");
  return true;
}

void synchronize(Stream stream) {
  use(stream.device);
  wait_count[static_cast<std::size_t>(stream.device)].fetch_add(1, std::memory_order_relaxed);
  expect(cudaStreamSynchronize(handle(stream)), "cudaStreamSynchronize");
}

void synchronize(Event event) {
  const EventOf& e = *static_cast<EventOf*>(event);
  wait_count[static_cast<std::size_t>(e.device)].fetch_add(1, std::memory_order_relaxed);
  expect(cudaEventSynchronize(e.event), "cudaEventSynchronize");
}

void begin_capture(Stream stream) {
  use(stream.device);
  expect(cudaStreamBeginCapture(handle(stream), cudaStreamCaptureModeThreadLocal),
         "cudaStreamBeginCapture");
}

bool is_capturing(Stream stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  expect(cudaStreamIsCapturing(handle(stream), &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

Graph end_capture(Stream stream) {
  cudaGraph_t graph = nullptr;
  expect(cudaStreamEndCapture(handle(stream), &graph), "cudaStreamEndCapture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  expect(status, "cudaGraphInstantiate");
  return executable;
}

void replay(Graph graph, Stream stream) {
  use(stream.device);
  expect(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), handle(stream)), "cudaGraphLaunch");
}

void destroy(Graph graph) noexcept { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); }

std::int64_t launches(int device) { return launch_count[static_cast<std::size_t>(device)].load(); }
std::int64_t waits(int device) { return wait_count[static_cast<std::size_t>(device)].load(); }

}  // namespace gradus::cuda::runtime
