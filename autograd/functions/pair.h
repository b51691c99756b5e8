// A size for both sides of an image, or for the three of a volume, for what may be either, and
// padding around them.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>

#include "gradus/tensor/error.h"

namespace gradus {

/// {height, width}; a single number means both.
struct Pair {
  std::int64_t h, w;
  constexpr Pair(std::int64_t both) : h(both), w(both) {}
  constexpr Pair(int both) : h(both), w(both) {}
  constexpr Pair(std::int64_t h, std::int64_t w) : h(h), w(w) {}
};

/// {depth, height, width}; a single number means all three.
struct Triple {
  std::int64_t d, h, w;
  constexpr Triple(std::int64_t all) : d(all), h(all), w(all) {}
  constexpr Triple(int all) : d(all), h(all), w(all) {}
  constexpr Triple(std::int64_t d, std::int64_t h, std::int64_t w) : d(d), h(h), w(w) {}
};

/// A number for each side of a sequence, an image or a volume; a single one means all of them.
struct Sides {
  int count;  // of numbers given
  std::int64_t size[3];
  constexpr Sides(std::int64_t all) : count(1), size{all} {}
  constexpr Sides(int all) : count(1), size{all} {}
  constexpr Sides(Pair p) : count(2), size{p.h, p.w} {}
  constexpr Sides(Triple t) : count(3), size{t.d, t.h, t.w} {}
  constexpr std::int64_t operator[](int i) const { return size[count == 1 ? 0 : i]; }
};

/// {height, width}; a single number means both, and std::nullopt what the input has.
struct OutputSize {
  std::optional<std::int64_t> h, w;
  constexpr OutputSize(std::int64_t both) : h(both), w(both) {}
  constexpr OutputSize(int both) : h(both), w(both) {}
  constexpr OutputSize(Pair p) : h(p.h), w(p.w) {}
  constexpr OutputSize(std::optional<std::int64_t> h, std::optional<std::int64_t> w) : h(h), w(w) {}
};

/// How much is put around an input: a Size (a number, Pair or Triple) on either side, or by name.
/// "valid" is nothing; "same" is what a stride of 1 needs for an output of the input's size, an odd
/// one going behind. Another name is an Error (argument).
template <class Size>
struct Padding {
  Size size = 0;
  bool same = false;

  template <class... N>
  requires std::constructible_from<Size, N...>
  constexpr Padding(N... n) : size(n...) {}
  constexpr Padding(const char* name) : same(std::string_view(name) == "same") {
    check(same || std::string_view(name) == "valid", ErrorKind::argument, "padding: \"", name,
          "\", expected numbers, \"same\" or \"valid\"");
  }
};

}  // namespace gradus
