#include "gradus/kernels/cpu/rows.h"

namespace gradus::cpu {
namespace {

constexpr std::int64_t block_size = 256;
using Block = std::uint64_t[block_size];

template <class To, class From>
void gather(To* to, const From* from, std::int64_t stride, std::int64_t n) {
  if (stride == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = To(from[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = To(from[i * stride]);
  }
}

template <class To, class From>
void scatter(To* to, std::int64_t stride, const From* from, std::int64_t n) {
  if (stride == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = To(from[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * stride] = To(from[i]);
  }
}

/// Calls f with the stored type and the arithmetic type; types of one width that need no conversion
/// share code.
template <class F>
void with_types(Dtype dtype, F&& f) {
  if (dtype == Dtype::bf16) return f(bf16(), float());
  if (dtype == Dtype::f16) return f(f16(), float());
  switch (size_of(dtype)) {
    case 1: return f(std::uint8_t(), std::uint8_t());
    case 4: return f(std::uint32_t(), std::uint32_t());
    default: return f(std::uint64_t(), std::uint64_t());
  }
}

void load(Dtype dtype, Block& block, const void* from, std::int64_t stride, std::int64_t n) {
  with_types(dtype, [&]<class T, class C>(T, C) {
    C* to = reinterpret_cast<C*>(block);
    if (stride == 0)
      std::fill_n(to, n, C(*static_cast<const T*>(from)));
    else
      gather(to, static_cast<const T*>(from), stride, n);
  });
}

void store(Dtype dtype, void* to, std::int64_t stride, const Block& block, std::int64_t n) {
  with_types(dtype, [&]<class T, class C>(T, C) {
    scatter(static_cast<T*>(to), stride, reinterpret_cast<const C*>(block), n);
  });
}

template <int N>
void run(Row row, const double* p, const Tensor* const (&t)[N]) {
  bool linear = t[0]->numel() <= pointwise_grain;
  for (int k = 0; k < N; ++k) {
    linear = linear && t[k]->is_contiguous() && t[k]->numel() == t[0]->numel() &&
             !is_half(t[k]->dtype());
  }
  if (linear) {  // small and simple: the usual case of small models
    void* at[N];
    for (int k = 0; k < N; ++k) at[k] = t[k]->data();
    return row(p, at, t[0]->numel());
  }

  const Loop<N> loop(t);
  Dtype dtypes[N];
  bool direct[N], all_direct = true;
  std::int64_t sizes[N];
  for (int k = 0; k < N; ++k) {
    dtypes[k] = t[k]->dtype();
    sizes[k] = static_cast<std::int64_t>(size_of(dtypes[k]));
    direct[k] = loop.strides[k][0] == 1 && !is_half(dtypes[k]);
    all_direct = all_direct && direct[k];
  }
  for_each_row(loop, [&](const std::int64_t* offsets, std::int64_t n) {
    char* start[N];
    void* at[N];
    for (int k = 0; k < N; ++k)
      at[k] = start[k] = static_cast<char*>(loop.data[k]) + offsets[k] * sizes[k];
    if (all_direct) return row(p, at, n);
    Block blocks[N];
    for (std::int64_t begin = 0; begin < n; begin += block_size) {
      const std::int64_t m = std::min(block_size, n - begin);
      for (int k = 0; k < N; ++k) {
        char* here = start[k] + begin * loop.strides[k][0] * sizes[k];
        at[k] = direct[k] ? static_cast<void*>(here) : blocks[k];
        const bool kept = loop.strides[k][0] == 0 && begin > 0;
        if (k > 0 && !direct[k] && !kept) load(dtypes[k], blocks[k], here, loop.strides[k][0], m);
      }
      row(p, at, m);
      if (!direct[0]) {
        store(dtypes[0], start[0] + begin * loop.strides[0][0] * sizes[0], loop.strides[0][0],
              blocks[0], m);
      }
    }
  });
}

}  // namespace

void run_rows(Row row, const double* p, const Tensor* const (&t)[2]) { run(row, p, t); }
void run_rows(Row row, const double* p, const Tensor* const (&t)[3]) { run(row, p, t); }
void run_rows(Row row, const double* p, const Tensor* const (&t)[4]) { run(row, p, t); }

}  // namespace gradus::cpu
