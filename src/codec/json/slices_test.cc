// Goal: JSON from outside costs in proportion to its length, is refused where two readers could read it in two ways, and its values
// stay as they were written.
#include "codec/json/slices.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace arena {
namespace {

TEST(JsonSlices, TellWhatIsNoJson) {
  for (const char* text : {"{}", " [1, \"\\u00e9\", null] ", "1e3", R"({"a":{"b":1},"b":{"b":1}})", R"([{"a":1},{"a":1}])"}) {
    EXPECT_EQ(json_fault(text, 3), std::nullopt) << text;
  }
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "[1] x", "\"\\ud800\"", "\"\xff\"", "nul", "{1:2}", "'a'", "[01]"}) {
    EXPECT_TRUE(json_fault(text, 3)) << text;
  }
}

// The parser would take it for the end, and slices go further.
TEST(JsonSlices, NothingFollowsAZero) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"{}\0\\ud800}"sv, "\0{}"sv, "[1\0]"sv, "\"\0\""sv, "{}\0"sv}) EXPECT_TRUE(json_fault(text, 4).has_value()) << text.size();
}

TEST(JsonSlices, NothingIsNestedWithoutEnd) {
  EXPECT_EQ(json_fault("[[],{},[{}]]", 3), std::nullopt);
  EXPECT_EQ(json_fault("[[[[]]]]", 3), "nested more than 3 times");
  EXPECT_TRUE(json_fault(std::string(100'000, '['), 16));
  EXPECT_EQ(json_fault(R"({"a":"[[[[[\"[[["})", 1), std::nullopt) << "what is quoted is text";
}

TEST(JsonSlices, NoNameStandsTwice) {
  EXPECT_EQ(json_fault(R"({"a":1,"b":2,"a":3})", 3), "the name \"a\" stands twice in one object");
  EXPECT_TRUE(json_fault(R"([{"x":{"":1,"":2}}])", 3));
  EXPECT_TRUE(json_fault(R"({"a":1,"\u0061":2})", 3)) << "however it is written";
  EXPECT_EQ(json_fault(R"({"a":{"x":1},"b":{"x":1,"a":[]}})", 3), std::nullopt);
}

TEST(JsonSlices, ManyNamesCostLittle) {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
  text += "}";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(json_fault(text, 3), std::nullopt);
  EXPECT_EQ(json_members(text).size(), 100'000U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5)) << "a table without an index takes a minute";
}

TEST(JsonSlices, AreWhatWasWritten) {
  const auto members = json_members(R"( {"a":1.10 , "\"b:,": { "x" : [1,2] }, "":"]},:\"", "n":123456789012345678901234567890} )");
  ASSERT_EQ(members.size(), 4U);
  EXPECT_EQ(members[0].name + "=" + std::string(members[0].value), "a=1.10");
  EXPECT_EQ(members[1].name + "=" + std::string(members[1].value), R"("b:,={ "x" : [1,2] })");
  EXPECT_EQ(members[2].name, "");
  EXPECT_EQ(json_string(members[2].value), "]},:\"");
  EXPECT_EQ(members[3].value, "123456789012345678901234567890");
  EXPECT_TRUE(json_members("{ }").empty());
  EXPECT_EQ(json_elements("[1, [2,3],\"a,b\"\n]"), (std::vector<std::string_view>{"1", "[2,3]", "\"a,b\""}));
  EXPECT_TRUE(json_elements(" [] ").empty());
}

TEST(JsonSlices, HaveAKind) {
  const auto elements = json_elements(R"([{}, [], "", -1, true, false, null])");
  const JsonKind kinds[] = {JsonKind::object, JsonKind::array, JsonKind::text, JsonKind::number, JsonKind::boolean, JsonKind::boolean, JsonKind::null};
  for (std::size_t i = 0; i < elements.size(); ++i) EXPECT_EQ(json_kind(elements[i]), kinds[i]) << elements[i];
}

TEST(JsonSlices, WholeNumbers) {
  EXPECT_EQ(json_unsigned("0"), 0U);
  EXPECT_EQ(json_unsigned("18446744073709551615"), UINT64_MAX);
  for (const char* text : {"18446744073709551616", "-1", "1.0", "1e3", "\"1\"", "true"}) EXPECT_EQ(json_unsigned(text), std::nullopt) << text;
}

}  // namespace
}  // namespace arena
