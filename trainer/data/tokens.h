// Sequences of tokens: from a text, one token a byte, or from files of token numbers.
#pragma once

#include <string>

#include "gradus/trainer/data/dataset.h"

namespace gradus::trainer {

/// Which bytes a text is made of: token k is the byte alphabet[k]. No byte comes twice.
class Alphabet {
 public:
  Alphabet() = default;
  /// The bytes of `text` that occur, by their number.
  static Alphabet of(std::string_view text);
  explicit Alphabet(std::string bytes);
  std::int64_t size() const { return static_cast<std::int64_t>(bytes_.size()); }
  const std::string& bytes() const { return bytes_; }
  /// The text's tokens (N) u8; throws (corrupt) naming `source` and the place of a byte that is not
  /// one of these.
  Tensor encode(std::string_view text, const std::string& source) const;
  char decode(std::int64_t token) const { return bytes_.at(static_cast<std::size_t>(token)); }

 private:
  std::string bytes_;
  std::int16_t token_of_[256];
};

/// Windows of `length` tokens, one every `stride`: "x" (length) i64 and "y", the same one token
/// later. classes() is the number of different tokens.
class TokenDataset final : public Dataset {
 public:
  /// tokens (N) of any integer dtype, N > length; each below `vocabulary`. `alphabet`: what they
  /// stand for, if they stand for bytes.
  TokenDataset(Tensor tokens, std::int64_t length, std::int64_t stride, std::int64_t vocabulary,
               Alphabet alphabet = {});
  std::int64_t size() const override;
  std::vector<Field> fields() const override;
  std::vector<Tensor> get(std::int64_t index) const override;
  void fill(std::span<const std::int64_t> rows, Batch& batch) const override;
  std::int64_t classes() const override { return vocabulary_; }
  std::string alphabet() const override { return alphabet_.bytes(); }

 private:
  void window(std::int64_t index, std::int64_t* x, std::int64_t* y) const;
  Tensor tokens_;
  std::int64_t length_, stride_, vocabulary_;
  Alphabet alphabet_;
};

/// Token numbers and how many different ones there can be.
struct TokenFile {
  Tensor tokens;  // (N) i32
  std::int64_t vocabulary = 0;
};
/// A .bin file with a header of 256 numbers, as llm.c writes it: 16-bit GPT-2 tokens (50,257), or
/// 32-bit Llama 3 tokens (128,256). Throws (corrupt) naming file and offset.
TokenFile read_token_bin(const std::string& path);

}  // namespace gradus::trainer
