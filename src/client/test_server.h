// The other end for tests: says what it is told to and reads what the client wrote.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "client/conversation.h"
#include "codec/mqtt/decoder.h"
#include "codec/mqtt/encoder.h"

namespace arena::client {

// Writes down what it is told, one line a call.
struct Listener : ClientHandler {
  std::vector<std::string> heard;
  std::vector<std::string> take() { return std::exchange(heard, {}); }

  void on_connack(const mqtt::Connack& p) override { heard.push_back("connack " + std::string(to_string(p.reason))); }
  void on_message(const mqtt::Publish& p) override {
    heard.push_back("message " + std::string(p.topic) + "=" + std::string(p.payload));
  }
  void on_suback(const mqtt::Suback& p) override { heard.push_back("suback " + std::to_string(p.packet_id)); }
  void on_unsuback(const mqtt::Unsuback& p) override { heard.push_back("unsuback " + std::to_string(p.packet_id)); }
  void on_answered(const mqtt::Ack& p) override {
    if (!p.properties.reason_string) return;
    heard.push_back("answered " + std::to_string(p.packet_id) + ": " + std::string(*p.properties.reason_string));
  }
  void on_published(uint16_t id, mqtt::Reason reason) override {
    heard.push_back("published " + std::to_string(id) + " " + std::string(to_string(reason)));
  }
  void on_unknown(uint16_t id) override { heard.push_back("unknown " + std::to_string(id)); }
  void on_pong() override { heard.push_back("pong"); }
  void on_disconnect(const mqtt::Disconnect&) override { heard.push_back("disconnect"); }
  void on_closed(const Ending& ending) override { heard.push_back("closed: " + ending.text); }
};

// What was written, one line a packet: "PUBLISH 1 dup", "PUBREL 2", "PINGREQ".
inline std::vector<std::string> said(std::string_view bytes, mqtt::Version version) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    const auto result = mqtt::decode(bytes, version, mqtt::Role::server, {});
    const auto* decoded = std::get_if<mqtt::Decoded>(&result);
    if (decoded == nullptr) {
      lines.push_back("not a packet");
      return lines;
    }
    std::string line(to_string(packet_type(decoded->packet)));
    if (const auto* p = std::get_if<mqtt::Publish>(&decoded->packet)) {
      line += " " + std::to_string(p->packet_id) + (p->dup ? " dup" : "");
    }
    if (const auto* p = std::get_if<mqtt::Ack>(&decoded->packet)) {
      line += " " + std::to_string(p->packet_id);
      if (p->reason != mqtt::Reason::success) line += " " + std::string(to_string(p->reason));
    }
    if (const auto* p = std::get_if<mqtt::Subscribe>(&decoded->packet)) line += " " + std::to_string(p->packet_id);
    if (const auto* p = std::get_if<mqtt::Unsubscribe>(&decoded->packet)) line += " " + std::to_string(p->packet_id);
    if (const auto* p = std::get_if<mqtt::Disconnect>(&decoded->packet)) {
      line += " " + std::string(to_string(p->reason));
    }
    lines.push_back(std::move(line));
    bytes.remove_prefix(decoded->consumed);
  }
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace arena::client
