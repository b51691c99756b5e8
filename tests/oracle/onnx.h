// ONNX's node tests (Debian's libonnx-testdata) over our functions: a model of one node, inputs and
// expected outputs. A test-only reader of the few protobuf messages they are made of, and tables
// that say which of our functions compute a node. A pair (op, attributes) that we do not compute is
// left out by name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus::oracle::onnx {

using Tensors = std::vector<Tensor>;

struct Attribute {
  double real = 0;
  std::int64_t integer = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  Tensor tensor;
};

/// Why a case is not ours.
struct LeftOut {
  std::string reason;
};

/// One node with the values of its inputs; an input that is not given is an undefined tensor.
struct Node {
  std::string op;
  std::map<std::string, Attribute> attributes;
  Tensors inputs;
  std::size_t outputs = 1;   // as many as the node lists
  std::vector<bool> wanted;  // whether each of them has a name

  const Tensor& x(std::size_t i = 0) const { return inputs.at(i); }
  bool has_input(std::size_t i) const { return i < inputs.size() && inputs[i].defined(); }
  bool has(const char* name) const { return attributes.contains(name); }
  std::int64_t integer(const char* name, std::int64_t fallback) const;
  double real(const char* name, double fallback) const;
  std::string text(const char* name, const char* fallback) const;
  std::vector<std::int64_t> integers(const char* name) const;  // empty if not given
  /// An attribute that became an input in a later version, as numbers; empty if neither is given.
  std::vector<std::int64_t> integers(const char* name, std::size_t input) const;
  int axis(const char* name, int fallback) const {
    return static_cast<int>(integer(name, fallback));
  }
};

using Rule = std::function<Tensors(const Node&)>;
using Rules = std::map<std::string, Rule>;
void add_pointwise_rules(Rules&);
void add_reduction_rules(Rules&);
void add_shape_rules(Rules&);
void add_index_rules(Rules&);
void add_layer_rules(Rules&);
void add_network_rules(Rules&);

/// A test case of a directory: its node with inputs, and what must come out.
struct NodeTest {
  Node node;
  Tensors expected;
};
/// Throws LeftOut for several nodes, sequences, texts and dtypes that we have not.
NodeTest read_test(const std::string& directory);

}  // namespace gradus::oracle::onnx
