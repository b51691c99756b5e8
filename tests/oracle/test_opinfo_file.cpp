// The files that export_opinfo.py writes, and the arguments of a case.
#include <charconv>
#include <limits>
#include <sstream>

#include "gradus/kernels/create.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {
namespace {

using nlohmann::json;

Dtype dtype_named(std::string_view name) {
  for (Dtype d : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16, Dtype::i64, Dtype::i32,
                  Dtype::u8, Dtype::boolean}) {
    if (to_string(d) == name) return d;
  }
  raise(ErrorKind::corrupt, {"oracle: no dtype is called ", name});
}

bool is_stored(const json& v) {
  return v.is_string() && v.get_ref<const std::string&>().starts_with("T:");
}

/// "T:dtype:shape:pool:offset[:g]"
Stored stored(const json& v) {
  std::istringstream text(v.get<std::string>());
  std::vector<std::string> parts;
  for (std::string part; std::getline(text, part, ':');) parts.push_back(part);
  Stored s{dtype_named(parts.at(1)), {}, parts.at(3), std::stoll(parts.at(4)), parts.size() > 5};
  std::istringstream sizes(parts[2]);
  for (std::string size; std::getline(sizes, size, ',');) s.shape.push_back(std::stoll(size));
  return s;
}

/// Takes the tensors out of the arguments.
void collect(json& v, std::vector<Stored>& tensors) {
  if (is_stored(v)) {
    tensors.push_back(stored(v));
    v = json{{"tensor", tensors.size() - 1}};
  } else if (v.is_structured()) {
    for (json& e : v) collect(e, tensors);
  }
}

Case case_of(const std::string& line) {
  json j = json::parse(line);
  Case c;
  c.op = j["op"];
  c.dtype = dtype_named(j["dtype"].get<std::string>());
  c.args = j["args"];
  collect(c.args, c.inputs);
  c.error = j.contains("error");
  if (c.error) return c;
  for (const json& t : j["out"]) c.outputs.push_back(stored(t));
  c.has_gradients = j.contains("grad");
  if (c.has_gradients) {
    for (const json& g : j["grad"]) {
      c.gradients.push_back(g.is_null() ? std::nullopt : std::optional(stored(g)));
    }
  }
  return c;
}

bool is_tensor(const json& v) { return v.is_object() && v.contains("tensor"); }

}  // namespace

Samples load_samples(const std::string& family) {
  const std::string path =
      std::string(GRADUS_SOURCE_DIR "/tests/oracle/opinfo/") + family + ".safetensors";
  Samples s;
  s.pools = load_safetensors(path);
  const std::vector<std::uint8_t> bytes = s.pools.at("cases").to_vector<std::uint8_t>();
  std::istringstream text(std::string(bytes.begin(), bytes.end()));
  for (std::string line; std::getline(text, line);) {
    s.cases.push_back(case_of(line));
    s.cases.back().line = line;
  }
  const json left_out = json::parse(load_safetensors_metadata(path).at("left_out"));
  for (const auto& [reason, count] : left_out.items()) s.left_out.emplace_back(reason, count);
  return s;
}

Tensor Samples::read(const Stored& t) const {
  const Tensor y = empty(t.shape, {t.dtype});
  if (y.numel() == 0) return y;
  const Tensor& pool = pools.at(t.pool);
  copy_into(as_view(pool, t.shape, contiguous_strides(t.shape), t.offset), y);
  return y;
}

const json* Args::find(const char* name) const {
  const auto it = values_->find(name);
  return it == values_->end() || it->is_null() ? nullptr : &*it;
}
const json& Args::at(const char* name) const {
  const json* v = find(name);
  check(v != nullptr, ErrorKind::argument, "oracle: the argument ", name, " is missing");
  return *v;
}

bool Args::has(const char* name) const { return find(name) != nullptr; }
bool Args::is_tensor(const char* name) const { return has(name) && oracle::is_tensor(at(name)); }

bool Args::is_flag(const char* name) const { return has(name) && at(name).is_boolean(); }
bool Args::is_text(const char* name) const { return has(name) && at(name).is_string(); }

Tensor Args::t(const char* name) const {
  const json& v = at(name);
  check(oracle::is_tensor(v), ErrorKind::argument, "oracle: ", name, " is no tensor");
  return (*given_)[v["tensor"]];
}
Tensor Args::optional(const char* name) const { return has(name) ? t(name) : Tensor(); }

Tensors Args::list(const char* name) const {
  Tensors all;
  for (const json& v : at(name)) {
    if (!oracle::is_tensor(v)) throw LeftOut{"a list with something that is no tensor"};
    all.push_back((*given_)[v["tensor"]]);
  }
  return all;
}

std::int64_t Args::integer(const char* name, std::optional<std::int64_t> fallback) const {
  if (fallback && !has(name)) return *fallback;
  if (is_tensor(name)) return t(name).item<std::int64_t>();
  check(at(name).is_number() || at(name).is_boolean(), ErrorKind::argument, "oracle: ", name,
        " is no number");
  return at(name).get<std::int64_t>();
}

Scalar Args::scalar(const char* name, std::optional<Scalar> fallback) const {
  if (fallback && !has(name)) return *fallback;
  const json& v = at(name);
  if (v.is_boolean()) return v.get<bool>();
  if (v.is_number_integer()) return v.get<std::int64_t>();
  if (v.is_number()) return v.get<double>();
  if (v.is_string() && v.get<std::string>().starts_with("F:")) {
    const std::string text = v.get<std::string>().substr(2);
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return text == "nan" ? std::numeric_limits<double>::quiet_NaN()
                         : (text == "inf" ? infinity : -infinity);
  }
  if (oracle::is_tensor(v)) throw LeftOut{std::string("a tensor as ") + name};
  raise(ErrorKind::argument, {"oracle: ", name, " is no number"});
}
std::optional<Scalar> Args::maybe_scalar(const char* name) const {
  return has(name) ? std::optional(scalar(name)) : std::nullopt;
}

double Args::real(const char* name, std::optional<double> fallback) const {
  if (fallback && !has(name)) return *fallback;
  return is_tensor(name) ? t(name).item<double>() : scalar(name).real();
}
bool Args::flag(const char* name, bool fallback) const {
  return has(name) ? at(name).get<bool>() : fallback;
}
std::string Args::text(const char* name, const char* fallback) const {
  return has(name) ? at(name).get<std::string>() : fallback;
}
std::optional<Dtype> Args::dtype(const char* name) const {
  return has(name) ? std::optional(dtype_named(at(name).get<std::string>().substr(2)))
                   : std::nullopt;
}

std::vector<std::int64_t> Args::integers(const char* name) const {
  if (!has(name)) return {};
  const json& v = at(name);
  if (!v.is_array()) return {integer(name)};
  std::vector<std::int64_t> all;
  for (const json& e : v) {
    check(e.is_number_integer(), ErrorKind::argument, "oracle: ", name, " holds a non-integer");
    all.push_back(e);
  }
  return all;
}
std::vector<std::optional<std::int64_t>> Args::maybe_integers(const char* name) const {
  const json& v = at(name);
  if (!v.is_array()) return {integer(name)};
  std::vector<std::optional<std::int64_t>> all;
  for (const json& e : v)
    all.push_back(e.is_null() ? std::nullopt : std::optional(e.get<std::int64_t>()));
  return all;
}
Dims Args::dims(const char* name) const {
  std::vector<int> all;
  for (std::int64_t d : integers(name)) all.push_back(static_cast<int>(d));
  return all;
}
int Args::dim(const char* name, int fallback) const {
  return static_cast<int>(integer(name, fallback));
}
Shape Args::shape(const char* name) const {
  Shape shape;
  for (std::int64_t n : integers(name)) shape.push_back(n);
  return shape;
}

const Args& Args::without(std::initializer_list<const char*> names) const {
  for (const char* name : names) {
    if (has(name) && at(name) != json(false)) throw LeftOut{std::string("the argument ") + name};
  }
  return *this;
}

}  // namespace gradus::oracle
