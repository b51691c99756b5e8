// safetensors: what is written reads back, and everything the format forbids is refused.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "gradus/kernels/create.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

std::vector<std::byte> file_of(const std::string& header, std::size_t data,
                               std::uint64_t claimed = 0) {
  const std::uint64_t n = claimed != 0 ? claimed : header.size();
  std::vector<std::byte> bytes(8 + header.size() + data);
  std::memcpy(bytes.data(), &n, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string error_of(const std::vector<std::byte>& bytes) {
  try {
    load_safetensors(bytes);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Safetensors, EveryDtypeAndShapeReadsBackBitForBit) {
  TensorMap tensors;
  for (int d = 0; d < dtype_count; ++d) {
    const auto dtype = static_cast<Dtype>(d);
    Tensor t = empty({3, 5}, {dtype});
    auto* p = static_cast<unsigned char*>(t.data());
    for (std::size_t i = 0; i < 15 * size_of(dtype); ++i) {
      p[i] = dtype == Dtype::boolean ? i % 2 : static_cast<unsigned char>(37 * i + 11);
    }
    tensors["t." + std::string(to_string(dtype))] = t;
  }
  tensors["scalar"] = full({}, 2.5);
  tensors["empty"] = empty({0, 7});
  tensors["strided"] = views::transpose(tensors["t.f32"], 0, 1);
  tensors["\xc3\xa4 \"quoted\"\n"] = full({2}, 1);
  std::vector<std::byte> bytes;
  save_safetensors(bytes, tensors, {{"epoch", "3"}});
  const TensorMap back = load_safetensors(bytes);
  ASSERT_EQ(back.size(), tensors.size());
  for (const auto& [name, t] : tensors) {
    const Tensor a = t.contiguous(), b = back.at(name);
    ASSERT_EQ(a.shape(), b.shape()) << name;
    ASSERT_EQ(a.dtype(), b.dtype()) << name;
    if (a.numel() == 0) continue;
    EXPECT_EQ(
        std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.numel()) * size_of(a.dtype())),
        0)
        << name;
  }
}

TEST(Safetensors, TheReferencesExample) {
  const std::string header = R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})";
  ASSERT_EQ(header.size(), 0x3cu);
  const TensorMap t = load_safetensors(file_of(header, 16));
  EXPECT_EQ(t.at("test").shape(), (Shape{2, 2}));
  EXPECT_EQ(t.at("test").to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 0, 0, 0}));
}

TEST(Safetensors, TiedTensorsAreStoredOnce) {
  const Tensor w = full({100}, 1);
  std::vector<std::byte> once, twice;
  save_safetensors(once, {{"a", w}});
  save_safetensors(twice, {{"a", w}, {"b", w}});
  EXPECT_EQ(once, twice);
}

TEST(Safetensors, WhatTheFormatForbidsIsRefused) {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return R"({"x":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  EXPECT_EQ(error_of(file_of(entry("F32", "[2]", "[0,8]"), 8)), "no error");
  const std::pair<std::vector<std::byte>, const char*> cases[] = {
      {{}, "the length of the header"},
      {file_of("{}", 0, 1000), "the header needs 1000 bytes"},
      {file_of("{}", 0, ~std::uint64_t{0}), "claims to have more"},
      {file_of("{}", 4), "fill 0 bytes, the file has 4"},
      {file_of("[]", 0), "does not begin with {"},
      {file_of("{\"x\":", 0), "not valid JSON"},
      {file_of("{\"\xff\":1}", 0), "not valid JSON"},
      {file_of(entry("F32", "[2]", "[0,8]"), 4), "the file has 4"},
      {file_of(entry("F32", "[2]", "[4,12]"), 12), "begins at byte 4"},
      {file_of(entry("F32", "[3]", "[0,8]"), 8), "does not fill"},
      {file_of(entry("F32", "[2]", "[8,0]"), 8), "does not fill"},
      {file_of(entry("F32", "[-2]", "[0,8]"), 8), "natural numbers"},
      {file_of(entry("F32", "[2.0]", "[0,8]"), 8), "natural numbers"},
      {file_of(entry("F4", "[2]", "[0,8]"), 8), "dtype F4"},
      {file_of(entry("F32", "[4294967296,4294967296]", "[0,0]"), 0), "does not fill"},
      {file_of(entry("F32", "[9223372036854775807,3]", "[0,8]"), 8), "does not fill"},
      {file_of(entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4), "at most 8"},
      {file_of(R"({"x":1})", 0), "not described by an object"},
      {file_of(R"({"x":{"dtype":"F32","shape":[0]}})", 0), "no data_offsets"},
      {file_of(R"({"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"y":1}})", 0),
       "unknown field"},
      {file_of(
           R"({"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
           0),
       "twice"},
      {file_of(R"({"__metadata__":{"a":1}})", 0), "is not text"},
      {file_of("{\"x\":" + std::string(100000, '['), 0), "nested too deeply"},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_NE(error_of(bytes).find(text), std::string::npos) << text << " <- " << error_of(bytes);
  }
  // Two tensors that overlap, and two with a gap.
  const std::string two =
      R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[OFF]}})";
  const auto with = [&](const std::string& off) {
    return std::string(two).replace(two.find("OFF"), 3, off);
  };
  EXPECT_EQ(error_of(file_of(with("4,8"), 8)), "no error");
  EXPECT_NE(error_of(file_of(with("2,6"), 6)).find("begins at byte 2"), std::string::npos);
  EXPECT_NE(error_of(file_of(with("6,10"), 10)).find("begins at byte 6"), std::string::npos);
}

TEST(Safetensors, EveryTruncationIsFound) {
  std::vector<std::byte> bytes;
  save_safetensors(bytes, {{"a", full({3}, 1)}, {"b", full({2, 2}, 2)}});
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(load_safetensors(std::span(bytes).first(n)), Error) << n;
  }
}

TEST(Safetensors, FilesAndSomeOfTheirNames) {
  const std::string path = ::testing::TempDir() + "gradus_some.safetensors";
  save_safetensors(path, {{"a", full({3}, 1)}, {"b", full({2}, 2)}}, {{"note", "x"}});
  EXPECT_EQ(load_safetensors(path, Device::cpu(), {"b"}).size(), 1u);
  EXPECT_THROW(load_safetensors(path, Device::cpu(), {"c"}), Error);
  EXPECT_EQ(load_safetensors_metadata(path).at("note"), "x");
  EXPECT_EQ(load_safetensors_metadata(path).at("format"), "pt");
  std::remove(path.c_str());
  try {
    load_safetensors(path);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::io);
  }
}

}  // namespace
}  // namespace gradus
