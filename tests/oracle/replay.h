// One case of OpInfo, replayed in every dtype and memory form on the device of device.h:
// test_replay.cpp does it, test_opinfo.cpp goes over the cases.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gradus/tests/oracle/compare.h"

namespace gradus::oracle {

/// What all replays of a family add up to.
struct Tally {
  int forward = 0, gradients = 0, lower = 0, integers = 0, errors = 0;
  std::map<std::string, int> left_out;
};

/// Results, and gradients of the inputs that require one, perhaps undefined.
struct Answer {
  Tensors results, gradients;
};

/// The largest finite magnitude in t, or `top` if that is larger.
double largest(const Tensor& t, double top = 0);

class Replay {
 public:
  Replay(const Samples& samples, Tally& tally) : samples_(samples), tally_(tally) {}
  /// Counts the case in the tally, or adds a failure to the test.
  void run(const Call& call, const Case& c);

 private:
  void reference_dtype();  // f64: results, gradients, other memory
  void lower_dtype(Dtype dtype);
  void bad_input();
  void expanded_inputs();

  Tensors inputs(Dtype dtype) const;
  bool agrees(const Answer& a, Dtype dtype);
  bool gradients_agree(const Answer& a);
  void same_bits(const Answer& a, const Tensors& views, const std::string& form);
  Tolerance tolerance(const Tensor& expected, std::size_t result, Dtype dtype) const;
  std::vector<double> sizes_of_terms(std::size_t result) const;
  double terms() const;
  double gradient_scale() const;
  void fail(const std::string& what);

  const Samples& samples_;
  Tally& tally_;
  const Call* call_ = nullptr;
  const Case* case_ = nullptr;
};

}  // namespace gradus::oracle
