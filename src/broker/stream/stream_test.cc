#include "broker/stream/stream.h"

#include <gtest/gtest.h>

#include "broker/stream/from.h"

namespace arena::broker {
namespace {

StreamConfig config(std::string name, std::vector<std::string> filters) { return {std::move(name), std::move(filters), {}, 0}; }

TEST(Stream, RefusesNamesAndFiltersThatAreNone) {
  EXPECT_TRUE(check(config("orders.v2_A-1", {"orders/#", "+/audit"})).ok());
  for (const char* name : {"", "a b", "a/b", "\xc3\xa4"}) EXPECT_FALSE(check(config(name, {"a"})).ok()) << name;
  EXPECT_FALSE(check(config(std::string(65, 'a'), {"a"})).ok());
  for (const char* filter : {"", "a/#/b", "a+", "$SYS/#", "$share/g/a"}) EXPECT_FALSE(check(config("s", {filter})).ok()) << filter;
  EXPECT_FALSE(check(config("s", {})).ok());
}

TEST(Stream, DoesNotOverlapAnother) {
  Stream orders;
  orders.config = config("orders", {"orders/+/new", "audit"});
  const StreamTable table({orders});
  EXPECT_TRUE(table.admits(config("other", {"orders/+/old", "audit/#/"})).ok() == false) << "a filter that is none";
  EXPECT_TRUE(table.admits(config("other", {"orders/+/old"})).ok());
  EXPECT_FALSE(table.admits(config("orders", {"x"})).ok()) << "the name is taken";
  const Status refused = table.admits(config("other", {"x", "#"}));
  ASSERT_FALSE(refused.ok());
  for (const char* part : {"\"#\"", "\"other\"", "\"orders\"", "\"orders/+/new\""}) {
    EXPECT_NE(refused.error().reason.find(part), std::string::npos) << refused.error().reason;
  }
}

TEST(Stream, IsFoundByTopicAndReachedByFilter) {
  Stream a, b;
  a.log = LogId{1};
  a.config = config("a", {"a/#"});
  b.log = LogId{2};
  b.config = config("b", {"b/+", "c"});
  const StreamTable table({a, b});
  EXPECT_EQ(table.of("a/1/2")->config.name, "a");
  EXPECT_EQ(table.of("c")->config.name, "b");
  EXPECT_EQ(table.of("b"), nullptr);
  EXPECT_EQ(table.reached_by("#").size(), 2u);
  EXPECT_EQ(table.reached_by("+/1").size(), 2u);
  EXPECT_EQ(table.reached_by("c")[0]->log, LogId{2});
  EXPECT_TRUE(table.reached_by("d/#").empty());
}

TEST(Stream, ComesBackFromItsBytes) {
  Stream stream;
  stream.log = LogId{77};
  stream.created_ms = 1'700'000'000'123;
  stream.config = {"s", {"a/#", "b"}, {86'400'000, 1 << 30, 1000}, 2ULL << 40};
  stream.taken_over = {1, 2, 0, uint64_t{1} << 40};
  const std::string bytes = encode(stream);
  const auto back = decode_stream(bytes);
  ASSERT_TRUE(back.ok()) << back.error().reason;
  EXPECT_EQ(back->log, stream.log);
  EXPECT_EQ(back->created_ms, stream.created_ms);
  EXPECT_EQ(back->config, stream.config);
  EXPECT_EQ(back->taken_over, stream.taken_over);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_stream(bytes.substr(0, size)).ok()) << size;
  EXPECT_FALSE(decode_stream(bytes + "x").ok());
}

TEST(ReplayFrom, IsReadInAllItsForms) {
  constexpr int64_t kNow = 1'700'000'000'000;
  using Kind = ReplayFrom::Kind;
  const auto kind = [&](const char* text) { return parse_from(text, kNow).value().kind; };
  EXPECT_EQ(kind("earliest"), Kind::earliest);
  EXPECT_EQ(kind("latest"), Kind::latest);
  EXPECT_EQ(kind("17"), Kind::offset);
  EXPECT_EQ(parse_from("17", kNow)->offset, 17u);
  EXPECT_EQ(parse_from("250ms", kNow)->time_ms, kNow - 250);
  EXPECT_EQ(parse_from("10m", kNow)->time_ms, kNow - 600'000);
  EXPECT_EQ(parse_from("2h", kNow)->time_ms, kNow - 7'200'000);
  EXPECT_EQ(parse_from("7d", kNow)->time_ms, kNow - 7 * 86'400'000);
  EXPECT_EQ(parse_from("99999d", kNow)->time_ms, 0) << "never before 1970";
  EXPECT_EQ(parse_from("@1699999999999", kNow)->time_ms, 1'699'999'999'999);
  EXPECT_EQ(parse_from("2023-11-14T22:13:20Z", kNow)->time_ms, kNow);
  EXPECT_EQ(parse_from("2024-02-29T00:00:00.5Z", kNow)->time_ms, 1'709'164'800'500);
  const auto after = parse_from("0.3.5.100,0.3.6.0", kNow);
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->after, (Places{{LogName{5, LogId{3}}, 100}, {LogName{6, LogId{3}}, 0}}));
  EXPECT_EQ(to_text(LogName{5, LogId{3}}, 100), "0.3.5.100");
  for (const char* text : {"", "yesterday", "-1", "10", "10x", "m", "0.3.5", "0.3.5.1.2", "1.3.5.1", "0.3.5.100,", "2023-13-14T22:13:20Z",
                           "2023-11-14", "@", "@-1", "99999999999999999999", "18446744073709551615d", "0.3.99999.1"}) {
    if (std::string_view(text) == "10") continue;
    EXPECT_FALSE(parse_from(text, kNow).ok()) << text;
  }
}

}  // namespace
}  // namespace arena::broker
