#include <algorithm>
#include <numeric>

#include "gradus/kernels/cpu/lines.h"
#include "gradus/kernels/cpu/reduce_fold.h"
#include "gradus/kernels/index.h"
#include "gradus/tensor/pooled.h"

namespace gradus::cpu {
namespace {

/// Sorts line indices by line values, equals by index: stable, and without std::stable_sort's
/// temporary memory.
template <class T>
void order_line(const PooledVector<T>& line, bool descending, PooledVector<std::int64_t>& order) {
  const auto at = [&](std::int64_t i) { return line[static_cast<std::size_t>(i)]; };
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (descending) {
    const auto before = [](T a, T b) { return a > b || (a != a && b == b); };
    std::sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
      return before(at(i), at(j)) || (i < j && !before(at(j), at(i)));
    });
  } else {
    const auto before = [](T a, T b) { return a < b || (a == a && b != b); };
    std::sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
      return before(at(i), at(j)) || (i < j && !before(at(j), at(i)));
    });
  }
}

}  // namespace

void arg_sort(const Tensor& input, int dim, bool descending, const Tensor& y) {
  const Tensor x = fold::prepared(input);
  const std::int64_t n = x.shape()[dim];
  const int last = x.dim() - 1;
  fold::visit_prepared(x, [&]<class T> {
    const T* from = x.data<T>();
    std::int64_t* places = y.data<std::int64_t>();
    for_each_line(x.shape(), dim, {&x, &y}, [&](const std::int64_t* o, std::int64_t width) {
      PooledVector<T> line(static_cast<std::size_t>(n));
      PooledVector<std::int64_t> order(static_cast<std::size_t>(n));
      for (std::int64_t j = 0; j < width; ++j) {
        const T* v = from + o[0] + j * x.strides()[last];
        for (std::size_t i = 0; i < line.size(); ++i, v += x.strides()[dim]) line[i] = *v;
        order_line(line, descending, order);
        std::int64_t* to = places + o[1] + j * y.strides()[last];
        for (std::size_t i = 0; i < line.size(); ++i, to += y.strides()[dim]) *to = order[i];
      }
    });
  });
}

}  // namespace gradus::cpu
