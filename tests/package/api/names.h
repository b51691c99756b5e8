// The public API as a program outside the tree writes it: every name used once, as PyTorch spells
// its arguments. A renamed function, another argument order or a lost default does not compile.
#pragma once

#include <gradus/gradus.h>

#include <cstdio>
#include <cstdlib>

/// Ends the program with the place where a promise was not kept.
#define EXPECT(ok)                                                  \
  do {                                                              \
    if (!(ok)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #ok); \
      std::exit(1);                                                 \
    }                                                               \
  } while (false)

/// Takes any number of results: what counts is that they were made.
template <class... T>
void use(const T&...) {}

void tensors();
void functions();
void modules_and_optimizers();
