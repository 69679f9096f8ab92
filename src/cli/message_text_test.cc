// Goal: what `arena sub` prints is exact, whatever the payload holds.
#include "cli/message_text.h"

#include <gtest/gtest.h>

namespace arena::cli {
namespace {

mqtt::Publish message(std::string_view payload) {
  mqtt::Publish m;
  m.topic = "a/b";
  m.payload = payload;
  m.qos = Guarantee::at_least_once;
  return m;
}

std::string json(const mqtt::Publish& m) {
  std::string out;
  append_json(out, m);
  return out;
}

TEST(MessageText, WritesTextAsItIs) {
  EXPECT_EQ(json(message("h\xC3\xA9 \"x\\\n")),
            "{\"topic\":\"a/b\",\"payload\":\"h\xC3\xA9 \\\"x\\\\\\u000a\",\"qos\":1,\"retain\":false}\n");
}

TEST(MessageText, WritesBytesInBase64) {
  EXPECT_EQ(json(message("\xFF")), "{\"topic\":\"a/b\",\"payload\":\"/w==\",\"enc\":\"b64\",\"qos\":1,\"retain\":false}\n");
  EXPECT_NE(json(message("\xFF\xFE")).find("\"//4=\""), std::string::npos);
  EXPECT_NE(json(message("\xFF\xFE\x01")).find("\"//4B\""), std::string::npos);
}

TEST(MessageText, WritesWhatElseThereIs) {
  mqtt::Publish m = message("");
  m.retain = true;
  m.properties.user_properties = {{"k", "1"}, {"x", ""}, {"k", "2"}};
  m.properties.content_type = "text/plain";
  m.properties.message_expiry_interval_s = 9u;
  EXPECT_EQ(json(m),
            "{\"topic\":\"a/b\",\"payload\":\"\",\"qos\":1,\"retain\":true,\"headers\":{\"k\":[\"1\",\"2\"],\"x\":\"\"},"
            "\"content_type\":\"text/plain\",\"expiry_s\":9}\n");
}

TEST(MessageText, FollowsAFormat) {
  std::string out;
  append_formatted(out, "%t|%c|%p|%q|%r|%l|%%", message("data"));
  EXPECT_EQ(out, "a/b|-|data|1|0|4|%");
  EXPECT_TRUE(check_format("%t %p"));
  EXPECT_FALSE(check_format("%x"));
  EXPECT_FALSE(check_format("100%"));
}

TEST(MessageText, TellsThePositionInItsOwnPlace) {
  mqtt::Publish m = message("x");
  m.properties.user_properties = {{"arena-position", "0.1.2.3"}};
  EXPECT_EQ(json(m), "{\"topic\":\"a/b\",\"payload\":\"x\",\"qos\":1,\"retain\":false,\"position\":\"0.1.2.3\"}\n");
  std::string out;
  append_formatted(out, "%o %p", m);
  append_formatted(out, ",%o", message(""));
  EXPECT_EQ(out, "0.1.2.3 x,-");
}

TEST(MessageText, TellsOfAGap) {
  mqtt::Publish m = message(R"({"stream":"orders","partition":1,"missing":40,"next":41})");
  m.topic = "$gap/orders";
  EXPECT_NE(gap_text(m).find("40 messages of the stream \"orders\""), std::string::npos);
  m.payload = "{";
  EXPECT_NE(gap_text(m).find("messages of the stream \"orders\""), std::string::npos);
  m.payload = R"({"stream":"orders","partition":1,"missing":null,"next":50,"reason":"damaged"})";
  EXPECT_EQ(gap_text(m), "arena: warning: messages of the stream \"orders\" that were asked for are gone: they were lost to damage");
}

}  // namespace
}  // namespace arena::cli
