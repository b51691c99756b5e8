#include "gradus/bench/ladder/ladder.h"

#include <algorithm>
#include <cmath>

namespace gradus::ladder {

double error_of(const Work& work, const std::vector<Tensor>& expected) {
  double error = 0, largest = 0;
  for (std::size_t t = 0; t < expected.size(); ++t) {
    const Tensor got = work.out[t].to(Device::cpu());
    for (std::int64_t i = 0; i < got.numel(); ++i) {
      const double right = expected[t].data<double>()[i];
      const double off = std::abs(got.data<float>()[i] - right);
      if (!(off <= error)) error = off;  // a NaN stays
      largest = std::max(largest, std::abs(right));
    }
  }
  return error / largest;
}

}  // namespace gradus::ladder
