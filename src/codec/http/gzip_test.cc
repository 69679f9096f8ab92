// Goal: what is made smaller is what it was, for those who take it so.
#include "codec/http/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace arena::http {
namespace {

std::string gunzip(const std::string& bytes, std::size_t size) {
  std::string out(size + 1, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, GivesBackWhatItWas) {
  std::string random;
  for (uint32_t i = 0, x = 1; i < 100'000; ++i) random += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  for (const std::string& body : {std::string(), std::string("a"), std::string(1'000'000, 'x'), random}) EXPECT_EQ(gunzip(gzip(body), body.size()), body);
  EXPECT_LT(gzip(std::string(1'000'000, 'x')).size(), 10'000u);
}

TEST(Gzip, IsForThoseWhoTakeIt) {
  for (const char* yes : {"gzip", "deflate, gzip", "gzip;q=0.5", "br , gzip ; q=1.0 , x", "gzip;x=1"}) EXPECT_TRUE(accepts_gzip(yes)) << yes;
  for (const char* no : {"", "br", "xgzip", "gzip;q=0", "gzip; q=0.000", "identity", ",,", "deflate;gzip"}) EXPECT_FALSE(accepts_gzip(no)) << no;
}

}  // namespace
}  // namespace arena::http
