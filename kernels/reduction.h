// How a loss comes out: one value an element or row, their mean, or their sum.
#pragma once

#include <string_view>

#include "gradus/tensor/error.h"

namespace gradus {

/// Reduction::mean, or "mean" as PyTorch spells it.
class Reduction {
 public:
  enum Kind { none, mean, sum, batchmean };  // the last is the sum by the first size: kl_div's
  constexpr Reduction(Kind kind) : kind_(kind) {}
  Reduction(const char* name) : Reduction(std::string_view(name)) {}
  Reduction(std::string_view name)
      : kind_(name == "mean"        ? mean
              : name == "sum"       ? sum
              : name == "batchmean" ? batchmean
                                    : none) {
    check(kind_ != none || name == "none", ErrorKind::argument,
          "reduction: expected none, mean or sum, got ", name);
  }
  constexpr operator Kind() const { return kind_; }

 private:
  Kind kind_;
};

}  // namespace gradus
