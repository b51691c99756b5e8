// dw^T = x^T dy: taps of channels are the rows of a tile, output channels its columns, and the
// chain runs over positions. Rows of the (padded) input are copied into panels as they lie; dy is
// turned. Threads share the elements of dw, never a sum.
#include "gradus/kernels/cpu/pack.h"
#include "gradus/kernels/cpu/packed_product.h"
#include "gradus/kernels/cpu/weight_gradient.h"
#include "gradus/tensor/half.h"

namespace gradus::cpu {
namespace {

/// Consecutive positions of the chain: some rows of one image, a part of one row, or whole images.
struct Chunk {
  std::int64_t n, images, depth, row, rows, column, columns;
  std::int64_t positions() const { return images * rows * columns; }
};

/// How (n, depth, row, column) is cut into chunks of at most `most` positions.
struct Cut {
  std::int64_t images = 1, rows = 1, columns;
  Cut(const Axis* a, std::int64_t n, std::int64_t most) {
    const std::int64_t h = a[1].outputs, w = a[2].outputs;
    const std::int64_t parts = (w + most - 1) / most;
    columns = (w + parts - 1) / parts;
    if (parts > 1) return;
    const std::int64_t bands = (h + most / w - 1) / (most / w);
    rows = (h + bands - 1) / bands;
    if (bands == 1 && a[0].outputs == 1) images = std::min(n, most / (h * w));
  }
  std::int64_t positions() const { return images * rows * columns; }
};

/// Calls f(chunk) in the order of the chain.
template <class F>
void for_each_chunk(const Cut& cut, const Axis* a, std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; i += cut.images) {
    const std::int64_t images = std::min(cut.images, n - i);
    for (std::int64_t d = 0; d < a[0].outputs; ++d) {
      for (std::int64_t r = 0; r < a[1].outputs; r += cut.rows) {
        const std::int64_t rows = std::min(cut.rows, a[1].outputs - r);
        for (std::int64_t c = 0; c < a[2].outputs; c += cut.columns) {
          f(Chunk{i, images, d, r, rows, c, std::min(cut.columns, a[2].outputs - c)});
        }
      }
    }
  }
}

/// The panels of dy: (positions, channels), `channels` channels from dy on.
template <class T, class S>
void pack_outputs(const Chunk& chunk, const S* dy, const Layout& at, std::int64_t channels, T* to,
                  std::int64_t panel_size) {
  constexpr int full = Blocking<T>::columns;
  const bool joined = chunk.rows == 1 || at.h == at.w * chunk.columns;
  const std::int64_t runs = joined ? 1 : chunk.rows, run = chunk.rows * chunk.columns / runs;
  for (std::int64_t j = 0; j < channels; j += full, to += panel_size) {
    const int w = static_cast<int>(std::min<std::int64_t>(full, channels - j));
    const int width = panel_width<T>(w);
    T* panel = to;
    for (std::int64_t i = 0; i < chunk.images; ++i) {
      for (std::int64_t r = 0; r < runs; ++r, panel += run * width) {
        const S* from = dy + (chunk.n + i) * at.n + chunk.depth * at.d + (chunk.row + r) * at.h +
                        chunk.column * at.w + j * at.c;
        PackB<T, S>{from, at.w, at.c}.pack_panel(from, w, run, panel, width);
      }
    }
  }
}

/// to[r * n + i] = alpha from[r * step + i] for i < n; writes up to a vector beyond, reads nothing
/// there.
template <class T>
void copy_rows(const T* from, std::int64_t step, std::int64_t rows, std::int64_t n, T alpha,
               T* to) {
  using V = Simd<T>;
  const std::int64_t full = n / V::width * V::width;
  const int rest = static_cast<int>(n - full);
  for (std::int64_t r = 0; r < rows; ++r, from += step, to += n) {
    for (std::int64_t i = 0; i < full; i += V::width) V::store(to + i, V::load(from + i) * alpha);
    if (rest > 0) V::store(to + full, load_first(from + full, rest) * alpha);
  }
}

template <class T, class S>
struct Job {
  using Size = Blocking<T>;
  const WeightGradient<T, S>& g;
  const Cut cut{g.axis, g.n, Size::depth};
  const Window<T, S> window{g.axis, g.x_at, g.in_channels, cut.rows};
  const std::int64_t rows_of_group = g.in_channels * window.taps();

  /// Rows (c, tap) and output channels of one group, on this thread.
  void run(std::int64_t group, Range rows, Range columns) const;
};

template <class T, class S>
void Job<T, S>::run(std::int64_t group, Range rows, Range columns) const {
  const std::int64_t groups = (rows.size() + Size::rows - 1) / Size::rows;
  const std::int64_t panels = (columns.size() + Size::columns - 1) / Size::columns;
  const std::int64_t c_row = panels * Size::columns, panel_size = cut.positions() * Size::columns;
  const Range c{rows.begin / window.taps(), (rows.end - 1) / window.taps() + 1};
  const std::int64_t copy_size = window.copy_size(c.size());
  // A copied row may write a vector too much.
  const std::int64_t row_step = Size::row_step(cut.positions() + Size::width);
  const Scratch<T> sums(rows.size() * c_row), packed_a(Size::rows * row_step),
      packed_b(panels * panel_size), copies(cut.images * copy_size);
  const std::int64_t first_out = group * g.out_channels + columns.begin;
  S* const dw = g.dw + first_out * rows_of_group + rows.begin;
  bool load = g.add;
  if (load) {
    for (std::int64_t r = 0; r < rows.size(); ++r) {
      for (std::int64_t o = 0; o < columns.size(); ++o) {
        sums.data()[r * c_row + o] = static_cast<T>(dw[o * rows_of_group + r]);
      }
    }
  }
  const S* const dy = g.dy + first_out * g.dy_at.c;
  const Scratch<const T*> bases(cut.images);
  // Offsets count from channel 0, a copy begins at c.begin.
  const std::int64_t first = copy_size == 0 ? 0 : c.begin * window.copy_size(1);
  const S* const x = g.x + (group * g.in_channels + (copy_size == 0 ? 0 : c.begin)) * g.x_at.c;
  for_each_chunk(cut, g.axis, g.n, [&](const Chunk& chunk) {
    pack_outputs(chunk, dy, g.dy_at, columns.size(), packed_b.data(), panel_size);
    for (std::int64_t i = 0; i < chunk.images; ++i) {
      bases.data()[i] = window.base(x + (chunk.n + i) * g.x_at.n, c.size(), chunk.depth, chunk.row,
                                    copies.data() + i * copy_size) -
                        first + chunk.column;
    }
    for (std::int64_t q = 0; q < groups; ++q) {
      const Range part = part_of(rows.size(), groups, q);
      for (std::int64_t r = 0; r < part.size(); ++r) {
        const std::int64_t offset = window.offsets()[rows.begin + part.begin + r];
        T* to = packed_a.data() + r * row_step;
        for (std::int64_t i = 0; i < chunk.images; ++i, to += chunk.rows * chunk.columns) {
          copy_rows(bases.data()[i] + offset, window.row_step(), chunk.rows, chunk.columns, g.alpha,
                    to);
        }
      }
      for (std::int64_t p = 0; p < panels; ++p) {
        const int width = panel_width<T>(columns.size() - p * Size::columns);
        tile_function<T>(true, width / Size::width, static_cast<int>(part.size()))(
            chunk.positions(), packed_a.data(), row_step, packed_b.data() + p * panel_size, width,
            sums.data() + part.begin * c_row + p * Size::columns, c_row, load, Size::width);
      }
    }
    load = true;
  });
  for (std::int64_t o = 0; o < columns.size(); ++o) {
    for (std::int64_t r = 0; r < rows.size(); ++r) {
      dw[o * rows_of_group + r] = load ? static_cast<S>(sums.data()[r * c_row + o]) : S(0);
    }
  }
}

}  // namespace

template <class T, class S>
void weight_gradient(const WeightGradient<T, S>& g) {
  const Job<T, S> job{g};
  const std::int64_t rows = job.rows_of_group, threads = num_threads();
  if (g.groups * rows * g.out_channels == 0) return;
  // Every piece reads all of its part of x and dy: as few as keep the threads busy. Rows first, as
  // turning dy twice costs less than copying x twice.
  const double flops = 2.0 * static_cast<double>(rows * g.out_channels * g.groups) *
                       static_cast<double>(g.n * g.axis[0].outputs * g.axis[1].outputs) *
                       static_cast<double>(g.axis[2].outputs);
  const auto wanted = static_cast<std::int64_t>(
      std::min(flops / least_flops, static_cast<double>(threads > 1 ? 2 * threads : 1)));
  const std::int64_t pieces = std::max<std::int64_t>(1, (wanted + g.groups - 1) / g.groups);
  const std::int64_t row_parts =
      std::min(pieces, std::max<std::int64_t>(1, rows / (2 * Blocking<T>::rows)));
  const std::int64_t vectors = (g.out_channels + Blocking<T>::width - 1) / Blocking<T>::width;
  const std::int64_t column_parts = std::min(vectors, (pieces + row_parts - 1) / row_parts);
  parallel_chunks(g.groups * row_parts * column_parts, [&](std::int64_t i) {
    const std::int64_t at = i % (row_parts * column_parts);
    job.run(i / (row_parts * column_parts), part_of(rows, row_parts, at / column_parts),
            part_of(g.out_channels, column_parts, at % column_parts, Blocking<T>::width));
  });
}

template <class T, class S>
void bias_gradient(const WeightGradient<T, S>& g, S* db) {
  using Size = Blocking<T>;
  const std::int64_t channels = g.groups * g.out_channels;
  const Cut cut(g.axis, g.n, Size::depth);
  parallel_for(
      (channels + Size::columns - 1) / Size::columns, 1, [&](std::int64_t p, std::int64_t end) {
        const Scratch<T> panel(cut.positions() * Size::columns);
        T factors[Size::depth];  // a row of x that is all ones
        std::fill(factors, factors + Size::depth, g.alpha);
        for (; p < end; ++p) {
          const std::int64_t first = p * Size::columns;
          const int w = static_cast<int>(std::min<std::int64_t>(Size::columns, channels - first));
          const int width = panel_width<T>(w);
          T sums[Size::columns] = {};
          for (int o = 0; g.add && o < w; ++o) sums[o] = static_cast<T>(db[first + o]);
          for_each_chunk(cut, g.axis, g.n, [&](const Chunk& chunk) {
            pack_outputs(chunk, g.dy + first * g.dy_at.c, g.dy_at, w, panel.data(), 0);
            tile_function<T>(true, width / Size::width, 1)(
                chunk.positions(), factors, 0, panel.data(), width, sums, 0, true, Size::width);
          });
          for (int o = 0; o < w; ++o) db[first + o] = static_cast<S>(sums[o]);
        }
      });
}

#define GRADUS_INSTANTIATE(T, S)                              \
  template void weight_gradient(const WeightGradient<T, S>&); \
  template void bias_gradient(const WeightGradient<T, S>&, S*);
GRADUS_INSTANTIATE(float, float)
GRADUS_INSTANTIATE(double, double)
GRADUS_INSTANTIATE(float, bf16)
GRADUS_INSTANTIATE(float, f16)

}  // namespace gradus::cpu
