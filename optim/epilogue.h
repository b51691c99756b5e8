// The three launches on raw pointers, for a training loop that is not ours: fill in an
// epilogue::Table (kernels/epilogue.h says what every field means) and call them in this order
// after the last backward. On a GPU every pointer is device memory, and a StreamGuard says which
// stream. Nothing here allocates, waits or remembers.
#pragma once

#include "gradus/kernels/epilogue.h"

namespace gradus::optim::epilogue {

using namespace gradus::epilogue;

/// Adds the weight of a micro-batch to the window that the next step ends.
inline void add_samples(StepState* state, double weight, Device device = Device::cpu()) {
  dispatch<cpu::epilogue_add_samples, cuda::epilogue_add_samples>(device, state, weight);
}
inline void stats(const Table& table, Device device = Device::cpu()) {
  dispatch<cpu::epilogue_stats, cuda::epilogue_stats>(device, table);
}
inline void decide(const Table& table, Device device = Device::cpu()) {
  dispatch<cpu::epilogue_decide, cuda::epilogue_decide>(device, table);
}
/// Before apply(), where the table says that a rule prepares its updates.
inline void prepare(const Table& table, Device device = Device::cpu()) {
  dispatch<cpu::epilogue_prepare, cuda::epilogue_prepare>(device, table);
}
inline void apply(const Table& table, Device device = Device::cpu()) {
  dispatch<cpu::epilogue_apply, cuda::epilogue_apply>(device, table);
}
/// Exchanges every weight with its average[which].
inline void exchange(const Table& table, int which, Device device = Device::cpu()) {
  dispatch<cpu::epilogue_exchange, cuda::epilogue_exchange>(device, table, which);
}

}  // namespace gradus::optim::epilogue
