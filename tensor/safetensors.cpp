#include "gradus/tensor/safetensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <set>

#include "gradus/tensor/json.h"
#include "gradus/tensor/reader.h"

namespace gradus {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian, memory too");

constexpr std::string_view dtype_names[dtype_count] = {"F32", "F64", "BF16", "F16",
                                                       "I32", "I64", "U8",   "BOOL"};
constexpr const char* tied_key = "gradus.tied";

std::string quoted(const std::string& text) { return json_string(text, "save_safetensors"); }

/// {"name":"text",...}
std::string object_text(const TextMap& texts) {
  std::string json = "{";
  for (const auto& [name, text] : texts) {
    if (json.size() > 1) json += ',';
    ((json += quoted(name)) += ':') += quoted(text);
  }
  return json + '}';
}

/// Names in the order of the file, and for every further name of a tensor its first.
struct Plan {
  std::vector<std::pair<std::string, Tensor>> stored;
  TextMap tied;
};

Plan plan_of(const TensorMap& tensors) {
  Plan plan;
  for (const auto& [name, t] : tensors) {
    check(name != "__metadata__", ErrorKind::argument,
          "save_safetensors: a tensor may not be called __metadata__");
    check(t.defined(), ErrorKind::argument, "save_safetensors: \"", name, "\" is undefined");
    const auto same = [&t = t](const auto& other) {
      const Tensor& o = other.second;
      return t.numel() > 0 && o.data() == t.data() && o.device() == t.device() &&
             o.dtype() == t.dtype() && o.shape() == t.shape() && o.strides() == t.strides();
    };
    const auto first = std::find_if(plan.stored.begin(), plan.stored.end(), same);
    if (first == plan.stored.end())
      plan.stored.emplace_back(name, t);
    else
      plan.tied[name] = first->first;
  }
  std::stable_sort(plan.stored.begin(), plan.stored.end(), [](const auto& a, const auto& b) {
    return size_of(a.second.dtype()) > size_of(b.second.dtype());
  });
  return plan;
}

std::string header_of(const Plan& plan, TextMap metadata) {
  metadata.emplace("format", "pt");
  if (!plan.tied.empty()) metadata[tied_key] = object_text(plan.tied);
  std::string json = "{\"__metadata__\":" + object_text(metadata);
  std::uint64_t at = 0;
  for (const auto& [name, t] : plan.stored) {
    json += ',' + quoted(name) + ":{\"dtype\":\"";
    json += dtype_names[static_cast<int>(t.dtype())];
    json += "\",\"shape\":[";
    for (int d = 0; d < t.dim(); ++d) {
      if (d > 0) json += ',';
      json += std::to_string(t.size(d));
    }
    const std::uint64_t end = at + static_cast<std::uint64_t>(t.numel()) * size_of(t.dtype());
    json += "],\"data_offsets\":[" + std::to_string(at) + ',' + std::to_string(end) + "]}";
    at = end;
  }
  json += '}';
  json.resize((json.size() + 8 + 255) / 256 * 256 - 8, ' ');  // the data begin at a multiple of 256
  return json;
}

void write_to(const ByteSink& sink, const Plan& plan, const std::string& header) {
  const std::uint64_t length = header.size();
  sink(&length, 8);
  sink(header.data(), header.size());
  for (const auto& [name, t] : plan.stored) {
    const Tensor host = t.detach().to(Device::cpu()).contiguous();
    const std::size_t bytes = static_cast<std::size_t>(host.numel()) * size_of(host.dtype());
    if (bytes > 0) sink(host.data(), bytes);
  }
}

/// A file that gets its name when it is complete, and is removed if it never is.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& path) : path_(path) {
    static std::atomic<int> count{0};
    temporary_ =
        path.native() + ".tmp" + std::to_string(::getpid()) + "." + std::to_string(++count);
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    done(file_ >= 0);
  }
  ~NewFile() {
    if (file_ >= 0) ::close(file_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(const void* bytes, std::size_t n) {
    const char* at = static_cast<const char*>(bytes);
    while (n > 0) {
      const ssize_t wrote = ::write(file_, at, std::min<std::size_t>(n, 1u << 30));
      if (wrote < 0 && errno == EINTR) continue;
      done(wrote >= 0);
      at += wrote;
      n -= static_cast<std::size_t>(wrote);
    }
  }
  void publish() {
    const int closed = ::close(file_);
    file_ = -1;
    done(closed == 0);
    done(::rename(temporary_.c_str(), path_.c_str()) == 0);
    temporary_.clear();
  }

 private:
  void done(bool ok) const {
    if (!ok) throw FileError("write", path_.native(), errno, true);
  }
  std::filesystem::path path_;
  std::string temporary_;
  int file_ = -1;
};

Dtype dtype_of_entry(const Reader& reader, const SafetensorsEntry& e) {
  const auto* at = std::find(std::begin(dtype_names), std::end(dtype_names), e.dtype);
  check(at != std::end(dtype_names), ErrorKind::unsupported, reader.name(), ": \"", e.name,
        "\" has dtype ", e.dtype, ", which has no counterpart here");
  return static_cast<Dtype>(at - std::begin(dtype_names));
}

Tensor load_entry(Reader& reader, std::uint64_t data, const SafetensorsEntry& e, Device device) {
  const Dtype dtype = dtype_of_entry(reader, e);
  check(e.shape.size() <= Shape::max_dims, ErrorKind::unsupported, reader.name(), ": \"", e.name,
        "\" has ", e.shape.size(), " dimensions, at most 8 are possible");
  Tensor t = empty(Shape(std::span(e.shape)), {dtype});
  reader.seek(data + e.begin, e.name);
  reader.read(t.data(), e.end - e.begin, e.name);
  if (dtype == Dtype::boolean) {  // a bool that is neither 0 nor 1 is undefined behaviour
    unsigned char* bytes = static_cast<unsigned char*>(t.data());
    for (std::int64_t i = 0; i < t.numel(); ++i) bytes[i] = bytes[i] != 0;
  }
  return device.is_cpu() ? t : t.to(device);
}

TensorMap load(Reader& reader, Device device, const std::vector<std::string>& names) {
  const SafetensorsHeader header = read_safetensors_header(reader);
  const std::set<std::string> wanted(names.begin(), names.end());
  const TextMap ties = tied_names(header);
  std::set<std::string> needed = wanted;
  for (const auto& [name, first] : ties) {
    if (wanted.contains(name)) needed.insert(first);
  }
  TensorMap tensors;
  for (const SafetensorsEntry& e : header.entries) {
    if (names.empty() || needed.contains(e.name))
      tensors[e.name] = load_entry(reader, header.data, e, device);
  }
  for (const auto& [name, first] : ties) {
    const auto at = tensors.find(first);
    if (at != tensors.end() && (names.empty() || wanted.contains(name)))
      tensors.emplace(name, at->second);
  }
  if (names.empty()) return tensors;
  std::erase_if(tensors, [&](const auto& entry) { return !wanted.contains(entry.first); });
  for (const std::string& name : names) {
    check(tensors.contains(name), ErrorKind::argument, reader.name(), ": there is no tensor \"",
          name, "\"");
  }
  return tensors;
}

}  // namespace

void save_safetensors(const ByteSink& sink, const TensorMap& tensors, const TextMap& metadata) {
  const Plan plan = plan_of(tensors);
  write_to(sink, plan, header_of(plan, metadata));
}

void save_safetensors(std::vector<std::byte>& bytes, const TensorMap& tensors,
                      const TextMap& metadata) {
  bytes.clear();
  const auto append = [&](const void* from, std::size_t n) {
    const std::byte* at = static_cast<const std::byte*>(from);
    bytes.insert(bytes.end(), at, at + n);
  };
  save_safetensors(ByteSink(append), tensors, metadata);
}

void save_safetensors(const std::string& path, const TensorMap& tensors, const TextMap& metadata) {
  const Plan plan = plan_of(tensors);
  const std::string header = header_of(plan, metadata);
  NewFile file(path);
  write_to([&](const void* bytes, std::size_t n) { file.write(bytes, n); }, plan, header);
  file.publish();
}

TensorMap load_safetensors(const std::string& path, Device device,
                           const std::vector<std::string>& names) {
  Reader reader(path);
  return load(reader, device, names);
}

TensorMap load_safetensors(std::span<const std::byte> bytes, Device device,
                           const std::vector<std::string>& names) {
  Reader reader(bytes);
  return load(reader, device, names);
}

TextMap tied_names(const SafetensorsHeader& header) {
  const auto at = header.metadata.find(tied_key);
  TextMap ties;
  if (at == header.metadata.end()) return ties;
  const std::optional<Json> json = Json::parse_if(at->second);
  if (!json || !json->is_object()) return ties;
  for (const auto& [name, first] : json->members())
    if (first.is_string()) ties[name] = first.string();
  return ties;
}

TextMap load_safetensors_metadata(const std::string& path) {
  Reader reader(path);
  return read_safetensors_header(reader).metadata;
}

TextMap load_safetensors_metadata(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  return read_safetensors_header(reader).metadata;
}

}  // namespace gradus
