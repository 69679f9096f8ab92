// Goal: what is a request is read as one, however its bytes come; what two readers could read in two ways is refused.
#include "codec/http/http1_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/http/http1_writer.h"

namespace arena::http {
namespace {

using Step = Http1Parser::Step;

struct Read {
  std::vector<Request> requests;
  int status = 0;  // of a refusal
  std::string code;
};

// Feeds `bytes` in pieces of `size`.
Read read_all(std::string_view bytes, std::size_t size = SIZE_MAX, const Http1Limits& limits = {}) {
  Http1Parser parser(limits);
  Read read;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(piece.size());
    for (bool more = true; more;) {
      const Step step = parser.feed(piece);
      more = step == Step::complete;
      if (step == Step::complete) read.requests.push_back(parser.take());
      if (step == Step::refused) {
        read.status = parser.refusal().status;
        read.code = parser.refusal().code;
        return read;
      }
    }
    EXPECT_TRUE(piece.empty());
  }
  return read;
}

constexpr std::string_view kTwo =
    "POST /v1/topics/a?retain=true&x HTTP/1.1\r\nHost: arena.example:8080\r\nContent-Length: 5\r\nX-Y:  two words \t\r\n\r\nhello"
    "POST /b HTTP/1.1\r\nhost: [::1]\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0006\r\n world\r\n0\r\n\r\n"
    "\r\n\r\nGET /c HTTP/1.0\r\n\r\n";

TEST(Http1Parser, ReadsRequestsHoweverTheirBytesCome) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{64}, std::size_t{1000}}) {
    const Read read = read_all(kTwo, size);
    ASSERT_EQ(read.requests.size(), 3u) << size << read.code;
    const Request& first = read.requests[0];
    EXPECT_EQ(first.method, "POST");
    EXPECT_EQ(first.path, "/v1/topics/a");
    EXPECT_EQ(first.query, "retain=true&x");
    EXPECT_EQ(first.body, "hello");
    ASSERT_NE(first.field("x-y"), nullptr);
    EXPECT_EQ(*first.field("x-y"), "two words");
    EXPECT_TRUE(first.keep_alive);
    EXPECT_EQ(read.requests[1].body, "hello world");
    EXPECT_EQ(read.requests[2].minor, 0);
    EXPECT_FALSE(read.requests[2].keep_alive);
  }
}

TEST(Http1Parser, KnowsWhetherTheConnectionIsUsedAgain) {
  EXPECT_FALSE(read_all("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").requests.at(0).keep_alive);
  EXPECT_FALSE(read_all("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").requests.at(0).keep_alive);
  EXPECT_TRUE(read_all("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").requests.at(0).keep_alive);
}

TEST(Http1Parser, TellsWhenTheClientWaitsBeforeItsBody) {
  Http1Parser parser({});
  std::string_view head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(parser.feed(head), Step::proceed);
  std::string_view part = "a";
  EXPECT_EQ(parser.feed(part), Step::more) << "said once";
  std::string_view rest = "bc";
  EXPECT_EQ(parser.feed(rest), Step::complete);
  EXPECT_EQ(parser.take().body, "abc");
  // Who does not wait is not told.
  std::string_view whole = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx";
  EXPECT_EQ(parser.feed(whole), Step::complete);
}

TEST(Http1Parser, HoldsNothingBetweenRequests) {
  Http1Parser parser({});
  std::string_view bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(parser.feed(bytes), Step::complete);
  parser.take();
  EXPECT_TRUE(parser.between());
  EXPECT_EQ(parser.held_bytes(), 0u);
}

TEST(Http1Parser, EndsAtItsLimits) {
  Http1Limits limits;
  limits.head_bytes_max = 200;
  limits.fields_max = 4;
  limits.body_bytes_max = 10;
  const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string fits = line + "x: " + std::string(200 - line.size() - 7, 'y') + "\r\n\r\n";
  ASSERT_EQ(fits.size(), 200u);
  for (const std::size_t size : {std::size_t{1}, std::size_t{50}, std::size_t{1000}}) {
    EXPECT_EQ(read_all(fits, size, limits).requests.size(), 1u);
    EXPECT_EQ(read_all(line + "x: " + std::string(200 - line.size() - 6, 'y') + "\r\n\r\n", size, limits).code, "head_too_large");
    EXPECT_EQ(read_all(line + "x: " + std::string(10'000, 'y'), size, limits).code, "head_too_large");
    EXPECT_EQ(read_all(line + "a:\r\nb:\r\nc:\r\n\r\n", size, limits).requests.size(), 1u);
    EXPECT_EQ(read_all(line + "a:\r\nb:\r\nc:\r\nd:\r\n\r\n", size, limits).code, "too_many_fields");
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    EXPECT_EQ(read_all(post + "Content-Length: 10\r\n\r\n0123456789", size, limits).requests.size(), 1u);
    EXPECT_EQ(read_all(post + "Content-Length: 11\r\n\r\n", size, limits).code, "body_too_large") << "by its length alone";
    EXPECT_EQ(read_all(post + "Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n5\r\n01234\r\n0\r\n\r\n", size, limits).code, "body_too_large");
    EXPECT_EQ(read_all(post + "Transfer-Encoding: chunked\r\n\r\n" + std::string(200, '0'), size, limits).code, "bad_chunk");
  }
}

// ---- what is refused: THREATS.md, HTTP/1.1 ----

// In one piece, too, where the text in quotes has no end.
TEST(Http1Parser, KeepsNothingOfAChunkLineThatItRefuses) {
  Http1Parser parser({});
  const std::string request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA;a=\"" + std::string(50'000, 'A');
  std::string_view bytes = request;
  EXPECT_EQ(parser.feed(bytes), Http1Parser::Step::refused);
  EXPECT_EQ(parser.refusal().code, "bad_chunk");
  EXPECT_LT(parser.held_bytes(), 100u);
}

struct Shape {
  const char* name;
  std::string bytes;
  int status = 400;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

class Http1Smuggling : public testing::TestWithParam<Shape> {};

TEST_P(Http1Smuggling, IsRefused) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{5}, std::size_t{1000}}) {
    const Read read = read_all(GetParam().bytes, size);
    EXPECT_EQ(read.status, GetParam().status) << "in pieces of " << size;
    EXPECT_TRUE(read.requests.empty()) << "in pieces of " << size;
  }
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n";
const std::string kPost = "POST / HTTP/1.1\r\nHost: a\r\n";

INSTANTIATE_TEST_SUITE_P(
    , Http1Smuggling,
    testing::Values(
        Shape{"LengthAndTransferEncoding", kPost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Shape{"TransferEncodingAndLength", kPost + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
        Shape{"TransferEncodingTwice", kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Shape{"TransferEncodingIdentity", kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
        Shape{"TransferEncodingList", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        Shape{"TransferEncodingUnknown", kPost + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
        Shape{"TransferEncodingWithATab", kPost + "Transfer-Encoding: chunked\t, x\r\n\r\n0\r\n\r\n"},
        Shape{"TransferEncodingWithVerticalTab", kPost + "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n"},
        Shape{"TransferEncodingOfHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Shape{"LengthTwice", kPost + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
        Shape{"SameLengthTwice", kPost + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
        Shape{"LengthAsList", kPost + "Content-Length: 5, 5\r\n\r\nhello"},
        Shape{"LengthWithPlus", kPost + "Content-Length: +5\r\n\r\nhello"},
        Shape{"NegativeLength", kPost + "Content-Length: -5\r\n\r\nhello"},
        Shape{"HexadecimalLength", kPost + "Content-Length: 0x5\r\n\r\nhello"},
        Shape{"LengthThatOverflows", kPost + "Content-Length: 18446744073709551621\r\n\r\nhello"},
        Shape{"EmptyLength", kPost + "Content-Length: \r\n\r\nhello"},
        Shape{"HostTwice", kGet + "Host: b\r\n\r\n"},
        Shape{"NoHost", "GET / HTTP/1.1\r\n\r\n"},
        Shape{"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        Shape{"HostWithAPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        Shape{"HostWithAUser", "GET / HTTP/1.1\r\nHost: b@a\r\n\r\n"},
        Shape{"FoldedField", kGet + "X: a\r\n b\r\n\r\n"},
        Shape{"FoldedFieldWithTab", kGet + "X: a\r\n\tb\r\n\r\n"},
        Shape{"SpaceBeforeTheFirstField", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        Shape{"SpaceBeforeColon", kPost + "Content-Length : 5\r\n\r\nhello"},
        Shape{"TabBeforeColon", kPost + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"},
        Shape{"FieldWithoutColon", kGet + "X\r\n\r\n"},
        Shape{"FieldWithoutName", kGet + ": x\r\n\r\n"},
        Shape{"BareLineFeeds", "GET / HTTP/1.1\nHost: a\n\n"},
        Shape{"BareLineFeedInAField", kGet + "X: a\nContent-Length: 5\r\n\r\n"},
        Shape{"BareCarriageReturnInAField", kGet + "X: a\rContent-Length: 5\r\n\r\n"},
        Shape{"BareCarriageReturnInTheRequestLine", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
        Shape{"BareLineFeedAtTheEnd", kGet + "\n"},
        Shape{"NulInAField", kGet + std::string("X: a\0b\r\n\r\n", 10)},
        Shape{"ControlInAField", kGet + "X: a\x01\r\n\r\n"},
        Shape{"ControlInAName", kGet + "X\x01: a\r\n\r\n"},
        Shape{"ChunkExtension", kPost + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n"},
        Shape{"ChunkExtensionWithLineFeed", kPost + "Transfer-Encoding: chunked\r\n\r\n5;\nxx\r\nhello\r\n0\r\n\r\n"},
        Shape{"ExtensionOfTheLastChunk", kPost + "Transfer-Encoding: chunked\r\n\r\n0;a=b\r\n\r\n"},
        Shape{"ChunkSizeThatOverflows", kPost + "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"},
        Shape{"ChunkSizeWithSign", kPost + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n"},
        Shape{"ChunkSizeWithPrefix", kPost + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"},
        Shape{"ChunkSizeWithSpace", kPost + "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"},
        Shape{"NoChunkSize", kPost + "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n"},
        Shape{"ChunkLineWithLineFeed", kPost + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"},
        Shape{"ChunkLongerThanItsSize", kPost + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n"},
        Shape{"Trailer", kPost + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n"},
        Shape{"AbsoluteTarget", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"TargetOfConnect", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"TargetWithFragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"TargetWithSpace", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"TargetWithTab", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"TargetBeyondAscii", "GET /gr\xc3\xb6\xc3\x9f" "e HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"TargetWithBackslash", "GET /..\\a HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"TwoSpaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"NoVersion", "GET /\r\nHost: a\r\n\r\n"},
        Shape{"LowerCaseVersion", "GET / http/1.1\r\nHost: a\r\n\r\n"},
        Shape{"AnotherVersion", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        Shape{"AMinorVersion", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
        Shape{"MethodWithSpace", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"AnotherProtocol", std::string("\x10\x0f\x00\x04MQTT\x04\x02\x00\x0a\r\n\r\n", 16)},
        Shape{"OtherExpectation", kPost + "Expect: 200-ok\r\nContent-Length: 5\r\n\r\n", 417}),
    [](const testing::TestParamInfo<Shape>& shape) { return std::string(shape.param.name); });

TEST(Http1Writer, AResponseEndsWhereItSays) {
  std::string out;
  append_response(out, {200, {{"a", "b\r\nc: d"}}, "hello"}, {});
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\na: bc: d\r\ncontent-length: 5\r\n\r\nhello") << "a value cannot begin another field";
  out.clear();
  append_response(out, {200, {}, "hello"}, {false, true, 1});
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\n");
  out.clear();
  append_response(out, {204, {}, {}}, {true, false, 0});
  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\nconnection: keep-alive\r\n\r\n");
}

TEST(HttpMessage, DecodesPercentsAndNothingElse) {
  std::string out;
  EXPECT_TRUE(percent_decode("a%2Fb+%c3%B6", out));
  EXPECT_EQ(out, "a/b+\xc3\xb6");
  for (const char* bad : {"%", "%2", "%zz", "a%2", "%-1", "% 1"}) EXPECT_FALSE(percent_decode(bad, out)) << bad;
  Parameters parameters;
  EXPECT_TRUE(read_query("a=1&&b&c=%26%3D", parameters));
  EXPECT_EQ(parameters, (Parameters{{"a", "1"}, {"b", ""}, {"c", "&="}}));
  EXPECT_EQ(date_text(784111777000), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace arena::http
