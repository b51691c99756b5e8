#include "gradus/tensor/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "gradus/tensor/reader.h"
#include "gradus/tensor/safetensors_header.h"

namespace gradus {
namespace {

constexpr std::uint64_t max_header_bytes = 100'000'000;

[[noreturn]] void fail_io(const std::filesystem::path& path) {
  raise(ErrorKind::io, {path.native(), ": ", std::strerror(errno)});
}

/// A file mapped for reading: nothing is copied that is not asked for.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail_io(path);
    struct stat s {};
    const bool regular = fstat(file, &s) == 0 && S_ISREG(s.st_mode);
    if (regular && s.st_size > 0) {
      size_ = static_cast<std::size_t>(s.st_size);
      data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    }
    const int error = errno;
    close(file);
    errno = error;
    check(regular, ErrorKind::io, path.native(), ": not a regular file");
    if (data_ == MAP_FAILED) fail_io(path);
  }
  ~MappedFile() {
    if (data_ != nullptr) munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

SafetensorsHeader read_header(Reader& reader) {
  const auto n = reader.number<std::uint64_t>("the length of the header");
  check(n <= max_header_bytes, ErrorKind::corrupt, reader.source(),
        ": the header claims to have more than ", max_header_bytes, " bytes");
  const std::string_view json = reader.text(n, "the header");
  return parse_safetensors_header(reader.source(), json, reader.left());
}

TensorMap load(const std::string& source, std::span<const std::byte> bytes, Device device,
               const std::vector<std::string>& names) {
  Reader reader(source, bytes);
  const SafetensorsHeader header = read_header(reader);
  const std::set<std::string> wanted(names.begin(), names.end());
  TensorMap tensors;
  for (const SafetensorsEntry& e : header.entries) {
    const auto data = reader.take(e.end - e.begin, e.name);  // in order: the entries leave no gaps
    if (!names.empty() && wanted.count(e.name) == 0) continue;
    tensors[e.name] = from_data(data.data(), e.shape, {e.dtype, device});
  }
  for (const std::string& name : names) {
    check(tensors.count(name) > 0, ErrorKind::argument, source, ": there is no tensor \"", name,
          "\"");
  }
  return tensors;
}

/// True if both are the same elements: tied weights.
bool same_memory(const Tensor& a, const Tensor& b) {
  return a.numel() > 0 && a.raw()->storage == b.raw()->storage &&
         a.raw()->offset == b.raw()->offset && a.shape() == b.shape() &&
         a.strides() == b.strides() && a.dtype() == b.dtype();
}

}  // namespace

void save_safetensors(const ByteSink& sink, const TensorMap& tensors, const TextMap& metadata) {
  // Larger elements first, then by name: every tensor is aligned to its element, as the reference
  // writes it.
  std::vector<std::pair<std::string, Tensor>> ordered;
  for (const auto& [name, tensor] : tensors) {
    check(tensor.defined(), ErrorKind::argument, "save_safetensors: tensor \"", name,
          "\" is undefined");
    const bool tied = std::any_of(ordered.begin(), ordered.end(), [&t = tensor](const auto& o) {
      return same_memory(o.second, t);
    });
    if (!tied) ordered.emplace_back(name, tensor.detach());
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    return size_of(a.second.dtype()) > size_of(b.second.dtype());
  });
  SafetensorsHeader header;
  header.metadata = metadata;
  header.metadata.emplace("format", "pt");
  std::uint64_t at = 0;
  for (const auto& [name, tensor] : ordered) {
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
    header.entries.push_back({name, tensor.dtype(), tensor.shape(), at, at + bytes});
    at += bytes;
  }
  const std::string text = write_safetensors_header(header);
  const std::uint64_t n = text.size();
  sink(&n, sizeof(n));
  sink(text.data(), text.size());
  for (const auto& [name, tensor] : ordered) {
    const Tensor host = tensor.to(Device::cpu()).contiguous();
    if (host.numel() > 0)
      sink(host.data(), static_cast<std::size_t>(host.numel()) * size_of(host.dtype()));
  }
}

void save_safetensors(std::vector<std::byte>& bytes, const TensorMap& tensors,
                      const TextMap& metadata) {
  bytes.clear();
  save_safetensors(
      [&](const void* p, std::size_t n) {
        const auto* first = static_cast<const std::byte*>(p);
        bytes.insert(bytes.end(), first, first + n);
      },
      tensors, metadata);
}

void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                      const TextMap& metadata) {
  const std::filesystem::path temporary = path.native() + ".part";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) fail_io(temporary);
  const auto give_up = [&] {
    const int error = errno;
    close(file);
    unlink(temporary.c_str());
    errno = error;
    fail_io(path);
  };
  save_safetensors(
      [&](const void* p, std::size_t n) {
        const char* from = static_cast<const char*>(p);
        while (n > 0) {
          const ssize_t done = write(file, from, n);
          if (done < 0 && errno == EINTR) continue;
          if (done < 0) give_up();
          from += done;
          n -= static_cast<std::size_t>(done);
        }
      },
      tensors, metadata);
  if (fsync(file) != 0) give_up();
  if (close(file) != 0 || rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    errno = error;
    fail_io(path);
  }
}

TensorMap load_safetensors(const std::filesystem::path& path, Device device,
                           const std::vector<std::string>& names) {
  const MappedFile file(path);
  return load(path.native(), file.bytes(), device, names);
}

TensorMap load_safetensors(std::span<const std::byte> bytes, Device device,
                           const std::vector<std::string>& names) {
  return load("safetensors", bytes, device, names);
}

TextMap load_safetensors_metadata(const std::filesystem::path& path) {
  const MappedFile file(path);
  Reader reader(path.native(), file.bytes());
  return read_header(reader).metadata;
}

}  // namespace gradus
