// The real CUDA runtime behind runtime.h.
#include "gradus/tensor/cuda/runtime.h"

#include <cuda_runtime_api.h>
#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>

#include "gradus/tensor/cuda/diagnosis.h"

namespace gradus::cuda::runtime {
namespace {

constexpr int most_devices = 64;
std::array<std::atomic<std::int64_t>, most_devices> launch_count{}, wait_count{};

void expect(cudaError_t status, const char* call) {
  if (status == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();  // it is reported here: the next one who asks must not find it
  raise(ErrorKind::device,
        {"cuda: ", call, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")"});
}

/// Makes `device` the one that the runtime's calls of this thread are about. The runtime is asked
/// each time: the program's own code may have set another.
void use(int device) {
  int current = -1;
  if (cudaGetDevice(&current) == cudaSuccess && current == device) return;
  expect(cudaSetDevice(device), "cudaSetDevice");
}

/// While it lives, this thread's calls that have nothing to do with a stream (memory, mostly) are
/// allowed although one is being captured; they are no part of the graph.
class OutsideCapture {
 public:
  OutsideCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  ~OutsideCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  OutsideCapture(const OutsideCapture&) = delete;
  OutsideCapture& operator=(const OutsideCapture&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

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

namespace {

struct Found {
  int count = 0;
  std::string why_none;
  Found() {
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) {
      cudaGetLastError();
      count = 0;
    }
    count = std::min(count, most_devices);
    if (count > 0) return;
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    why_none = cuda::why_no_device(status, cudaGetErrorName(status), driver, runtime,
                                   std::getenv("CUDA_VISIBLE_DEVICES"));
  }
};

const Found& found() {
  static const Found once;
  return once;
}

}  // namespace

int device_count() { return found().count; }
const std::string& why_no_device() { return found().why_none; }

const Properties& properties(int device) {
  static std::array<Properties, most_devices> all;
  static std::array<std::once_flag, most_devices> once;
  const auto at = static_cast<std::size_t>(device);
  std::call_once(once[at], [&] {
    cudaDeviceProp p;
    expect(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
    Properties& to = all[at];
    std::memcpy(to.name, p.name, sizeof(to.name) - 1);
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

std::string bus_id(int device) {
  char text[32] = {};
  expect(cudaDeviceGetPCIBusId(text, sizeof text, device), "cudaDeviceGetPCIBusId");
  return text;
}

void* allocate(int device, std::size_t bytes) {
  use(device);
  const OutsideCapture outside;
  void* p = nullptr;
  const cudaError_t status = cudaMalloc(&p, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  expect(status, "cudaMalloc");
  return p;
}

void free(void* p, Stream) noexcept {
  const OutsideCapture outside;
  cudaFree(p);  // waits for the device by itself
}

int device_of(const void* p) {
  cudaPointerAttributes attributes;
  expect(cudaPointerGetAttributes(&attributes, p), "cudaPointerGetAttributes");
  check(attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged,
        ErrorKind::device, "cuda: a pointer is not to device memory");
  return attributes.device;
}

void* allocate_pinned(std::size_t bytes) {
  const OutsideCapture outside;
  void* p = nullptr;
  expect(cudaHostAlloc(&p, bytes, cudaHostAllocPortable), "cudaHostAlloc");
  return p;
}

void free_pinned(void* p) noexcept {
  const OutsideCapture outside;
  cudaFreeHost(p);
}

Stream make_stream(int device) {
  const Properties& p = properties(device);
  check(runs_on(GRADUS_CUDA_ARCHITECTURES, p.major, p.minor), ErrorKind::unsupported,
        "cuda:", device,
        " cannot be used: ", why_unsupported(p.name, p.major, p.minor, GRADUS_CUDA_ARCHITECTURES));
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
  count_library_launch(stream);
}

void use_in_library(Stream stream) { use(stream.device); }

void count_library_launch(Stream stream) {
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
