// Correlation without an im2col buffer. Two kernels read the (padded) input in place, through a
// table of where the taps lie: one broadcasts neighbouring outputs of a row against vectors of
// output channels, the other broadcasts channels against vectors of neighbouring outputs. Both
// give every element the same chain over (c, taps).
#include "gradus/kernels/cpu/correlate.h"
#include "gradus/kernels/cpu/packed_product.h"
#include "gradus/tensor/half.h"

namespace gradus::cpu {
namespace {

/// Channels that one call of the channel kernel takes.
inline constexpr int channel_rows = vector_registers < 32 ? 6 : 8;

/// c[r, :] = sum over k of x[offset[k] + r] w[k, :]: `rows` neighbouring outputs, channels in
/// vectors.
template <class T, int vectors, int rows>
void output_tile(std::int64_t k, const T* x, const std::int64_t* offset, const T* w, T* c,
                 std::int64_t c_row, int last) {
  using V = Simd<T>;
  constexpr int end = (vectors - 1) * V::width;
  typename V::Vec acc[rows][vectors] = {};
  for (std::int64_t i = 0; i < k; ++i, w += vectors * V::width) {
    const T* const at = x + offset[i];
    typename V::Vec wv[vectors];
    GRADUS_UNROLL
    for (int v = 0; v < vectors; ++v) {
      wv[v] = V::load(w + v * V::width);
      __builtin_prefetch(w + (24 * vectors + v) * V::width);
    }
    GRADUS_UNROLL
    for (int r = 0; r < rows; ++r) {
      const T s = at[r];
      GRADUS_UNROLL
      for (int v = 0; v < vectors; ++v) acc[r][v] = V::fma(wv[v], s, acc[r][v]);
    }
  }
  GRADUS_UNROLL
  for (int r = 0; r < rows; ++r) {
    if (vectors == 2) V::store(c + r * c_row, acc[r][0]);
    store_last(c + r * c_row + end, acc[r][vectors - 1], last);
  }
}

/// c[r, :] = sum over k of w[k, r] x[offset[k] + :]: `rows` channels, neighbouring outputs in
/// vectors.
template <class T, int vectors, int rows>
void channel_tile(std::int64_t k, const T* x, const std::int64_t* offset, const T* w, T* c,
                  std::int64_t c_row, int last) {
  using V = Simd<T>;
  constexpr int end = (vectors - 1) * V::width;
  typename V::Vec acc[rows][vectors] = {};
  for (std::int64_t i = 0; i < k; ++i, w += channel_rows) {
    const T* const at = x + offset[i];
    typename V::Vec xv[vectors];
    if (vectors == 2) xv[0] = V::load(at);
    xv[vectors - 1] = load_last(at + end, last);
    GRADUS_UNROLL
    for (int r = 0; r < rows; ++r) {
      const T s = w[r];
      GRADUS_UNROLL
      for (int v = 0; v < vectors; ++v) acc[r][v] = V::fma(xv[v], s, acc[r][v]);
    }
  }
  GRADUS_UNROLL
  for (int r = 0; r < rows; ++r) {
    if (vectors == 2) V::store(c + r * c_row, acc[r][0]);
    store_last(c + r * c_row + end, acc[r][vectors - 1], last);
  }
}

template <class T>
using Tile = void (*)(std::int64_t k, const T* x, const std::int64_t* offset, const T* w, T* c,
                      std::int64_t c_row, int last);

template <class T>
struct Tiles {
  static constexpr int most = Blocking<T>::rows;
  Tile<T> output[2][most + 1] = {}, channel[2][channel_rows + 1] = {};
  template <int rows = 1>
  constexpr void fill() {
    output[0][rows] = output_tile<T, 1, rows>;
    output[1][rows] = output_tile<T, 2, rows>;
    if constexpr (rows <= channel_rows) {
      channel[0][rows] = channel_tile<T, 1, rows>;
      channel[1][rows] = channel_tile<T, 2, rows>;
    }
    if constexpr (rows < std::max(most, channel_rows)) fill<rows + 1>();
  }
  constexpr Tiles() { fill(); }
};
template <class T>
constexpr Tiles<T> tiles;

/// to[c * to_channel + r * to_output] = from[r * from_row + c], for a tile of r outputs and c
/// channels.
template <class T, class S>
void store_tile(const T* from, std::int64_t from_row, int outputs, int channels, S* to,
                std::int64_t to_output, std::int64_t to_channel) {
  int c = 0;
  if constexpr (std::is_same_v<T, S>) {
    using Unit = Transpose<T>;
    const bool turn = to_output == 1 && outputs >= Unit::rows;
    for (; turn && c + Unit::columns <= channels; c += Unit::columns) {
      for (int r = 0; r < outputs; r += Unit::rows) {
        const int first = std::min(r, outputs - Unit::rows);  // the last unit overlaps
        typename Unit::Wide out[Unit::columns];
        Unit::load([&](int i) { return from + (first + i) * from_row + c; }, out);
        GRADUS_UNROLL
        for (int i = 0; i < Unit::columns; ++i) {
          Simd<T, 32>::store(to + (c + i) * to_channel + first, out[i]);
        }
      }
    }
  }
  for (; c < channels; ++c) {
    for (int r = 0; r < outputs; ++r) {
      to[c * to_channel + r * to_output] = static_cast<S>(from[r * from_row + c]);
    }
  }
}

/// One call of correlate(): what is common to all its pieces.
template <class T, class S>
struct Job {
  using V = Simd<T>;
  using Size = Blocking<T>;
  const Correlation<T, S>& g;
  const std::int64_t band_rows;
  const Window<T, S> window{g.axis, g.x_at, g.in_channels, band_rows};
  const std::int64_t k = g.in_channels * window.taps();
  // Few channels would leave vectors of them empty; short chains would pay for turning the tile.
  const bool by_channel =
      g.out_channels < 8 || (k <= 64 && std::is_same_v<T, S> && g.y_at.w * g.axis[2].step == 1);
  const std::int64_t unit = by_channel ? channel_rows : Size::columns;  // channels a panel
  const std::int64_t panels = (g.out_channels + unit - 1) / unit;
  const Scratch<T> weights{g.groups * panels * k * unit};

  static std::int64_t choose_rows(const Correlation<T, S>& g);
  // Bias and activation, on long rows of a finished panel where rows of y allow it.
  const bool finish_later =
      std::is_same_v<T, S> && (g.y_at.c == 1 || g.y_at.w * g.axis[2].step == 1);

  explicit Job(const Correlation<T, S>& c) : g(c), band_rows(choose_rows(c)) { pack_weights(); }
  void pack_weights();
  void finish(T* c, std::int64_t c_row, bool rows_are_channels, std::int64_t channel,
              std::int64_t m, std::int64_t n) const;
  void finish_panel(std::int64_t rows, std::int64_t group, std::int64_t p, S* y) const;
  void run(std::int64_t n, std::int64_t group, std::int64_t depth, std::int64_t row,
           std::int64_t first_panel, std::int64_t last_panel) const;
  void outputs(const T* x, std::int64_t rows, std::int64_t group, std::int64_t p, S* y) const;
  void channels(const T* x, std::int64_t rows, std::int64_t group, std::int64_t p, S* y) const;
};

/// Output rows that share a padded copy: it should stay in the L2 cache, and there should be work
/// for every thread.
template <class T, class S>
std::int64_t Job<T, S>::choose_rows(const Correlation<T, S>& g) {
  const std::int64_t rows = g.axis[1].outputs;
  auto bytes = [&](std::int64_t r) {
    return Band(g.axis, r).plane * g.in_channels * std::int64_t{sizeof(T)};
  };
  std::int64_t bands = 1;
  while (bands < rows && bytes((rows + bands - 1) / bands) > 192 * 1024) ++bands;
  const std::int64_t others = g.n * g.groups * g.axis[0].outputs, threads = num_threads();
  if (threads > 1 && others * bands < 2 * threads) {
    bands = std::min(rows, (2 * threads + others - 1) / others);
  }
  return (rows + bands - 1) / bands;
}

/// Panels of `unit` channels (the last by outputs one vector, where that suffices): (k, channels).
template <class T, class S>
void Job<T, S>::pack_weights() {
  parallel_for(g.groups * panels, 1 + 16384 / (k * unit + 1),
               [&](std::int64_t i, std::int64_t end) {
                 for (; i < end; ++i) {
                   const std::int64_t group = i / panels, first = i % panels * unit;
                   const std::int64_t left = g.out_channels - first;
                   const std::int64_t width = by_channel ? unit : panel_width<T>(left);
                   T* to = weights.data() + i * k * unit;
                   const S* const from = g.w + group * g.w_group + first * g.w_out;
                   for (std::int64_t c = 0; c < g.in_channels; ++c) {
                     for (std::int64_t d = 0; d < g.axis[0].taps; ++d) {
                       for (std::int64_t h = 0; h < g.axis[1].taps; ++h) {
                         for (std::int64_t w = 0; w < g.axis[2].taps; ++w, to += width) {
                           const std::int64_t tap =
                               (g.axis[0].tap(d) * g.kernel_h + g.axis[1].tap(h)) * g.kernel_w +
                               g.axis[2].tap(w);
                           const S* const at = from + c * g.w_in + tap;
                           for (std::int64_t o = 0; o < width; ++o) {
                             to[o] = o < left ? static_cast<T>(at[o * g.w_out]) : T(0);
                           }
                         }
                       }
                     }
                   }
                 }
               });
}

/// Output rows [row, row + band_rows) of one image and group at one depth, channels of some panels.
template <class T, class S>
void Job<T, S>::run(std::int64_t n, std::int64_t group, std::int64_t depth, std::int64_t row,
                    std::int64_t first_panel, std::int64_t last_panel) const {
  const Axis* a = g.axis;
  const std::int64_t rows = std::min(band_rows, a[1].outputs - row);
  const S* const x = g.x + n * g.x_at.n + group * g.in_channels * g.x_at.c;
  const Scratch<T> copy(window.copy_size(g.in_channels));
  const T* const base = window.base(x, g.in_channels, depth, row, copy.data());
  S* const y = g.y + n * g.y_at.n + group * g.out_channels * g.y_at.c +
               (a[0].begin + depth * a[0].step) * g.y_at.d +
               (a[1].begin + row * a[1].step) * g.y_at.h + a[2].begin * g.y_at.w;
  for (std::int64_t p = first_panel; p < last_panel; ++p) {
    if (by_channel) {
      channels(base, rows, group, p, y);
    } else {
      outputs(base, rows, group, p, y);
    }
    if (finish_later && !g.finish.empty()) finish_panel(rows, group, p, y);
  }
}

template <class T, class S>
void Job<T, S>::outputs(const T* x, std::int64_t rows, std::int64_t group, std::int64_t p,
                        S* y) const {
  const std::int64_t o = p * unit, y_step = g.y_at.w * g.axis[2].step;
  const int w = static_cast<int>(std::min(g.out_channels - o, unit));
  const int width = panel_width<T>(w), vectors = width / V::width;
  const int last = w - (vectors - 1) * V::width;
  const T* const packed = weights.data() + (group * panels + p) * k * unit;
  const bool direct = std::is_same_v<T, S> && g.y_at.c == 1;
  const std::int64_t parts = (g.axis[2].outputs + Size::rows - 1) / Size::rows;
  constexpr int most = (Size::rows + Transpose<T>::rows - 1) / Transpose<T>::rows;
  alignas(64) T tile[most * Transpose<T>::rows * Size::columns] = {};
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t q = 0; q < parts; ++q) {
      const Range part = part_of(g.axis[2].outputs, parts, q);
      const int n = static_cast<int>(part.size());
      S* const to = y + o * g.y_at.c + r * g.axis[1].step * g.y_at.h + part.begin * y_step;
      T* const c = direct ? reinterpret_cast<T*>(to) : tile;
      const std::int64_t c_row = direct ? y_step : Size::columns;
      tiles<T>.output[vectors - 1][n](k, x + r * window.row_step() + part.begin, window.offsets(),
                                      packed, c, c_row, last);
      if (!finish_later) finish(c, c_row, false, group * g.out_channels + o, n, w);
      if (!direct) store_tile(tile, Size::columns, n, w, to, y_step, g.y_at.c);
    }
  }
}

template <class T, class S>
void Job<T, S>::channels(const T* x, std::int64_t rows, std::int64_t group, std::int64_t p,
                         S* y) const {
  const std::int64_t o = p * unit, y_step = g.y_at.w * g.axis[2].step, n = g.axis[2].outputs;
  const int channels = static_cast<int>(std::min(g.out_channels - o, unit));
  const T* const packed = weights.data() + (group * panels + p) * k * unit;
  const bool direct = std::is_same_v<T, S> && y_step == 1;
  alignas(64) T tile[channel_rows * Size::columns];
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < n; j += Size::columns) {
      const int w = static_cast<int>(std::min<std::int64_t>(n - j, Size::columns));
      const int vectors = w > V::width ? 2 : 1;
      S* const to = y + o * g.y_at.c + r * g.axis[1].step * g.y_at.h + j * y_step;
      T* const c = direct ? reinterpret_cast<T*>(to) : tile;
      const std::int64_t c_row = direct ? g.y_at.c : Size::columns;
      tiles<T>.channel[vectors - 1][channels](k, x + r * window.row_step() + j, window.offsets(),
                                              packed, c, c_row, w - (vectors - 1) * V::width);
      if (!finish_later) finish(c, c_row, true, group * g.out_channels + o, channels, w);
      if (!direct) store_tile(tile, Size::columns, channels, w, to, g.y_at.c, y_step);
    }
  }
}

/// On m rows of n elements, the first of `channel`.
template <class T, class S>
void Job<T, S>::finish(T* c, std::int64_t c_row, bool rows_are_channels, std::int64_t channel,
                       std::int64_t m, std::int64_t n) const {
  if (g.finish.empty()) return;
  BiasActivation<T> f = g.finish;
  f.bias_per_row = rows_are_channels;
  apply_bias_activation(f, c, c_row, rows_are_channels ? channel : 0,
                        rows_are_channels ? 0 : channel, m, n);
}

template <class T, class S>
void Job<T, S>::finish_panel(std::int64_t rows, std::int64_t group, std::int64_t p, S* y) const {
  const std::int64_t o = p * unit, w = std::min(g.out_channels - o, unit);
  const std::int64_t n = g.axis[2].outputs, y_step = g.y_at.w * g.axis[2].step;
  const std::int64_t y_row = g.axis[1].step * g.y_at.h, channel = group * g.out_channels + o;
  const std::int64_t joined = y_row == n * y_step ? rows : 1;  // rows without a gap are one
  T* c = reinterpret_cast<T*>(y + o * g.y_at.c);
  for (std::int64_t r = 0; r < rows; r += joined, c += y_row) {
    if (y_step == 1) {
      finish(c, g.y_at.c, true, channel, w, joined * n);
    } else {
      finish(c, y_step, false, channel, joined * n, w);
    }
  }
}

/// Where rows follow each other without a gap and a kernel is one element, an image is one row.
template <class T, class S>
Correlation<T, S> joined(Correlation<T, S> g) {
  for (int d = 0; d < 2; ++d) {
    Axis &outer = g.axis[d], &inner = g.axis[2];
    const std::int64_t x_outer = d == 0 ? g.x_at.d : g.x_at.h;
    const std::int64_t y_outer = d == 0 ? g.y_at.d : g.y_at.h;
    const bool whole = [&] {
      for (const Axis* a : {&outer, &inner}) {
        if (a->taps != 1 || a->stride != 1 || a->step != 1 || a->shift(0) != 0 ||
            a->inputs != a->outputs) {
          return false;
        }
      }
      return true;
    }();
    const bool last = d == 1 || g.axis[1].outputs == 1;
    if (!whole || !last || outer.outputs == 1 || x_outer != g.x_at.w * inner.inputs ||
        y_outer != g.y_at.w * inner.outputs) {
      continue;
    }
    inner.inputs *= outer.inputs, inner.outputs *= outer.outputs;
    outer = Axis{};
  }
  return g;
}

}  // namespace

template <class T, class S>
void correlate(const Correlation<T, S>& original) {
  const Correlation<T, S> g = joined(original);
  const Axis* a = g.axis;
  if (g.n * g.out_channels * a[0].outputs * a[1].outputs * a[2].outputs == 0) return;
  const Job<T, S> job(g);
  const std::int64_t bands = (a[1].outputs + job.band_rows - 1) / job.band_rows;
  const std::int64_t blocks = g.n * g.groups * a[0].outputs * bands, threads = num_threads();
  const std::int64_t parts =
      threads == 1 || blocks >= 2 * threads
          ? 1
          : std::min(job.panels, (2 * threads + blocks - 1) / blocks);  // then also by channels
  const double flops = 2.0 * static_cast<double>(job.k * job.band_rows * a[2].outputs) *
                       static_cast<double>(g.out_channels) / static_cast<double>(parts);
  const auto grain = static_cast<std::int64_t>(least_flops / std::max(flops, 1.0)) + 1;
  parallel_for(blocks * parts, grain, [&](std::int64_t i, std::int64_t end) {
    for (; i < end; ++i) {
      const Range panels = part_of(job.panels, parts, i % parts);
      std::int64_t at = i / parts;
      const std::int64_t band = at % bands;
      at /= bands;
      const std::int64_t depth = at % a[0].outputs;
      at /= a[0].outputs;
      job.run(at / g.groups, at % g.groups, depth, band * job.band_rows, panels.begin, panels.end);
    }
  });
}
template void correlate(const Correlation<float, float>&);
template void correlate(const Correlation<double, double>&);
template void correlate(const Correlation<float, bf16>&);
template void correlate(const Correlation<float, f16>&);

}  // namespace gradus::cpu
