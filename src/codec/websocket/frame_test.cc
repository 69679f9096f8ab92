// Goal: what is written is what the specification says, byte for byte, and masking is the same however it is cut.
#include "codec/websocket/frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace arena::websocket {
namespace {

MaskKey key_of(const char* four) {
  MaskKey key;
  std::memcpy(&key, four, sizeof key);
  return key;
}

TEST(WebSocketFrame, IsWrittenAsTheSpecificationsExamples) {  // RFC 6455, section 5.7
  std::string out;
  append_frame(out, Opcode::text, "Hello", Role::server);
  EXPECT_EQ(out, "\x81\x05Hello");
  out.clear();
  append_frame(out, Opcode::text, "Hello", Role::client, key_of("\x37\xfa\x21\x3d"));
  EXPECT_EQ(out, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  out.clear();
  append_frame(out, Opcode::binary, std::string(256, 'x'), Role::server);
  EXPECT_EQ(out.substr(0, 4), std::string("\x82\x7E\x01\x00", 4));
  out.clear();
  append_frame(out, Opcode::binary, std::string(65536, 'x'), Role::server);
  EXPECT_EQ(out.substr(0, 10), std::string("\x82\x7F\0\0\0\0\0\x01\0\0", 10));
}

TEST(WebSocketFrame, HeadersHaveTheSizeThatIsForetold) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{125}, uint64_t{126}, uint64_t{65535}, uint64_t{65536}, uint64_t{1} << 40}) {
    for (const bool masked : {false, true}) {
      FrameHeader header;
      header.payload_bytes = size;
      header.masked = masked;
      char bytes[kHeaderBytesMax];
      EXPECT_EQ(encode_header(bytes, header), header_bytes(size, masked));
    }
  }
}

TEST(WebSocketFrame, MasksByteByByteWhateverTheSizeAndThePlace) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string plain(random() % 200, '\0');
    for (char& byte : plain) byte = static_cast<char>(random());
    const std::string key_bytes = {static_cast<char>(random()), static_cast<char>(random()), static_cast<char>(random()), static_cast<char>(random())};
    const MaskKey key = key_of(key_bytes.data());
    std::string expected = plain;
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<char>(expected[i] ^ key_bytes[i % 4]);
    std::string out(plain.size(), '\0');
    const std::size_t cut = plain.empty() ? 0 : random() % plain.size();
    mask(out.data(), plain.data(), cut, key);
    mask(out.data() + cut, plain.data() + cut, plain.size() - cut, advance(key, cut));
    ASSERT_EQ(out, expected);
    mask(out.data(), out.data(), out.size(), key);  // in its place, and back
    ASSERT_EQ(out, plain);
  }
}

TEST(WebSocketFrame, AReasonToCloseIsCutWhereACharacterEnds) {
  std::string out;
  append_close(out, CloseCode::too_big, "big", Role::server);
  EXPECT_EQ(out, "\x88\x05\x03\xF1" "big");
  out.clear();
  append_close(out, CloseCode::no_code, "not sent", Role::server);
  EXPECT_EQ(out, std::string("\x88\x00", 2));
  out.clear();
  std::string umlauts;
  for (int i = 0; i < 70; ++i) umlauts += "\xC3\xA4";
  append_close(out, CloseCode::policy, umlauts, Role::server);
  EXPECT_EQ(out.size(), 2U + 2U + 122U);  // 123 would end inside of one
}

}  // namespace
}  // namespace arena::websocket
