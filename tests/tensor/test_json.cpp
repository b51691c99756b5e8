// tensor/json.h: what is read, what is refused, and that memory is given back without asking for
// memory.
#include <gtest/gtest.h>

#include "gradus/tensor/error.h"
#include "gradus/tensor/json.h"
#include "gradus/tests/allocations.h"

namespace gradus {
namespace {

std::string refusal(std::string_view text) try {
  return "taken: " + Json::parse(text).text();
} catch (const Error& e) {
  EXPECT_EQ(e.kind(), ErrorKind::corrupt);
  EXPECT_FALSE(Json::parse_if(text));
  return e.what();
}

TEST(JsonDocument, KeepsKindsAndOrder) {
  const std::string text =
      R"({"b": [1, -2, 0.5, null, true, "\u00e9\n"], "a": {"z": {}, "y": []}, "": false})";
  const Json json = Json::parse(text);
  EXPECT_EQ(json.at("b").at(0).integer(), 1);
  EXPECT_EQ(json.at("b").at(1).number(), -2.0);
  EXPECT_EQ(json.at("b").at(2).number(), 0.5);
  EXPECT_TRUE(json.at("b").at(4).boolean());
  EXPECT_EQ(json.at("b").at(5).string(), "\xc3\xa9\n");
  EXPECT_EQ(json.members()[1].name, "a");
  EXPECT_FALSE(json.at("").boolean());
  EXPECT_EQ(json.find("c"), nullptr);
  EXPECT_EQ(json.at("b").find("c"), nullptr);
  EXPECT_EQ(Json::parse(json.text()).text(), json.text());
  EXPECT_EQ(Json::parse(" 7 ").integer(), 7);
}

TEST(JsonDocument, TheLastOfANameCounts) {
  EXPECT_EQ(Json::parse(R"({"a": 1, "a": 2})").at("a").integer(), 2);
}

TEST(JsonDocument, IntegersBeyond63BitsAreNumbers) {
  EXPECT_EQ(Json::parse("9223372036854775807").integer(), INT64_MAX);
  EXPECT_EQ(Json::parse("-9223372036854775808").integer(), INT64_MIN);
  EXPECT_FALSE(Json::parse("9223372036854775808").is_integer());
  EXPECT_EQ(Json::parse("9223372036854775808").number(), 9223372036854775808.0);
}

TEST(JsonDocument, WhatIsNotJsonIsRefusedWithItsPlace) {
  EXPECT_EQ(refusal(R"({"a": )"), "offset 7: not valid JSON in UTF-8");
  EXPECT_EQ(refusal(""), "offset 1: not valid JSON in UTF-8");
  for (const char* text :
       {"{} x", "[1,]", "{\"a\" 1}", "\"\xff\"", "nan", "1e999", "{1: 2}", "'a'"})
    EXPECT_TRUE(refusal(text).ends_with(": not valid JSON in UTF-8")) << text;
  EXPECT_EQ(refusal({"{}\0 and more", 11}), "offset 2: not valid JSON in UTF-8");
}

TEST(JsonDocument, DepthIsNotTheFilesToChoose) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(Json::parse(nested(100)).text(), nested(100));
  EXPECT_EQ(refusal(nested(101)), "JSON nested more than 100 deep");
  EXPECT_EQ(refusal(std::string(1 << 20, '[')), "JSON nested more than 100 deep");
}

TEST(JsonDocument, AnotherKindIsAnErrorWithBoth) {
  const Json json = Json::parse(R"({"a": [1], "b": "x"})");
  const auto said = [](auto&& ask) -> std::string {
    try {
      ask();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(said([&] { json.at("b").integer(); }), "expected an integer, got \"x\"");
  EXPECT_EQ(said([&] { json.at("a").string(); }), "expected a text, got [1]");
  EXPECT_EQ(said([&] { json.at("c"); }), "\"c\" is missing");
  EXPECT_EQ(said([&] { json.at("a").at("c"); }), "expected an object, got [1]");
  EXPECT_EQ(said([&] { json.at("a").at(1); }), "a list of 1, expected at least 2");
}

TEST(JsonDocument, AnyAllocationMayFailAndFreeingNeedsNone) {
  if (!testing::allocations_are_counted()) GTEST_SKIP() << "a sanitizer has its own operator new";
  const std::string text =
      R"({"a": [[1, 2], {"b": ["a text too long for its own object", null]}], "c": {"d": {}}})";
  int failed = 0;
  for (std::int64_t n = 1;; ++n, ++failed) {
    testing::fail_allocation(n);
    try {
      const Json json = Json::parse(text);
      testing::fail_allocation(1);  // while the tree is freed
    } catch (const std::bad_alloc&) {
      continue;
    }
    testing::fail_allocation(0);
    break;
  }
  EXPECT_GT(failed, 10);
}

}  // namespace
}  // namespace gradus
