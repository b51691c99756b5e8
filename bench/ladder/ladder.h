// Ladders: one task a file, solved by a row of kernels from the first that comes to mind to one
// that a GPU is glad of. Each rung differs from the one below by one idea, gives the same result,
// and is timed: read a file beside its table. Teaching material: what the engine runs is
// kernels/cuda.
//
//   reduction.cu   the sum of n numbers
//   softmax.cu     softmax of every row
//   matmul.cu      c = a b
//   epilogue.cu    clip + AdamW + moving average of many tensors
//
// `gradus_bench_ladder [NAME]...` checks every rung against f64 and times it; the tests check them
// at sizes that no tile divides, without a GPU on the simulated device.
#pragma once

#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus::ladder {

/// One instance of a task. All tensors are on cuda:0.
struct Work {
  std::vector<Tensor> in;            // what the kernels read
  std::vector<Tensor> out;           // what they write; an update's are read as well
  std::vector<Tensor> scratch = {};  // prepared once: tables, room for partial results
  double bytes = 0;                  // the least that must move: each input once, each output once
  double flops = 0;                  // 0 where memory decides alone
};

struct Rung {
  const char* name;
  const char* idea;  // what it does that the rung below does not
  void (*run)(const Work&);
  double tolerance = 1e-5;  // of the largest error, relative to the largest expected value
};

struct Ladder {
  const char* name;
  Work (*make)(bool small);                      // seeded: the same numbers each time
  std::vector<Tensor> (*expected)(const Work&);  // of `out`, f64 on the CPU, from before the run
  std::vector<Rung> rungs;                       // from the first to the fastest
};

Ladder reduction();
Ladder softmax_of_rows();
Ladder matrix_product();
Ladder epilogue();

/// The largest error of work.out, relative to the largest expected value; NaN where there is one.
double error_of(const Work& work, const std::vector<Tensor>& expected);

}  // namespace gradus::ladder
