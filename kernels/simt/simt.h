// CUDA kernels without a GPU: a device made of fibers on the calling thread, for correctness and
// for learning, never for speed. What it adds to a GPU is a judge: races show as results that
// change with the seed, and misuse is an error that names the kernel and the thread.
//
//   fiber.h    a stack of its own and a switch between two of them
//   device.h   what a kernel sees: threadIdx, __syncthreads, shuffles, votes, atomics
//   grid.cpp   runs the threads of a block, warp by warp, from barrier to barrier
//   memory.h   device memory: whose it is, and a fence around it
//   runtime.cpp  streams, events, captures: tensor/cuda/runtime.h on top of all that
//
// The environment may set the options of a program that cannot be changed: GRADUS_SIMT_SEED,
// GRADUS_SIMT_PROTECT=1 and GRADUS_SIMT_STOP=kernel,block,thread.
#pragma once

#include <cstdint>
#include <string>

namespace gradus::simt {

struct Options {
  /// 0: lanes, warps, blocks and streams in their natural order; else a permutation for each seed.
  std::uint64_t seed = 0;
  /// Device memory can be read and written by kernels and copies only: a host that touches it ends
  /// the program with a line that says so. Takes effect on memory allocated afterwards.
  bool protect = false;
  /// "kernel,block,thread": a debugger trap where this thread of a kernel whose name contains
  /// `kernel` begins (numbers count in row order, x fastest). Empty: nowhere.
  std::string stop;
};

/// Waits for all streams, then changes the options. Returns those before.
Options configure(const Options& options);
const Options& options();

}  // namespace gradus::simt
