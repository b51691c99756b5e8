// A size for both sides of an image, or for the three of a volume, and padding around them.
#pragma once

#include <concepts>
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
