// Sums over all elements of each channel of a batch of images, for batch norm.
//
// Images are taken in groups of at least 256 elements a channel. Inside a group, lane l of sixteen
// takes pixels l, l + 16 ... of each image, and the lanes are joined by halves: the same additions
// whether channels are planes (row-major) or neighbours in memory (channels last), only that they
// are vectors of pixels in the one and of channels in the other.
#pragma once

#include "gradus/kernels/cpu/lanes.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cpu {

struct ChannelPlan {
  static constexpr std::int64_t block = 64;  // channels worked on together
  std::int64_t images, channels, pixels;
  bool channels_last;
  std::int64_t group_images, groups, blocks;

  explicit ChannelPlan(const Tensor& x)  // (N, C, H, W)
      : images(x.shape()[0]),
        channels(x.shape()[1]),
        pixels(x.shape()[2] * x.shape()[3]),
        channels_last(!x.is_contiguous() || pixels == 1),
        group_images(pixels == 0 ? 1 : std::max<std::int64_t>(1, 256 / pixels)),
        groups((images + group_images - 1) / group_images),
        blocks((channels + block - 1) / block) {}

  std::int64_t count() const { return images * pixels; }
  std::int64_t first_image(std::int64_t group) const { return group * group_images; }
  std::int64_t last_image(std::int64_t group) const {
    return std::min(images, (group + 1) * group_images);
  }
  std::int64_t group_count(std::int64_t group) const {
    return (last_image(group) - first_image(group)) * pixels;
  }

  /// Calls f(group, first channel, last channel) for all groups and blocks of channels.
  template <class F>
  void for_each_block(F f) const {
    const std::int64_t work = group_images * pixels * std::min(block, channels);
    const std::int64_t grain = pointwise_grain / 4 / std::max<std::int64_t>(1, work);
    parallel_for(groups * blocks, std::max<std::int64_t>(1, grain),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const std::int64_t c = i % blocks * block;
                     f(i / blocks, c, std::min(channels, c + block));
                   }
                 });
  }
};

/// out[c - c0] = the sum over one group of f(offset of the element, c) for channels [c0, c1).
template <class C, class F>
void group_sum(const ChannelPlan& p, std::int64_t group, std::int64_t c0, std::int64_t c1, F f,
               C* out) {
  const std::int64_t first = p.first_image(group), last = p.last_image(group);
  const int width = static_cast<int>(c1 - c0);
  if (!p.channels_last) {
    alignas(64) C v[row_chunk];
    for (std::int64_t c = c0; c < c1; ++c) {
      Lanes<C> acc;
      for (std::int64_t image = first; image < last; ++image) {
        const std::int64_t at = (image * p.channels + c) * p.pixels;
        for (std::int64_t i = 0; i < p.pixels; i += row_chunk) {
          const int used = static_cast<int>(std::min<std::int64_t>(row_chunk, p.pixels - i));
          const int padded = (used + lanes - 1) & -lanes;
          for (int j = 0; j < used; ++j) v[j] = f(at + i + j, c);
          for (int j = used; j < padded; ++j) v[j] = 0;
          acc.add(v, padded);
        }
      }
      out[c - c0] = acc.sum();
    }
    return;
  }
  alignas(64) C acc[lanes * ChannelPlan::block];
  std::fill_n(acc, lanes * width, C(0));
  for (std::int64_t image = first; image < last; ++image) {
    for (std::int64_t i = 0; i < p.pixels; ++i) {
      C* lane = acc + i % lanes * width;
      const std::int64_t at = (image * p.pixels + i) * p.channels + c0;
      for (int j = 0; j < width; ++j) lane[j] += f(at + j, c0 + j);
    }
  }
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int j = 0; j < half * width; ++j) acc[j] += acc[half * width + j];
  }
  std::copy_n(acc, width, out);
}

/// Calls f(offset, elements, channel) for runs of elements that lie together: of one channel (row
/// major), or of neighbouring channels from `channel` on.
template <class F>
void for_each_run(const ChannelPlan& p, F f) {
  const std::int64_t run = p.channels_last ? p.channels : p.pixels;
  const std::int64_t runs = p.channels_last ? p.images * p.pixels : p.images * p.channels;
  const std::int64_t grain = pointwise_grain / 2 / std::max<std::int64_t>(1, run);
  parallel_for(runs, std::max<std::int64_t>(1, grain), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      f(r * run, run, p.channels_last ? 0 : r % p.channels);
    }
  });
}

}  // namespace gradus::cpu
