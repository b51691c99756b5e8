// Reading ONNX's node tests: protobuf's wire format (github.com/protocolbuffers: "Encoding") and
// the fields of ModelProto, GraphProto, NodeProto, AttributeProto and TensorProto that occur there.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "gradus/kernels/create.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

/// One field: a number, or bytes.
struct Field {
  int number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  bool next(Field& f) {
    if (rest_.empty()) return false;
    const std::uint64_t key = number(rest_);
    f = {static_cast<int>(key >> 3), 0, {}};
    if ((key & 7) == 0)
      f.value = number(rest_);
    else
      f.bytes = take((key & 7) == 2 ? number(rest_) : (key & 7) == 1 ? 8 : 4);
    return true;
  }

  static std::uint64_t number(std::string_view& from) {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      check(!from.empty(), ErrorKind::corrupt, "onnx: a number is cut off");
      const auto byte = static_cast<unsigned char>(from.front());
      from.remove_prefix(1);
      v |= static_cast<std::uint64_t>(byte & 127) << shift;
      if (byte < 128) return v;
    }
    raise(ErrorKind::corrupt, {"onnx: a number is too long"});
  }

 private:
  std::string_view take(std::uint64_t n) {
    check(n <= rest_.size(), ErrorKind::corrupt, "onnx: a field is cut off");
    const std::string_view bytes = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return bytes;
  }
  std::string_view rest_;
};

/// Repeated numbers come packed or one by one.
void add_integers(const Field& f, std::vector<std::int64_t>& to) {
  if (f.bytes.data() == nullptr) return to.push_back(static_cast<std::int64_t>(f.value));
  for (std::string_view rest = f.bytes; !rest.empty();) {
    to.push_back(static_cast<std::int64_t>(Message::number(rest)));
  }
}

template <class T>
void add_reals(const Field& f, std::vector<double>& to) {
  for (std::size_t i = 0; i + sizeof(T) <= f.bytes.size(); i += sizeof(T)) {
    T v;
    std::memcpy(&v, f.bytes.data() + i, sizeof(T));
    to.push_back(static_cast<double>(v));
  }
}

/// Numbers of a type that we have not, as the i64 they fit in.
template <class T>
Tensor widened(std::string_view raw, const Shape& shape) {
  std::vector<std::int64_t> values(raw.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T v;
    std::memcpy(&v, raw.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<std::int64_t>(v);
  }
  return from_data(values.data(), shape, {Dtype::i64});
}

Tensor tensor_of(std::string_view bytes, std::string* name = nullptr) {
  Shape shape;
  std::uint64_t type = 0;
  std::string_view raw;
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  Field f;
  for (Message m(bytes); m.next(f);) {
    if (f.number == 1) {
      std::vector<std::int64_t> sizes;
      add_integers(f, sizes);
      for (std::int64_t n : sizes) shape.push_back(n);
    }
    if (f.number == 2) type = f.value;
    if (f.number == 4) add_reals<float>(f, reals);
    if (f.number == 5 || f.number == 7 || f.number == 11) add_integers(f, integers);
    if (f.number == 8 && name != nullptr) *name = f.bytes;
    if (f.number == 9) raw = f.bytes;
    if (f.number == 10) add_reals<double>(f, reals);
  }
  const std::map<std::uint64_t, Dtype> ours = {
      {1, Dtype::f32},     {2, Dtype::u8},   {6, Dtype::i32},  {7, Dtype::i64},
      {9, Dtype::boolean}, {10, Dtype::f16}, {11, Dtype::f64}, {16, Dtype::bf16}};
  if (type == 8) throw LeftOut{"texts"};
  if (type == 14 || type == 15) throw LeftOut{"complex numbers"};
  const auto dtype = ours.find(type);
  if (!raw.empty()) {
    if (dtype != ours.end()) return from_data(raw.data(), shape, {dtype->second});
    if (type == 3) return widened<std::int8_t>(raw, shape);
    if (type == 4) return widened<std::uint16_t>(raw, shape);
    if (type == 5) return widened<std::int16_t>(raw, shape);
    if (type == 12) return widened<std::uint32_t>(raw, shape);
    if (type == 13) return widened<std::uint64_t>(raw, shape);
    throw LeftOut{"tensors of ONNX's type " + std::to_string(type)};
  }
  const Dtype wanted = dtype == ours.end() ? Dtype::i64 : dtype->second;
  if (is_half(wanted) && !integers.empty()) throw LeftOut{"half types as lists of numbers"};
  if (!reals.empty()) return as_dtype(from_data(reals.data(), shape, {Dtype::f64}), wanted);
  check(static_cast<std::int64_t>(integers.size()) == shape.numel(), ErrorKind::corrupt,
        "onnx: a tensor of shape ", shape, " has ", integers.size(), " numbers");
  return as_dtype(from_data(integers.data(), shape, {Dtype::i64}), wanted);
}

Attribute attribute_of(std::string_view bytes, std::string& name) {
  Attribute a;
  Field f;
  for (Message m(bytes); m.next(f);) {
    if (f.number == 1) name = f.bytes;
    if (f.number == 2) {
      std::vector<double> v;
      add_reals<float>(f, v);
      a.real = v.at(0);
    }
    if (f.number == 3) a.integer = static_cast<std::int64_t>(f.value);
    if (f.number == 4) a.text = f.bytes;
    if (f.number == 5) a.tensor = tensor_of(f.bytes);
    if (f.number == 6 || f.number == 11) throw LeftOut{"a graph as an attribute"};
    if (f.number == 7) add_reals<float>(f, a.reals);
    if (f.number == 8) add_integers(f, a.integers);
    if (f.number == 9) throw LeftOut{"texts"};
  }
  return a;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  check(file.good(), ErrorKind::io, "onnx: cannot read ", path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string name_of(std::string_view value_info) {
  Field f;
  for (Message m(value_info); m.next(f);) {
    if (f.number == 1) return std::string(f.bytes);
  }
  return "";
}

Tensor stored(const std::string& path) {
  const std::string bytes = file_text(path);
  Field f;
  Message m(bytes);
  // A tensor begins with its sizes or type; sequences and optionals have other messages there.
  const bool named = m.next(f) && f.number == 1 && f.bytes.data() != nullptr;
  if (named || f.number > 2) throw LeftOut{"sequences"};
  return tensor_of(bytes);
}

}  // namespace

std::int64_t Node::integer(const char* name, std::int64_t fallback) const {
  return has(name) ? attributes.at(name).integer : fallback;
}
double Node::real(const char* name, double fallback) const {
  return has(name) ? attributes.at(name).real : fallback;
}
std::string Node::text(const char* name, const char* fallback) const {
  return has(name) ? attributes.at(name).text : fallback;
}
std::vector<std::int64_t> Node::integers(const char* name) const {
  return has(name) ? attributes.at(name).integers : std::vector<std::int64_t>();
}
std::vector<std::int64_t> Node::integers(const char* name, std::size_t input) const {
  return has_input(input) ? inputs[input].to_vector<std::int64_t>() : integers(name);
}

NodeTest read_test(const std::string& directory) {
  const std::string model = file_text(directory + "/model.onnx");
  Field f;
  std::string_view graph, node;
  for (Message m(model); m.next(f);) {
    if (f.number == 7) graph = f.bytes;
  }
  int nodes = 0;
  std::map<std::string, Tensor> values;
  std::vector<std::string> graph_inputs;
  for (Message m(graph); m.next(f);) {
    if (f.number == 1) node = f.bytes, ++nodes;
    if (f.number == 5) {
      std::string name;
      const Tensor t = tensor_of(f.bytes, &name);
      values[name] = t;
    }
    if (f.number == 11) graph_inputs.push_back(name_of(f.bytes));
  }
  if (nodes != 1) throw LeftOut{"several nodes"};
  const std::string data = directory + "/test_data_set_0/";
  for (std::size_t i = 0; i < graph_inputs.size(); ++i) {
    const std::string path = data + "input_" + std::to_string(i) + ".pb";
    if (std::filesystem::exists(path)) values[graph_inputs[i]] = stored(path);
  }
  NodeTest test;
  test.node.outputs = 0;
  std::vector<std::string> inputs;
  for (Message m(node); m.next(f);) {
    if (f.number == 1) inputs.emplace_back(f.bytes);
    if (f.number == 2) ++test.node.outputs, test.node.wanted.push_back(!f.bytes.empty());
    if (f.number == 4) test.node.op = f.bytes;
    if (f.number == 5) {
      std::string name;
      const Attribute a = attribute_of(f.bytes, name);
      test.node.attributes[name] = a;
    }
  }
  for (const std::string& name : inputs) {
    test.node.inputs.push_back(name.empty() ? Tensor() : values[name]);
  }
  for (std::size_t i = 0;; ++i) {
    const std::string path = data + "output_" + std::to_string(i) + ".pb";
    if (!std::filesystem::exists(path)) break;
    test.expected.push_back(stored(path));
  }
  return test;
}

}  // namespace gradus::oracle::onnx
