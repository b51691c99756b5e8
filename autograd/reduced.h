// The last step of losses that are composed of other functions.
#pragma once

#include "gradus/autograd/functions/loss.h"
#include "gradus/autograd/functions/reduce.h"

namespace gradus {

/// Elements that were computed one by one: themselves, their mean or their sum. Recorded.
inline Tensor reduced(const char* op, const Tensor& y, Reduction reduction) {
  check(reduction != Reduction::batchmean, ErrorKind::argument, op,
        ": expected reduction none, mean or sum, got batchmean");
  return reduction == Reduction::mean ? mean(y) : reduction == Reduction::sum ? sum(y) : y;
}

}  // namespace gradus
