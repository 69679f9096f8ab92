// Goal: no two readers of an HTTP/2 request can take it for different ones (RFC 9113, 8): each such shape is refused, its
// handler hears nothing of it, and the connection's other requests do not suffer.
#include "gateway/http/test_http2.h"

namespace arena::gateway::http::test {
namespace {

class Http2Smuggling : public testing::Test {
 protected:
  void SetUp() override {
    world.add_routes();
    world.door.router().add({"*", "/seen", Access::open, [this](const ExchangeRef& exchange) {
                               ++seen;
                               exchange->answer(text_response(200, exchange->request.body));
                             }});
  }
  Fields good(const std::string& method = "GET") { return Http2Client::request(method, "/seen"); }
  Fields with(const std::string& name, const std::string& value, const std::string& method = "GET") {
    Fields fields = good(method);
    fields.emplace_back(name, value);
    return fields;
  }
  Fields without(std::string_view name) {
    Fields fields = good();
    std::erase_if(fields, [name](const auto& field) { return field.first == name; });
    return fields;
  }
  Fields changed(std::string_view name, const std::string& value) {
    Fields fields = good();
    for (auto& field : fields) {
      if (field.first == name) field.second = value;
    }
    return fields;
  }
  // Reset as no request (PROTOCOL_ERROR).
  void expect_reset(const Fields& fields, const std::string& what, const std::string* body = nullptr) {
    const int32_t id = client.send(fields, body);
    const Http2Client::Reply& reply = client.answer(id);
    EXPECT_TRUE(reply.closed && reply.code == NGHTTP2_PROTOCOL_ERROR && reply.status == 0) << what << ": " << reply.status << " code " << reply.code;
    expect_harmless(what);
  }
  void expect_answer(int status, const Fields& fields, const std::string& what) {
    EXPECT_EQ(client.answer(client.send(fields)).status, status) << what;
    expect_harmless(what);
  }
  void expect_harmless(const std::string& what) {
    EXPECT_EQ(seen, 0) << what;
    EXPECT_GT(world.refused(Refused::malformed), refused) << what << " is not counted";
    refused = world.refused(Refused::malformed);
    EXPECT_EQ(client.answer(client.get("/now?1")).body, "1") << what << ": another request of the connection";
  }

  WebWorld world;
  Http2Client client{world};
  int seen = 0;
  uint64_t refused = 0;
};

TEST_F(Http2Smuggling, AGoodRequestIsSeen) {
  EXPECT_EQ(client.answer(client.send(good())).status, 200);
  EXPECT_EQ(seen, 1);
}

TEST_F(Http2Smuggling, FieldsOfTheConnection) {
  for (const char* name : {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) expect_reset(with(name, "x"), name);
  expect_reset(with("transfer-encoding", "chunked", "POST"), "chunked");
  expect_reset(with("te", "gzip"), "te");
}

TEST_F(Http2Smuggling, NamesThatAreNotLower) {
  for (const char* name : {"X-Upper", "Content-Length", "hosT"}) expect_reset(with(name, "1"), name);
}

TEST_F(Http2Smuggling, BytesThatANameOrAValueMayNotHave) {
  for (const std::string& name : {std::string("a b"), std::string("a:b"), std::string("a\r\nb"), std::string("a\0b", 3), std::string("\x80"), std::string()}) {
    expect_reset(with(name, "x"), "name '" + name + "'");
  }
  for (const std::string& value : {std::string("a\r\nhost: b"), std::string("a\nb"), std::string("a\rb"), std::string("a\0b", 3), std::string("\x7f"), std::string(" a"), std::string("a\t")}) {
    expect_reset(with("x", value), "value '" + value + "'");
  }
}

TEST_F(Http2Smuggling, PseudoFieldsThatAreMissingOrEmpty) {
  for (const char* name : {":method", ":scheme", ":path", ":authority"}) expect_reset(without(name), std::string("no ") + name);
  for (const char* name : {":method", ":path"}) expect_reset(changed(name, ""), std::string("empty ") + name);
}

TEST_F(Http2Smuggling, PseudoFieldsThatAreTwiceUnknownOrLate) {
  for (const char* name : {":method", ":scheme", ":path", ":authority"}) {
    Fields fields = good();
    fields.insert(fields.begin(), {name, "/seen"});
    expect_reset(fields, std::string("twice ") + name);
  }
  for (const char* name : {":status", ":protocol", ":x", ":"}) {
    Fields fields = good();
    fields.insert(fields.begin(), {name, "200"});
    expect_reset(fields, name);
  }
  Fields late = good();
  std::rotate(late.begin(), late.begin() + 1, late.end());
  late.insert(late.begin(), {"x", "y"});
  expect_reset(late, "behind a field");
}

TEST_F(Http2Smuggling, LengthsThatAreNot) {
  const std::string body = "four";
  for (const char* length : {"3", "5", "0", "-1", "4 ", "+4", "0x4", "99999999999999999999"}) {
    expect_reset(with("content-length", length, "POST"), std::string("length ") + length, &body);
  }
  expect_reset(with("content-length", "4", "POST"), "no body at all");
  Fields twice = with("content-length", "4", "POST");
  twice.emplace_back("content-length", "4");
  expect_reset(twice, "twice", &body);
  EXPECT_EQ(client.answer(client.send(with("content-length", "4", "POST"), &body)).body, "four");
}

TEST_F(Http2Smuggling, TargetsThatAreNoPath) {
  for (const char* path : {"/a b", "/a#b", "/\x80", "/a\\b", "/a\"", "/?a b"}) {
    const int32_t id = client.send(changed(":path", path));
    const Http2Client::Reply& reply = client.answer(id);
    EXPECT_TRUE(reply.status == 400 || reply.code == NGHTTP2_PROTOCOL_ERROR) << path << reply.status;
    expect_harmless(path);
  }
  for (const char* path : {"*", "seen", "http://other/seen", "//other\\"}) {
    const int32_t id = client.send(changed(":path", path));
    const Http2Client::Reply& reply = client.answer(id);
    EXPECT_TRUE(reply.status == 400 || reply.code == NGHTTP2_PROTOCOL_ERROR) << path << reply.status;
    expect_harmless(path);
  }
}

TEST_F(Http2Smuggling, TwoHosts) {
  expect_answer(400, with("host", "other"), "a host beside :authority");
  Fields hosts = without(":authority");
  hosts.emplace_back("host", "a");
  hosts.emplace_back("host", "b");
  const Http2Client::Reply& reply = client.answer(client.send(hosts));
  EXPECT_TRUE(reply.status == 400 || reply.code == NGHTTP2_PROTOCOL_ERROR);
  expect_harmless("two hosts");
  expect_answer(400, changed(":authority", "user@host"), "a user");
  EXPECT_EQ(client.answer(client.send(with("host", "localhost"))).status, 200) << "the same twice";
  EXPECT_EQ(seen, 1);
}

TEST_F(Http2Smuggling, SchemesAndTunnels) {
  expect_answer(400, changed(":scheme", "ftp"), "ftp");
  const Http2Client::Reply& prefix = client.answer(client.send(changed(":scheme", "http://localhost/now?")));
  EXPECT_TRUE(prefix.status == 400 || prefix.code == NGHTTP2_PROTOCOL_ERROR);
  expect_harmless("a scheme that is a prefix");
  const Fields tunnel = {{":method", "CONNECT"}, {":authority", "localhost:25"}};
  EXPECT_EQ(client.answer(client.send(tunnel)).status, 405);
  expect_harmless("CONNECT");
  expect_answer(417, with("expect", "teapot"), "expect");
}

TEST_F(Http2Smuggling, TrailersAreNoFields) {
  const int32_t id = client.send(Http2Client::request("POST", "/seen"), nullptr, false);
  client.send_more(id, "body");
  // A literal field "content-length: 9" without indexing.
  client.raw(frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, static_cast<uint32_t>(id), std::string("\x00\x01x\x01y", 5)));
  EXPECT_EQ(client.answer(id).body, "body");
  EXPECT_EQ(seen, 1);
}

TEST_F(Http2Smuggling, ACookieInCrumbsIsOneField) {
  std::string cookie;
  world.door.router().add({"GET", "/cookie", Access::open, [&cookie](const ExchangeRef& exchange) {
                             cookie = *exchange->request.field("cookie");
                             exchange->answer(text_response(200, ""));
                           }});
  Fields fields = Http2Client::request("GET", "/cookie");
  for (const char* crumb : {"a=1", "b=2", "c=3"}) fields.emplace_back("cookie", crumb);
  EXPECT_EQ(client.answer(client.send(fields)).status, 200);
  EXPECT_EQ(cookie, "a=1; b=2; c=3");
}

}  // namespace
}  // namespace arena::gateway::http::test
