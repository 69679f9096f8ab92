// Goal: requests are answered in their order, to those who may ask, and a connection ends when it cannot be trusted.
#include "gateway/http/test_web.h"

#include "access/password.h"
#include "base/base64.h"
#include "gateway/http/credentials.h"

namespace arena::gateway::http::test {
namespace {

TEST(HttpDoor, AnswersInTheOrderOfTheRequests) {
  WebWorld world;
  world.add_routes();
  Browser browser(world);
  browser.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /now?2 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /now?3 HTTP/1.1\r\nHost: a\r\n\r\nGET /now?4 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(browser.received().empty());
  world.let_answer(0);
  EXPECT_EQ(browser.answer().body, "late");
  EXPECT_EQ(browser.answer().body, "2");
  const std::string rest = browser.received();
  EXPECT_NE(rest.find("content-length: 1\r\n\r\nHTTP/1.1 200"), std::string::npos) << "HEAD has no body: " << rest;
}

TEST(HttpDoor, SaysWhatIsWrongWithAPath) {
  WebWorld world;
  world.add_routes();
  Browser browser(world);
  const Answer none = browser.get("/nowhere", "X-Request-Id: mine-1\r\n");
  EXPECT_EQ(none.status, 404);
  EXPECT_NE(none.head.find("content-type: application/problem+json\r\n"), std::string::npos);
  EXPECT_NE(none.head.find("x-request-id: mine-1\r\n"), std::string::npos);
  EXPECT_NE(none.body.find("\"code\":\"no_such_path\""), std::string::npos);
  EXPECT_NE(none.body.find("\"request_id\":\"mine-1\""), std::string::npos);
  const Answer not_so = browser.ask("DELETE /now HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(not_so.status, 405);
  EXPECT_NE(not_so.head.find("allow: GET, POST\r\n"), std::string::npos) << not_so.head;
}

TEST(HttpDoor, EveryAnswerCarriesTheSecurityFields) {
  WebWorld world;
  world.add_routes();
  Browser browser(world);
  for (const char* path : {"/now", "/nowhere"}) {
    const Answer answer = browser.get(path);
    for (const char* field : {"x-content-type-options: nosniff\r\n", "cache-control: no-store\r\n", "content-security-policy: default-src 'none'; ",
                              "x-frame-options: DENY\r\n", "referrer-policy: no-referrer\r\n", "cross-origin-resource-policy: same-origin\r\n", "date: "}) {
      EXPECT_NE(answer.head.find(field), std::string::npos) << field << answer.head;
    }
  }
}

TEST(HttpDoor, ARefusedRequestIsAnsweredInItsTurnAndEndsTheConnection) {
  WebWorld world;
  world.add_routes();
  Browser browser(world);
  browser.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /now HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET /now HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(browser.open());
  world.let_answer(0);
  EXPECT_EQ(browser.answer().status, 200);
  const Answer refused = browser.answer();
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.head.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(browser.closed());
  EXPECT_TRUE(browser.received().empty()) << "nothing is made of what follows";
  EXPECT_EQ(world.refused(Refused::malformed), 1u);
}

// h2spec "Sends invalid connection preface".
TEST(HttpDoor, WhoDoesNotSpeakHttpIsGivenNoAnswerOfHttp) {
  WebWorld world;
  world.add_routes();
  Browser stranger(world);
  stranger.bytes("INVALID CONNECTION PREFACE\r\n\r\n");
  EXPECT_TRUE(stranger.closed());
  EXPECT_EQ(stranger.received(), "");
  EXPECT_EQ(world.refused(Refused::malformed), 1u);
  Browser browser(world);
  EXPECT_EQ(browser.get("/now").status, 200);
  EXPECT_EQ(browser.ask("INVALID CONNECTION PREFACE\r\n\r\n").status, 400) << "whoever did speak it before is told";
}

TEST(HttpDoor, WhatAHandlerAnswersAfterTheClientHasGoneGoesNowhere) {
  WebWorld world;
  world.add_routes();
  { Browser(world).bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"); }
  ASSERT_EQ(world.waiting.size(), 1u);
  EXPECT_TRUE(world.waiting[0]->gone());
  world.let_answer(0);
  EXPECT_EQ(world.door.connections(), 0u);
  EXPECT_EQ(world.admission.connections(), 0u);
}

TEST(HttpDoor, ShutsWithTheAnswersThatAreWaitedFor) {
  WebWorld world;
  world.add_routes();
  Browser idle(world), waiting(world);
  EXPECT_EQ(idle.get("/now").status, 200);
  waiting.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
  world.door.shut();
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(waiting.open());
  world.let_answer(0);
  EXPECT_NE(waiting.answer().head.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(waiting.closed());
  Browser late(world);
  EXPECT_TRUE(late.closed());
}

// ---- who asks ----

std::shared_ptr<const access::AuthSettings> with_user(const std::string& name, const std::string& password) {
  auto auth = std::make_shared<access::AuthSettings>();
  auth->users = access::UserTable::parse(name + ":" + access::hash_password(password, {1, 8 << 20}).value() + "\n", "users").value();
  return auth;
}

std::string basic(const std::string& words, const std::string& scheme = "Basic") { return "Authorization: " + scheme + " " + base64(words) + "\r\n"; }

TEST(HttpDoor, KnowsUsersByTheirPasswords) {
  WebWorld world({}, with_user("ann", "a:b c"));
  world.add_routes();
  Browser browser(world);
  const Answer nobody = browser.get("/who");
  EXPECT_EQ(nobody.status, 401);
  EXPECT_NE(nobody.head.find("www-authenticate: Basic "), std::string::npos);
  EXPECT_NE(nobody.body.find("credentials_needed"), std::string::npos);
  EXPECT_EQ(browser.get("/who", basic("ann:wrong")).status, 401);
  EXPECT_EQ(browser.get("/who", basic("ann:")).status, 401);
  EXPECT_EQ(browser.get("/who", basic("bob:a:b c")).status, 401);
  EXPECT_EQ(browser.get("/who", basic("ann:a:b c")).body, "ann");
  EXPECT_EQ(browser.get("/who", basic("ann:a:b c", "bearer")).body, "ann");
  EXPECT_EQ(browser.get("/who").status, 401) << "each request says it";
  for (const char* bad : {"Digest x", "Basic", "Basic ===", "Basic YQ=", "Basic YQ==", "Basic YW5u"}) {
    EXPECT_EQ(browser.get("/who", std::string("Authorization: ") + bad + "\r\n").status, 400) << bad;
  }
}

// What a stranger sends need not be held.
TEST(HttpDoor, WhoSaysNoNameIsRefusedBeforeTheBody) {
  WebWorld world({.origins = {"https://app.example"}}, with_user("ann", "secret"));
  world.add_routes();
  const std::string head = "POST /who HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n";
  for (const char* more : {"\r\n", "Expect: 100-continue\r\n\r\n", "Origin: https://app.example\r\n\r\n"}) {
    Browser stranger(world);
    stranger.bytes(head + more);
    const Answer answer = stranger.answer();
    EXPECT_EQ(answer.status, 401) << more;
    EXPECT_NE(answer.body.find("credentials_needed"), std::string::npos);
    EXPECT_NE(answer.head.find("www-authenticate: Basic "), std::string::npos);
    EXPECT_NE(answer.head.find("connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(stranger.closed());
  }
  Browser page(world);
  EXPECT_EQ(page.ask(head + "Origin: https://evil.example\r\n\r\n").status, 403);
  Browser late(world);
  late.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\n" + head + "\r\n");
  EXPECT_EQ(late.received(), "") << "in its turn";
  world.let_answer(0);
  EXPECT_EQ(late.answer().status, 200);
  EXPECT_EQ(late.answer().status, 401);
  // Who does, or asks what all may, is waited for.
  Browser user(world), open(world);
  user.bytes(head + basic("ann:secret") + "Expect: 100-continue\r\n\r\n");
  world.broker.run_ms(1);
  EXPECT_EQ(user.received(), "HTTP/1.1 100 Continue\r\n\r\n");
  open.bytes("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(open.ask("hello").body, "hello");
  EXPECT_EQ(world.counters.answers[4].get(), 5u);
}

TEST(HttpDoor, ABodyWhosePasswordIsBeingVerifiedIsCounted) {
  WebWorld world({.uploads_bytes_max = 100'000}, with_user("ann", "secret"));
  world.add_routes();
  const std::string post = "POST /who HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n" + basic("ann:wrong") + "\r\n" + std::string(60'000, 'x');
  Browser first(world), second(world);
  first.bytes(post);
  EXPECT_EQ(world.uploads.bytes(), 60'000u);
  EXPECT_EQ(second.ask(post).status, 503);
  EXPECT_EQ(first.answer().status, 401);
  EXPECT_EQ(world.uploads.bytes(), 0u);
}

TEST(HttpDoor, APasswordHoldsOnItsConnectionUntilTheSettingsAreReadAgain) {
  WebWorld world({}, with_user("ann", "old"));
  world.add_routes();
  Browser browser(world);
  EXPECT_EQ(browser.get("/who", basic("ann:old")).body, "ann");
  world.authenticator().replace(with_user("ann", "new"));
  EXPECT_EQ(browser.get("/who", basic("ann:old")).body, "ann") << "it was not verified again";
  world.door.set_options(std::make_shared<const Options>());
  EXPECT_EQ(browser.get("/who", basic("ann:old")).status, 401);
}

TEST(HttpDoor, TrustsThisMachineOnlyWhereThisMachineWasMeant) {
  WebWorld world;
  world.add_routes();
  Browser here(world), there(world, "192.0.2.1");
  EXPECT_EQ(here.get("/who").body, "anonymous");
  EXPECT_EQ(here.ask("GET /who HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 401) << "a name that leads here (DNS rebinding)";
  EXPECT_EQ(there.get("/who").status, 401);
}

TEST(HttpDoor, LetsOnlyPagesAskThatMay) {
  Options options;
  options.origins = {"https://app.example"};
  WebWorld world(options);
  world.add_routes();
  Browser browser(world);
  EXPECT_EQ(browser.get("/who", "Origin: http://localhost\r\n").status, 200);
  EXPECT_EQ(browser.get("/who", "Origin: https://app.example\r\n").status, 200);
  for (const char* origin : {"https://evil.example", "null", "https://app.example.evil.example", "http://localhost:81", "https://app.example:444", ""}) {
    EXPECT_EQ(browser.get("/who", std::string("Origin: ") + origin + "\r\n").status, 403) << origin;
  }
}

TEST(HttpDoor, AllowedPagesMayReadThatThereIsNothing) {
  WebWorld world({.origins = {"https://app.example"}});
  world.add_routes();
  Browser browser(world);
  const std::string field = "access-control-allow-origin: https://app.example\r\n";
  for (const char* request : {"GET /nothing", "DELETE /who"}) {
    for (const char* origin : {"https://app.example", "https://evil.example"}) {
      const Answer got = browser.ask(std::string(request) + " HTTP/1.1\r\nHost: localhost\r\nOrigin: " + origin + "\r\n\r\n");
      EXPECT_EQ(got.status / 2, 202) << request;
      EXPECT_EQ(got.head.find(field) != std::string::npos, origin == std::string("https://app.example")) << request << got.head;
    }
  }
}

TEST(HttpCredentials, KnowsTheNamesOfThisMachine) {
  for (const char* host : {"localhost", "localhost:8080", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:8080", "LOCALHOST", "LocalHost:80"}) EXPECT_TRUE(is_local_host(host)) << host;
  for (const char* host : {"", "localhost.evil.example", "127.0.0.1.evil.example", "127.evil.example", "[::2]", "10.0.0.1", "[", "[::1"}) EXPECT_FALSE(is_local_host(host)) << host;
}

TEST(HttpCredentials, APageThatCameInTheClearIsNoneOfAnEncryptedHosts) {
  EXPECT_TRUE(is_same_origin("https://a.example:8443", "a.example:8443", true));
  EXPECT_FALSE(is_same_origin("http://a.example:8443", "a.example:8443", true)) << "whoever lies between can have made it";
  EXPECT_TRUE(is_same_origin("http://a.example", "a.example", false));
  EXPECT_TRUE(is_same_origin("https://a.example", "a.example", false)) << "somebody in front encrypts";
  EXPECT_FALSE(is_same_origin("ftp://a.example", "a.example", false));
}

TEST(HttpDoor, MakesLargeTextSmallerForThoseWhoTakeIt) {
  WebWorld world;
  const std::string large = "{\"a\":\"" + std::string(5000, 'x') + "\"}";
  world.door.router().add({"GET", "/json", Access::open, [&](const ExchangeRef& exchange) { exchange->answer(json_response(200, large)); }});
  world.door.router().add({"GET", "/bytes", Access::open, [&](const ExchangeRef& exchange) { exchange->answer({200, {{"content-type", "image/png"}}, large}); }});
  world.door.router().add({"GET", "/small", Access::open, [&](const ExchangeRef& exchange) { exchange->answer(json_response(200, "{}")); }});
  Browser browser(world);
  const Answer smaller = browser.get("/json", "Accept-Encoding: br, gzip\r\n");
  EXPECT_LT(smaller.body.size(), 200u);
  EXPECT_NE(smaller.head.find("content-encoding: gzip\r\n"), std::string::npos) << smaller.head;
  EXPECT_NE(smaller.head.find("vary: accept-encoding\r\n"), std::string::npos) << smaller.head;
  const Answer whole = browser.get("/json");
  EXPECT_EQ(whole.body, large + "\n");
  EXPECT_NE(whole.head.find("vary: accept-encoding\r\n"), std::string::npos) << "what lies between must know";
  EXPECT_EQ(browser.get("/json", "Accept-Encoding: gzip;q=0\r\n").body, large + "\n");
  EXPECT_EQ(browser.get("/bytes", "Accept-Encoding: gzip\r\n").body, large);
  EXPECT_EQ(browser.get("/small", "Accept-Encoding: gzip\r\n").body, "{}\n");
}

TEST(HttpDoor, LetsABodyComeWhenTheAnswersBeforeItHaveLeft) {
  WebWorld world;
  world.add_routes();
  Browser browser(world);
  browser.bytes("GET /later HTTP/1.1\r\nHost: a\r\n\r\nPOST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  world.broker.run_ms(30'000);
  EXPECT_EQ(browser.received(), "") << "it would be taken for the first one's";
  world.let_answer(0);
  EXPECT_EQ(browser.answer().body, "late");
  world.broker.run_ms(1);
  EXPECT_EQ(browser.received(), "HTTP/1.1 100 Continue\r\n\r\n");
  browser.received().clear();
  browser.bytes("hello");
  EXPECT_EQ(browser.answer().body, "hello");
  browser.bytes("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  world.broker.run_ms(1);
  EXPECT_EQ(browser.received(), "HTTP/1.1 100 Continue\r\n\r\n");
}

}  // namespace
}  // namespace arena::gateway::http::test
