// safetensors: what is written reads back, and everything the format forbids is refused.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "gradus/kernels/create.h"
#include "gradus/tensor/reader.h"
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

TEST(Safetensors, TiedTensorsAreStoredOnceAndComeBackTied) {
  const Tensor w = full({100}, 1);
  std::vector<std::byte> once, twice;
  save_safetensors(once, {{"a", w}});
  save_safetensors(twice, {{"a", w}, {"b", w}});
  EXPECT_LT(twice.size(), once.size() + 300);
  const TensorMap back = load_safetensors(twice);
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back.at("a").raw(), back.at("b").raw());
  EXPECT_EQ(load_safetensors(twice, Device::cpu(), {"b"}).count("a"), 0u);
  // A part of a tensor is not the tensor, and tensors without elements are not tied.
  const TensorMap parts{
      {"a", w}, {"b", views::slice(w, 0, 0, 50, 1)}, {"c", empty({0})}, {"d", empty({0})}};
  save_safetensors(once, parts);
  EXPECT_NE(load_safetensors(once).at("a").raw(), load_safetensors(once).at("b").raw());
  EXPECT_EQ(load_safetensors_metadata(std::span<const std::byte>(once)).count("gradus.tied"), 0u);
}

TEST(Safetensors, TheFileIsLaidOutAsTheReferenceDoes) {
  std::vector<std::byte> bytes;
  save_safetensors(bytes, {{"z", full({1}, 1, {Dtype::f64})},
                           {"b", full({3}, 1, {Dtype::u8})},
                           {"y", full({}, 1)},
                           {"a", full({1, 2}, 1)}});
  std::uint64_t n = 0;
  std::memcpy(&n, bytes.data(), 8);
  EXPECT_EQ((n + 8) % 256, 0u);
  std::string header(reinterpret_cast<const char*>(bytes.data()) + 8, n);
  header.resize(header.find_last_not_of(' ') + 1);
  EXPECT_EQ(header, R"({"__metadata__":{"format":"pt"},)"
                    R"("z":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
                    R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},)"
                    R"("y":{"dtype":"F32","shape":[],"data_offsets":[16,20]},)"
                    R"("b":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}})");
}

TEST(Safetensors, NamesThatCannotBeWrittenAreRefused) {
  std::vector<std::byte> bytes;
  EXPECT_THROW(save_safetensors(bytes, {{"\xff", full({1}, 1)}}), Error);
  EXPECT_THROW(save_safetensors(bytes, {{"__metadata__", full({1}, 1)}}), Error);
  EXPECT_THROW(save_safetensors(bytes, {{"a", full({1}, 1)}}, {{"note", "\xc3"}}), Error);
  EXPECT_THROW(save_safetensors(bytes, {{"a", Tensor()}}), Error);
}

TEST(Safetensors, BoolsAreZeroOrOne) {
  auto bytes = file_of(R"({"x":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2);
  bytes.back() = std::byte{7};
  const Tensor x = load_safetensors(bytes).at("x");
  EXPECT_EQ(static_cast<unsigned char*>(x.data())[1], 1);
}

TEST(Safetensors, WhatTheFormatForbidsIsRefused) {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return R"({"x":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  EXPECT_EQ(error_of(file_of(entry("F32", "[2]", "[0,8]"), 8)), "no error");
  const std::pair<std::vector<std::byte>, const char*> cases[] = {
      {{}, "the header's length, 0 are left"},
      {file_of("{}", 0, 1000), "a header of 1000 bytes, 2 are left"},
      {file_of("{}", 0, ~std::uint64_t{0}), "a header of 18446744073709551615 bytes"},
      {file_of("{}", 4), "the tensors need 0 bytes, 4 are left"},
      {file_of("[]", 0), "does not begin with {"},
      {file_of("{\"x\":", 0), "not valid JSON"},
      {file_of("{\"\xff\":1}", 0), "not valid JSON"},
      {file_of(entry("F32", "[2]", "[0,8]"), 4), "need 8 bytes, 4 are left"},
      {file_of(entry("F32", "[2]", "[4,12]"), 12),
       "is at bytes 4 to 12, the tensor before it ends at 0"},
      {file_of(entry("F32", "[3]", "[0,8]"), 8), "do not need the bytes 0 to 8"},
      {file_of(entry("F32", "[2]", "[8,0]"), 8), "is at bytes 8 to 0"},
      {file_of(entry("F32", "[-2]", "[0,8]"), 8), "negative number"},
      {file_of(entry("F32", "[2.0]", "[0,8]"), 8), "fraction or huge number"},
      {file_of(entry("F5", "[2]", "[0,8]"), 8), "unknown dtype \"F5\""},
      {file_of(entry("F32", "[4294967296,4294967296]", "[0,0]"), 0), "do not need the bytes"},
      {file_of(entry("F32", "[9223372036854775807,3]", "[0,8]"), 8), "do not need the bytes"},
      {file_of(entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4), "at most 8"},
      {file_of(R"({"x":1})", 0), "unexpected number"},
      {file_of(R"({"x":{"dtype":"F32","shape":[0]}})", 0), "no dtype, shape or data_offsets"},
      {file_of(R"({"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"y":1}})", 0),
       "unexpected field y"},
      {file_of(
           R"({"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
           0),
       "twice"},
      {file_of(entry("F32", "[0,4294967296,4294967296]", "[0,0]"), 0), "do not need the bytes"},
      {file_of(entry("F4", "[3]", "[0,1]"), 1), "do not need the bytes"},
      {file_of(entry("F32", "[2]", "[0,8,8]"), 8), "that are not two"},
      {file_of(entry("F32", "[2]", "[0]"), 8), "that are not two"},
      {file_of(entry("F32", "[[2]]", "[0,8]"), 8), "unexpected list"},
      {file_of(entry("F32", "[99999999999999999999]", "[0,8]"), 8), "fraction or huge number"},
      {file_of(entry("I8", "[8]", "[0,8]"), 8), "has dtype I8, which has no counterpart"},
      {file_of(R"({"__metadata__":{"a":"b","a":"c"}})", 0), "a text is there twice: a"},
      {file_of(R"({"x":{"dtype":"F32","dtype":"F32"}})", 0), "a field is there twice: dtype"},
      {file_of(R"({"x":{"dtype":{"a":{}}}})", 0), "unexpected object"},
      {file_of("{} x", 0), "offset 12: the header is not valid JSON"},
      {file_of(std::string("{}\0x", 4), 0), "a zero byte in the header"},
      {file_of(R"({"__metadata__":{"a":1}})", 0), "unexpected number in __metadata__"},
      {file_of("{\"x\":" + std::string(100000, '['), 0), "unexpected list"},
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
  EXPECT_NE(error_of(file_of(with("2,6"), 6)).find("is at bytes 2 to 6"), std::string::npos);
  EXPECT_NE(error_of(file_of(with("6,10"), 10)).find("is at bytes 6 to 10"), std::string::npos);
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
  } catch (const FileError& e) {
    EXPECT_EQ(e.kind(), ErrorKind::io);
    EXPECT_FALSE(e.environment()) << "a wrong name is nobody's disk";
    EXPECT_NE(std::string(e.what()).find("No such file"), std::string::npos);
  }
  EXPECT_THROW(load_safetensors("/dev/zero"), Error);  // endless
  EXPECT_THROW(save_safetensors("/nowhere/at/all", {{"a", full({3}, 1)}}), Error);
}

TEST(Safetensors, AFailedSaveLeavesTheOldFile) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "gradus_old";
  std::filesystem::create_directories(folder);
  const std::filesystem::path path = folder / "x.safetensors";
  save_safetensors(path, {{"a", full({3}, 1)}});
  EXPECT_THROW(save_safetensors(path, {{"a", full({3}, 2)}, {"b", Tensor()}}), Error);
  EXPECT_EQ(load_safetensors(path).at("a").to_vector<float>()[0], 1);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  std::filesystem::remove_all(folder);
}

TEST(Reader, IntegersOfBothOrdersAndTheEnd) {
  const unsigned char raw[] = {1, 2, 3, 4, 0xff, 0xfe};
  Reader reader(std::as_bytes(std::span(raw)), "six bytes");
  EXPECT_EQ(reader.little<std::uint16_t>("a"), 0x0201);
  EXPECT_EQ(reader.big<std::uint16_t>("b"), 0x0304);
  EXPECT_EQ(reader.big<std::int16_t>("c"), -2);
  try {
    reader.little<std::uint8_t>("d");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::corrupt);
    EXPECT_STREQ(e.what(), "six bytes: offset 6: expected 1 bytes of d, 0 are left");
  }
}

}  // namespace
}  // namespace gradus
