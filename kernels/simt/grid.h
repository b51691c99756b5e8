// Runs the blocks of a kernel, one after another, on the calling thread.
#pragma once

#include <cstdint>
#include <string>

#include "gradus/tensor/cuda/runtime.h"

namespace gradus::simt {

/// The kernel's own name: "forward<gradus::ops::Abs, float>" from the compiler's spelling.
std::string kernel_name(const char* spelled);

/// "kernel NAME, block (1, 0, 0), thread (7, 0, 0)" of the simulated thread that runs; empty if
/// none does.
std::string running_thread();

/// What every architecture that we build for gives a block (Turing has the least).
inline constexpr std::size_t most_shared = std::size_t{64} << 10;

/// All threads of all blocks. Throws Error for what CUDA leaves undefined: a barrier that only a
/// part of a block reaches, a shuffle with a lane that takes no part.
void run_grid(const cuda::KernelCall& kernel, cuda::Size3 grid, cuda::Size3 block,
              std::size_t shared, std::uint64_t seed, const std::string& stop);

}  // namespace gradus::simt
