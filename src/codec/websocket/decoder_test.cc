// Goal: frames are read alike however their bytes come, as a naive reader of the specification reads them, and what breaks it
// is refused with the right code.
#include "codec/websocket/decoder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "codec/websocket/test_frames.h"

namespace arena::websocket {
namespace {

using test::bytes_of;
using test::Heard;
using test::RawFrame;
using Lines = std::vector<std::string>;

Heard read_in_pieces(const std::string& bytes, std::size_t size, const DecodeLimits& limits = {}, Role role = Role::server) {
  Decoder decoder(role, limits);
  Heard heard;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    const std::string piece = bytes.substr(at, size);  // of its own, so that the sanitizers see its end
    heard = test::read_with(decoder, piece, std::move(heard));
  }
  return heard;
}

Lines read(const std::string& bytes, const DecodeLimits& limits = {}, Role role = Role::server) {
  const Heard whole = read_in_pieces(bytes, SIZE_MAX / 2, limits, role);
  EXPECT_EQ(read_in_pieces(bytes, 1, limits, role), whole);
  EXPECT_EQ(test::NaiveReader(role, limits).read(bytes), whole);
  return whole.lines;
}

std::string frame(unsigned first, const std::string& payload) { return bytes_of({first, payload}); }

TEST(WebSocketDecoder, ReadsMessagesWholeAndInFragments) {
  EXPECT_EQ(read(frame(0x82, "abc")), Lines{"binary abc"});
  EXPECT_EQ(read(frame(0x81, "")), Lines{"text "});
  EXPECT_EQ(read(frame(0x02, "ab") + frame(0x00, "") + frame(0x80, "c") + frame(0x81, "d")), (Lines{"binary abc", "text d"}));
  EXPECT_EQ(read(frame(0x01, "ab") + frame(0x89, "x") + frame(0x8A, "") + frame(0x80, "c")), (Lines{"ping x", "pong ", "text abc"}));
}

TEST(WebSocketDecoder, ReadsEachFormOfALength) {
  for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 65535U, 65536U, 100'000U}) {
    const std::string payload(size, 'p');
    EXPECT_EQ(read_in_pieces(frame(0x82, payload), 1000).lines, Lines{"binary " + payload}) << size;
  }
}

TEST(WebSocketDecoder, AServersFramesAreNotMasked) {
  EXPECT_EQ(read(bytes_of({0x82, "abc", false}), {}, Role::client), Lines{"binary abc"});
  EXPECT_EQ(read(bytes_of({0x82, "abc", true}), {}, Role::client), Lines{"failed 1002"});
  EXPECT_EQ(read(bytes_of({0x82, "abc", false})), Lines{"failed 1002"});
}

TEST(WebSocketDecoder, RefusesWhatTheSpecificationForbids) {
  for (const unsigned opcode : {3U, 4U, 7U, 11U, 15U}) EXPECT_EQ(read(frame(0x80 | opcode, "")), Lines{"failed 1002"}) << opcode;
  for (const unsigned bits : {0x10U, 0x20U, 0x40U}) EXPECT_EQ(read(frame(0x82 | bits, "")), Lines{"failed 1002"}) << bits;
  EXPECT_EQ(read(frame(0x09, "")), Lines{"failed 1002"});                               // a ping in fragments
  EXPECT_EQ(read(frame(0x89, std::string(126, 'x'))), Lines{"failed 1002"});            // too long
  EXPECT_EQ(read(frame(0x80, "x")), Lines{"failed 1002"});                              // nothing to continue
  EXPECT_EQ(read(frame(0x02, "x") + frame(0x82, "y")), Lines{"failed 1002"});           // two messages at once
  EXPECT_EQ(read(bytes_of({0x82, "abc", true, "keys", 126})), Lines{"failed 1002"});    // not the shortest form
  EXPECT_EQ(read(bytes_of({0x82, "abc", true, "keys", 127})), Lines{"failed 1002"});
  EXPECT_EQ(read(std::string("\x82\xFF\x80\0\0\0\0\0\0\0keys", 14)), Lines{"failed 1002"});  // more than 63 bits
}

TEST(WebSocketDecoder, RefusesByTheFirstTwoBytes) {
  const DecodeLimits limits;
  for (const std::string start : {"\x83\x80", "\x92\x80", "\x82\x7E", "\x89\xFE", "\x80\x80"}) {
    Decoder decoder(Role::server, limits);
    std::string_view bytes = start;
    EXPECT_EQ(decoder.next(bytes), Decoder::Step::failed);
  }
}

TEST(WebSocketDecoder, ReadsHowAPeerCloses) {
  const auto close = [](unsigned code, const std::string& reason) {
    return frame(0x88, std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + reason);
  };
  EXPECT_EQ(read(frame(0x88, "")), Lines{"close 1005"});
  EXPECT_EQ(read(close(1000, "bye") + frame(0x82, "never read")), Lines{std::string("close 1000\x03\xE8") + "bye"});
  EXPECT_EQ(read(frame(0x88, "x")), Lines{"failed 1002"});
  EXPECT_EQ(read(close(1000, "\xFF")), Lines{"failed 1007"});
  for (const unsigned code : {1000U, 1003U, 1007U, 1011U, 1014U, 3000U, 4999U}) EXPECT_TRUE(read(close(code, ""))[0].starts_with("close ")) << code;
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 2999U, 5000U, 65535U}) EXPECT_EQ(read(close(code, "")), Lines{"failed 1002"}) << code;
}

TEST(WebSocketDecoder, CompressedMessagesAreReadWhereThatWasAgreed) {
  DecodeLimits limits;
  limits.may_compress = true;
  EXPECT_EQ(read(frame(0x42, "ab") + frame(0x80, "c") + frame(0x82, "d"), limits), (Lines{"binary compressed abc", "binary d"}));
  EXPECT_EQ(read(frame(0x02, "ab") + frame(0xC0, "c"), limits), Lines{"failed 1002"});  // not its first frame
  EXPECT_EQ(read(frame(0xC9, ""), limits), Lines{"failed 1002"});
}

TEST(WebSocketDecoder, BytesOfAFrame) {
  DecodeLimits limits;
  limits.frame_bytes_max = 200;
  EXPECT_EQ(read(frame(0x82, std::string(200, 'x')), limits).size(), 1U);
  EXPECT_EQ(read(frame(0x82, std::string(201, 'x')), limits), Lines{"failed 1009"});
  Decoder decoder(Role::server, limits);
  std::string_view header_alone("\x82\xFF\0\0\0\x7F\xFF\xFF\xFF\xFFkeys", 14);
  EXPECT_EQ(decoder.next(header_alone), Decoder::Step::failed);  // before any of it is waited for
}

TEST(WebSocketDecoder, BytesOfAMessage) {
  DecodeLimits limits;
  limits.message_bytes_max = 200;
  EXPECT_EQ(read(frame(0x02, std::string(100, 'x')) + frame(0x80, std::string(100, 'x')), limits).size(), 1U);
  EXPECT_EQ(read(frame(0x02, std::string(100, 'x')) + frame(0x80, std::string(101, 'x')), limits), Lines{"failed 1009"});
}

// ---- against the naive reader

class Frames {
 public:
  explicit Frames(uint32_t seed) : random_(seed) {}

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

  std::string stream() {
    std::string out;
    for (unsigned frames = 1 + below(12); frames != 0; --frames) out += one();
    if (below(8) == 0 && !out.empty()) out[below(static_cast<unsigned>(out.size()))] ^= static_cast<char>(1U << below(8));
    if (below(4) == 0) out.resize(below(static_cast<unsigned>(out.size()) + 1));
    return out;
  }

 private:
  // Mostly what fits where it stands.
  std::string one() {
    RawFrame frame;
    const bool stray = below(20) == 0;
    const unsigned control = below(5) == 0 ? 8 + below(3) : 0;
    const bool fin = below(3) != 0 || control != 0;
    unsigned opcode = control != 0 ? control : open_ != stray ? 0 : 1 + below(2);
    if (control == 0) open_ = !fin;
    if (control == 8 && below(3) != 0) opcode = 9;
    frame.first = (fin ? 0x80U : 0U) | opcode | (below(10) == 0 ? 0x40U : 0U);
    const unsigned sizes[] = {below(4), below(130), 124 + below(4), below(2000), below(40) == 0 ? 65530 + below(12) : 7};
    for (unsigned left = control != 0 ? below(40) == 0 ? 126 : below(126) : sizes[below(5)]; left != 0; --left) frame.payload += static_cast<char>(random_());
    if (opcode == 8 && below(2) == 0) frame.payload = std::string("\x03", 1) + static_cast<char>(0xE0 + below(20)) + "bye";
    for (char& byte : frame.key) byte = static_cast<char>(random_());
    if (below(60) == 0) frame.masked = false;
    if (below(60) == 0 && frame.payload.size() < 65536) frame.length_form = below(2) == 0 && frame.payload.size() < 126 ? 126 : 127;
    return bytes_of(frame);
  }

  std::mt19937 random_;
  bool open_ = false;
};

TEST(WebSocketDecoder, AgreesWithANaiveReaderHoweverTheBytesCome) {
  for (uint32_t seed = 0; seed < 5000; ++seed) {
    Frames frames(seed);
    const std::string bytes = frames.stream();
    DecodeLimits limits;
    limits.may_compress = frames.below(2) == 0;
    if (frames.below(4) == 0) limits.frame_bytes_max = frames.below(1000);
    if (frames.below(4) == 0) limits.message_bytes_max = frames.below(2000);
    const Heard expected = test::NaiveReader(Role::server, limits).read(bytes);
    Decoder decoder(Role::server, limits);
    Heard heard;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::string piece = bytes.substr(at, 1 + frames.below(frames.below(2) == 0 ? 4 : 3000));
      at += piece.size();
      heard = test::read_with(decoder, piece, std::move(heard));
    }
    ASSERT_EQ(heard, expected) << seed;
  }
}

}  // namespace
}  // namespace arena::websocket
