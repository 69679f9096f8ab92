#include "gateway/http/shown_messages.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace arena::gateway::http {
namespace {

MessageRef message(const std::string& topic, std::size_t bytes = 100) {
  auto made = std::make_unique<Message>();
  made->topic = topic;
  made->payload = std::string(bytes, 'x');
  return MessageRef(made.release());
}

// Two followers take the same hundred, one after the other.
TEST(ShownMessages, AreMadeOnceForAll) {
  ShownMessages shown;
  std::vector<MessageRef> messages;
  for (int i = 0; i < 100; ++i) messages.push_back(message("t/" + std::to_string(i)));
  std::vector<const char*> first;
  for (const MessageRef& one : messages) first.push_back(shown.show(one, "0.1.0.7").data());
  for (std::size_t i = 0; i < messages.size(); ++i) EXPECT_EQ(shown.show(messages[i], "0.1.0.7").data(), first[i]) << i;
}

TEST(ShownMessages, SayWhereTheyLieNow) {
  ShownMessages shown;
  const MessageRef one = message("t");
  EXPECT_EQ(shown.show(one, "").find("0.1.0.7"), std::string::npos);
  EXPECT_NE(shown.show(one, "0.1.0.7").find("0.1.0.7"), std::string::npos);
  EXPECT_NE(shown.show(one, "0.2.0.9").find("0.2.0.9"), std::string::npos);
  EXPECT_EQ(shown.bytes(), shown.show(one, "0.2.0.9").size());
}

TEST(ShownMessages, TakeNoMoreThanTheyMay) {
  ShownMessages shown;
  const std::size_t bytes = ShownMessages::kBytesMax / 4;
  for (int i = 0; i < 20; ++i) {
    shown.show(message("t/" + std::to_string(i), bytes), "");
    EXPECT_LE(shown.bytes(), ShownMessages::kBytesMax + 2 * bytes);
  }
  shown.clear();
  EXPECT_TRUE(shown.empty());
  EXPECT_EQ(shown.bytes(), 0U);
}

}  // namespace
}  // namespace arena::gateway::http
