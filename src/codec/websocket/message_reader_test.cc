// Goal: messages come whole, inflated within their bounds, and text that is none is refused with the byte that shows it.
#include "codec/websocket/message_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>
#include <vector>

#include "codec/websocket/test_frames.h"

namespace arena::websocket {
namespace {

using test::bytes_of;
using Lines = std::vector<std::string>;

std::string frame(unsigned first, const std::string& payload) { return bytes_of({first, payload}); }

std::string deflated(std::string_view message, int window_bits = 15) {
  Deflater deflater({window_bits});
  std::string out;
  deflater.deflate(message, out);
  return out;
}

MessageLimits compressing() {
  MessageLimits limits;
  limits.decode.may_compress = true;
  return limits;
}

Lines read(const std::string& bytes, const MessageLimits& limits = compressing(), std::size_t size = SIZE_MAX / 2) {
  MessageReader reader(Role::server, limits);
  Lines lines;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    const std::string piece = bytes.substr(at, size);
    std::string_view left = piece;
    for (bool more = true; more;) {
      switch (reader.next(left)) {
        case MessageReader::Step::more: more = false; break;
        case MessageReader::Step::message: lines.push_back((reader.kind() == Opcode::text ? "text " : "binary ") + reader.take_message()); break;
        case MessageReader::Step::ping: lines.push_back("ping " + std::string(reader.control())); break;
        case MessageReader::Step::pong: lines.push_back("pong"); break;
        case MessageReader::Step::close: lines.push_back("close " + std::to_string(reader.close_code())); break;
        case MessageReader::Step::failed: lines.push_back("failed " + std::to_string(static_cast<int>(reader.failure().code))); return lines;
      }
    }
  }
  return lines;
}

TEST(WebSocketMessages, ComeWholeAndOneAfterTheOther) {
  const std::string bytes = frame(0x01, "a") + frame(0x89, "p") + frame(0x80, "b") + frame(0x82, "") + frame(0x88, "");
  for (const std::size_t size : {std::size_t{1}, std::size_t{5}, std::size_t{1000}}) {
    EXPECT_EQ(read(bytes, compressing(), size), (Lines{"ping p", "text ab", "binary ", "close 1005"}));
  }
}

TEST(WebSocketMessages, TextIsCheckedWithItsBytes) {
  EXPECT_EQ(read(frame(0x81, "\xC3\xA9")), Lines{"text \xC3\xA9"});
  EXPECT_EQ(read(frame(0x01, "\xC3") + frame(0x80, "\xA9")), Lines{"text \xC3\xA9"});
  EXPECT_EQ(read(frame(0x81, "\xC3")), Lines{"failed 1007"});
  EXPECT_EQ(read(frame(0x01, "\xED\xA0")), Lines{"failed 1007"}) << "before its end";
  EXPECT_EQ(read(frame(0x81, "\xFF").substr(0, 7)), Lines{"failed 1007"});
  EXPECT_EQ(read(frame(0x82, "\xFF")), Lines{"binary \xFF"});
  EXPECT_EQ(read(frame(0xC1, deflated("\xED\xA0\x80"))), Lines{"failed 1007"});
  EXPECT_EQ(read(frame(0x81, "one \xC3\xA9") + frame(0x81, "two")), (Lines{"text one \xC3\xA9", "text two"}));
}

TEST(WebSocketMessages, AreInflatedAsTheSpecificationsExamples) {  // RFC 7692, section 7.2.3
  EXPECT_EQ(read(frame(0xC1, "\xF2\x48\xCD\xC9\xC9\x07" + std::string(1, '\0'))), Lines{"text Hello"});
  EXPECT_EQ(read(frame(0x41, "\xF2\x48\xCD") + frame(0x80, "\xC9\xC9\x07" + std::string(1, '\0'))), Lines{"text Hello"});
  EXPECT_EQ(read(frame(0xC1, std::string("\x00\x05\x00\xFA\xFF" "Hello\x00", 11))), Lines{"text Hello"});  // not compressed
  EXPECT_EQ(read(frame(0xC1, std::string("\xF3\x48\xCD\xC9\xC9\x07\x00\x00", 8))), Lines{"text Hello"});    // a last block
  EXPECT_EQ(read(frame(0xC1, std::string("\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00", 13))), Lines{"text Hello"});  // two blocks
  EXPECT_EQ(read(frame(0xC1, std::string(1, '\0'))), Lines{"text "});
}

TEST(WebSocketMessages, WhatIsNotDeflatedIsRefused) {
  EXPECT_EQ(read(frame(0xC2, "\xFF\xFF\xFF")), Lines{"failed 1007"});
  EXPECT_EQ(read(frame(0xC2, deflated(std::string(1000, 'x')).substr(0, 4))), Lines{"failed 1007"});
  EXPECT_EQ(read(frame(0xC2, "x"), MessageLimits{}), Lines{"failed 1002"}) << "nobody agreed to it";
}

TEST(WebSocketMessages, BytesOfAMessage) {
  MessageLimits limits = compressing();
  limits.inflate.bytes_max = 1000;
  EXPECT_EQ(read(frame(0x82, std::string(1000, 'x')), limits).front().size(), 1007U);
  EXPECT_EQ(read(frame(0x82, std::string(1001, 'x')), limits), Lines{"failed 1009"});
  EXPECT_EQ(read(frame(0x02, std::string(600, 'x')) + frame(0x80, std::string(600, 'x')), limits), Lines{"failed 1009"});
  EXPECT_EQ(read(frame(0xC2, deflated(std::string(1000, 'x'))), limits).front().size(), 1007U);
  EXPECT_EQ(read(frame(0xC2, deflated(std::string(1001, 'x'))), limits), Lines{"failed 1009"});
}

// A thousand to one is what the method can do.
TEST(WebSocketMessages, RatioOfACompressedOne) {
  MessageLimits limits = compressing();
  limits.inflate.bytes_max = 100 << 20;
  limits.inflate.ratio_max = 1000;
  const std::string bomb = deflated(std::string(4 << 20, 'x'));
  EXPECT_EQ(read(frame(0xC2, bomb), limits).front().size(), (4U << 20) + 7);
  limits.inflate.ratio_max = 100;
  EXPECT_EQ(read(frame(0xC2, bomb), limits), Lines{"failed 1009"});
  EXPECT_EQ(read(frame(0xC2, deflated(std::string(64 << 10, 'x'))), limits).front().size(), (64U << 10) + 7) << "a little one may be anything";
}

TEST(WebSocketMessages, ComeBackAsTheyWereDeflatedHoweverTheBytesCome) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    Lines expected;
    for (unsigned messages = 1 + random() % 4; messages != 0; --messages) {
      std::string text(random() % (random() % 10 == 0 ? 100'000 : 500), '\0');
      for (char& c : text) c = static_cast<char>(random() % 2 == 0 ? 'a' : 'a' + random() % 26);
      const bool compress = random() % 3 != 0;
      std::string payload = compress ? deflated(text, static_cast<int>(9 + random() % 7)) : text;
      expected.push_back("text " + text);
      bool first = true;
      while (first || !payload.empty()) {
        const std::string part = payload.substr(0, 1 + random() % 2000);
        payload.erase(0, part.size());
        bytes += frame((first ? 0x01U | (compress ? 0x40U : 0U) : 0U) | (payload.empty() ? 0x80U : 0U), part);
        first = false;
      }
    }
    ASSERT_EQ(read(bytes, compressing(), 1 + random() % 3000), expected) << round;
  }
}

TEST(Deflate, TakesTheFirstOfferThatCanBeMet) {
  const std::string plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  const std::pair<const char*, std::string> cases[] = {
      {"permessage-deflate", plain},
      {"permessage-deflate; client_max_window_bits", plain},
      {" permessage-deflate ; client_max_window_bits=10 ; server_no_context_takeover", plain},
      {"x-other, permessage-deflate; client_no_context_takeover", plain},
      {"permessage-deflate; server_max_window_bits=9", plain + "; server_max_window_bits=9"},
      {"permessage-deflate; server_max_window_bits=\"12\"", plain + "; server_max_window_bits=12"},
      {"permessage-deflate; server_max_window_bits=8, permessage-deflate", plain},
      {"permessage-deflate; unknown, permessage-deflate; server_max_window_bits=15", plain + "; server_max_window_bits=15"},
      {"permessage-deflate; server_max_window_bits=8", ""},
      {"permessage-deflate; server_max_window_bits", ""},
      {"permessage-deflate; server_max_window_bits=16", ""},
      {"permessage-deflate; server_max_window_bits=010", ""},
      {"permessage-deflate; client_max_window_bits=7", ""},
      {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", ""},
      {"permessage-deflate; client_no_context_takeover=1", ""},
      {"permessage-deflate-2", ""},
      {"", ""},
      {",,;=", ""},
  };
  for (const auto& [offers, expected] : cases) {
    std::string answer;
    EXPECT_EQ(agree_to_deflate(offers, answer).has_value(), !expected.empty()) << offers;
    EXPECT_EQ(answer, expected) << offers;
  }
}

TEST(Deflate, AnEmptyMessageIsOneByte) { EXPECT_EQ(deflated(""), std::string(1, '\0')); }

}  // namespace
}  // namespace arena::websocket
