// Goal: exactly the well-formed sequences of the Unicode standard pass, at every place in the text.
#include "base/utf8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>

namespace arena {
namespace {

std::string encode(uint32_t code) {
  std::string out;
  const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
  return out;
}

TEST(Utf8, EveryCodePointExceptSurrogatesIsAccepted) {
  for (uint32_t code = 0; code < 0x110000; ++code) {
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    ASSERT_EQ(is_utf8(encode(code)), !surrogate) << std::hex << code;
  }
  EXPECT_FALSE(is_utf8(encode(0x110000)));
}

// Decodes the slow, obvious way.
bool naive_is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t code = length == 1 ? first : first & (0xFFu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      code = code << 6 | (next & 0x3Fu);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) || encode(code).size() != length) return false;
    i += length;
  }
  return true;
}

TEST(Utf8, AgreesWithADecoderOnAllShortSequences) {
  // All two-byte texts, and three- and four-byte texts over the bytes where the rules change.
  const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                                 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text{static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(is_utf8(text), naive_is_utf8(text)) << a << ' ' << b;
    }
  }
  for (const unsigned char a : edges) {
    for (const unsigned char b : edges) {
      for (const unsigned char c : edges) {
        for (const unsigned char d : edges) {
          const std::string text{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c),
                                 static_cast<char>(d)};
          ASSERT_EQ(is_utf8(text), naive_is_utf8(text));
          ASSERT_EQ(is_utf8(text.substr(0, 3)), naive_is_utf8(text.substr(0, 3)));
        }
      }
    }
  }
}

TEST(Utf8, ABadByteIsFoundAtEveryPlace) {
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string text(length, 'a');
      ASSERT_TRUE(is_utf8(text));
      text[at] = '\xFF';
      ASSERT_FALSE(is_utf8(text)) << length << ' ' << at;
      text[at] = '\0';
      ASSERT_TRUE(is_utf8(text));
      ASSERT_FALSE(is_utf8_without_nul(text));
    }
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8_without_nul(""));
}

// What a whole text of it would be is known from the pieces, wherever they are cut, and what cannot become one is refused
// with its first byte.
TEST(Utf8, TextInPiecesIsCheckedAsInOne) {
  const std::string sequences[] = {"a", "0123456789", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xED\xA0\x80",
                                   "\xE0\x80\x80", "\xF4\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF0\x80\x80\x80", "\xC0\x80", "\x80", "\xFF", "\xE2\x82"};
  std::mt19937 random(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (unsigned parts = random() % 8; parts != 0; --parts) text += sequences[random() % (random() % 4 == 0 ? std::size(sequences) : 6)];
    Utf8Checker checker;
    bool good = true;
    std::size_t at = 0;
    while (good && at < text.size()) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 12, text.size() - at);
      good = checker.take(std::string_view(text).substr(at, size));
      at += size;
    }
    ASSERT_EQ(good && checker.complete(), naive_is_utf8(text)) << round;
    // Some text begins like this, or none does.
    bool could_be = false;
    for (const char* end : {"", "\x80", "\x80\x80", "\x80\x80\x80", "\xBF", "\xBF\x80", "\xBF\x80\x80", "\x9F\x80", "\x8F\x80\x80", "\xA0\x80", "\x90\x80\x80"}) {
      could_be = could_be || naive_is_utf8(text.substr(0, at) + end);
    }
    ASSERT_EQ(good, could_be) << round;
  }
}

}  // namespace
}  // namespace arena
