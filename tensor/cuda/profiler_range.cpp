// Not a part of a simulated build: there is no profiler of a device that is not there.
#include "gradus/tensor/profiler_range.h"

#if GRADUS_HAS_CUDA && !GRADUS_CUDA_IS_SIMULATED
#include <nvtx3/nvToolsExt.h>

namespace gradus {

ProfilerRange::ProfilerRange(const char* name) { nvtxRangePushA(name); }
ProfilerRange::~ProfilerRange() { nvtxRangePop(); }

}  // namespace gradus
#endif
