// How a kernel says that an index is out of range without making anyone wait: the first one is
// written where the host looks when it next waits for the device, and then throws.
#pragma once

#include "gradus/kernels/cuda/launch.cuh"

namespace gradus::cuda {

/// Goes to a kernel by value; `op`, a string literal, is read by the host alone.
struct Reporter {
  Report* report;
  const char* op;

  /// True if 0 <= index < size; else the kernel must not use the index.
  __device__ bool in_range(std::int64_t index, std::int64_t size) const {
    if (index >= 0 && index < size) return true;
    if (atomicCAS(&report->taken, 0u, 1u) == 0) {
      report->op = op;
      report->index = index;
      report->size = size;
    }
    return false;
  }

  /// Reports a probability outside [0, 1]; NaN is left alone.
  __device__ void probability(double v) const {
    if (!(v < 0 || v > 1)) return;
    if (atomicCAS(&report->taken, 0u, 1u) != 0) return;
    report->op = op;
    report->size = -1;
    report->value = v;
  }
};

inline Reporter reporter(const char* op, int device) { return {report_of(device), op}; }

}  // namespace gradus::cuda
