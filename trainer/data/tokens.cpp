#include "gradus/trainer/data/tokens.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "gradus/kernels/create.h"
#include "gradus/trainer/data/inflate.h"

namespace gradus::trainer {

Alphabet Alphabet::of(std::string_view text) {
  std::array<bool, 256> occurs{};
  for (const char c : text) occurs[static_cast<unsigned char>(c)] = true;
  std::string bytes;
  for (int b = 0; b < 256; ++b) {
    if (occurs[static_cast<std::size_t>(b)]) bytes.push_back(static_cast<char>(b));
  }
  return Alphabet(std::move(bytes));
}

Alphabet::Alphabet(std::string bytes) : bytes_(std::move(bytes)) {
  std::fill(std::begin(token_of_), std::end(token_of_), std::int16_t{-1});
  for (std::size_t k = 0; k < bytes_.size(); ++k) {
    std::int16_t& token = token_of_[static_cast<unsigned char>(bytes_[k])];
    check(token < 0, ErrorKind::argument, "alphabet: the byte ",
          int{static_cast<unsigned char>(bytes_[k])}, " comes twice");
    token = static_cast<std::int16_t>(k);
  }
}

Tensor Alphabet::encode(std::string_view text, const std::string& source) const {
  const Tensor tokens = empty({static_cast<std::int64_t>(text.size())}, {Dtype::u8});
  auto* to = tokens.data<std::uint8_t>();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::int16_t token = bytes_.empty() ? std::int16_t{-1} : token_of_[byte];
    if (token < 0) [[unlikely]] {
      raise(ErrorKind::corrupt, {source, ": byte ", i, " is ", int{byte},
                                 ", which does not occur in the text that was trained on"});
    }
    to[i] = static_cast<std::uint8_t>(token);
  }
  return tokens;
}

TokenDataset::TokenDataset(Tensor tokens, std::int64_t length, std::int64_t stride,
                           std::int64_t vocabulary, Alphabet alphabet)
    : tokens_(std::move(tokens)),
      length_(length),
      stride_(stride),
      vocabulary_(vocabulary),
      alphabet_(std::move(alphabet)) {
  check(tokens_.dim() == 1 && tokens_.is_contiguous() && length >= 1 && stride >= 1,
        ErrorKind::argument, "TokenDataset: expected tokens (N), length and stride of at least 1");
  check(tokens_.numel() > length, ErrorKind::argument, "TokenDataset: ", tokens_.numel(),
        " tokens do not fill one window of ", length, " and the token after it");
}

std::int64_t TokenDataset::size() const { return (tokens_.numel() - 1 - length_) / stride_ + 1; }

std::vector<Field> TokenDataset::fields() const {
  return {{"x", {length_}, Dtype::i64}, {"y", {length_}, Dtype::i64}};
}

void TokenDataset::window(std::int64_t index, std::int64_t* x, std::int64_t* y) const {
  check(index >= 0 && index < size(), ErrorKind::argument, "dataset: row ", index, " of ", size());
  visit(tokens_.dtype(), [&]<class T> {
    if constexpr (std::is_integral_v<T>) {
      const T* from = tokens_.data<T>() + index * stride_;
      for (std::int64_t i = 0; i < length_; ++i) {
        x[i] = static_cast<std::int64_t>(from[i]);
        y[i] = static_cast<std::int64_t>(from[i + 1]);
      }
    }
  });
}

std::vector<Tensor> TokenDataset::get(std::int64_t index) const {
  std::vector<Tensor> sample = {empty({length_}, {Dtype::i64}), empty({length_}, {Dtype::i64})};
  window(index, sample[0].data<std::int64_t>(), sample[1].data<std::int64_t>());
  return sample;
}

void TokenDataset::fill(std::span<const std::int64_t> rows, Batch& batch) const {
  auto* x = batch.fields[0].second.data<std::int64_t>();
  auto* y = batch.fields[1].second.data<std::int64_t>();
  for (const std::int64_t row : rows) {
    window(row, x, y);
    x += length_;
    y += length_;
  }
}

TokenFile read_token_bin(const std::string& path) {
  ByteStream file(path);
  std::array<std::int32_t, 256> header{};
  file.read_exactly(header.data(), sizeof header, "the header of 256 numbers");
  struct Kind {
    std::int32_t magic, version;
    std::size_t bytes;
    std::int64_t vocabulary;
  };
  constexpr Kind kinds[] = {{20240520, 1, 2, 50'257}, {20240801, 7, 4, 128'256}};
  const auto* kind = std::find_if(std::begin(kinds), std::end(kinds),
                                  [&](const Kind& k) { return k.magic == header[0]; });
  check(kind != std::end(kinds), ErrorKind::corrupt, path,
        ": not a file of tokens: it begins with ", header[0], ", expected 20240520 (GPT-2) or ",
        "20240801 (Llama 3)");
  check(header[1] == kind->version, ErrorKind::unsupported, path, ": version ", header[1],
        ", expected ", kind->version);
  check(header[2] >= 0, ErrorKind::corrupt, path, ": ", header[2], " tokens");
  const auto count = static_cast<std::size_t>(header[2]);

  const auto bytes = read_rest(file, count * kind->bytes, "the tokens");
  const Tensor tokens = empty({static_cast<std::int64_t>(count)}, {Dtype::i32});
  auto* const to = tokens.data<std::int32_t>();
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t token = 0;
    std::memcpy(&token, bytes.data() + i * kind->bytes, kind->bytes);
    check(token < kind->vocabulary, ErrorKind::corrupt, path, ": token ", i, " is ", token,
          ", expected less than ", kind->vocabulary);
    to[i] = static_cast<std::int32_t>(token);
  }
  return {tokens, kind->vocabulary};
}

}  // namespace gradus::trainer
