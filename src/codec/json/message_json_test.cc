// Goal: a message as JSON says all that it has, whatever its publisher put into it.
#include "codec/json/message_json.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace arena {
namespace {

using nlohmann::json;

std::unique_ptr<Message> message_with(std::vector<Header> headers, std::string payload = "x", std::string type = {}) {
  auto extras = std::make_unique<Extras>();
  extras->headers = std::move(headers);
  extras->has_content_type = !type.empty();
  extras->content_type = std::move(type);
  auto message = std::make_unique<Message>();
  message->topic = "a/\"b\"";
  message->payload = std::move(payload);
  message->published_ms = 1'000'123;
  message->extras = std::move(extras);
  return message;
}

TEST(MessageJson, SaysAllOfIt) {
  const auto message = message_with({{"a", "1"}, {"b\n", "\\"}, {"a", "2"}, {"", ""}}, "line\nend \xc3\xa9", "text/plain");
  const json shown = json::parse(message_json(*message, "0.1.2.3"));
  EXPECT_EQ(shown, (json{{"topic", "a/\"b\""}, {"payload", "line\nend \xc3\xa9"}, {"content_type", "text/plain"},
                         {"headers", {{"a", {"1", "2"}}, {"b\n", "\\"}, {"", ""}}}, {"id", std::string(32, '0')},
                         {"time", "1970-01-01T00:16:40.123Z"}, {"position", "0.1.2.3"}}));
  EXPECT_EQ(message_json(*message, {}).find('\n'), std::string::npos) << "one line: events are made of it";
}

TEST(MessageJson, WhatIsNoTextIsEncoded) {
  const json shown = json::parse(message_json(*message_with({}, "\xff"), {}));
  EXPECT_EQ(shown["payload"], "/w==");
  EXPECT_EQ(shown["encoding"], "base64");
  EXPECT_FALSE(shown.contains("headers") || shown.contains("position"));
}

TEST(MessageJson, ManyHeadersCostLittle) {
  std::vector<Header> headers;
  for (int i = 0; i < 200'000; ++i) headers.emplace_back(std::to_string(i % 100'000), "v");
  const auto start = std::chrono::steady_clock::now();
  const std::string shown = message_json(*message_with(std::move(headers)), {});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5)) << "a table without an index takes minutes";
  EXPECT_EQ(json::parse(shown)["headers"].size(), 100'000U);
}

}  // namespace
}  // namespace arena
