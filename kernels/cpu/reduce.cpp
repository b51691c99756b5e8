#include "gradus/kernels/reduce.h"

#include "gradus/kernels/cpu/loop.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus::cpu {

void sum(const Tensor& x, const Tensor& y, bool add) {
  // First form: rows of kept dimensions outside, reduced ones inside, one chain an element.
  int order[Shape::max_dims], kept = 0, at = 0;
  Shape outer, inner;
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < x.dim(); ++i) {
      const bool reduced = y.shape()[i] == 1;
      if (reduced != (pass == 1)) continue;
      order[at++] = i;
      (reduced ? inner : outer).push_back(x.shape()[i]);
    }
    if (pass == 0) kept = at;
  }
  const Tensor rows =
      as_contiguous(views::permute(x, std::span(order, static_cast<std::size_t>(at))));
  (void)kept;
  const std::int64_t n = inner.numel();
  visit(x.dtype(), [&]<class T> {
    if constexpr (!std::is_same_v<T, bool>) {
      const T* from = static_cast<const T*>(rows.data());
      T* to = static_cast<T*>(y.data());
      parallel_for(y.numel(), 1 + 4096 / (n + 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
          compute_t<T> s = add ? compute_t<T>(to[r]) : compute_t<T>(0);
          for (std::int64_t i = 0; i < n; ++i) s += compute_t<T>(from[r * n + i]);
          to[r] = T(s);
        }
      });
    }
  });
}

}  // namespace gradus::cpu
