// Goal: over any stream, with any faults, TLS hands over exactly what was written, or ends; and lets nobody in whom its
// settings do not.
#include "net/tls/stream.h"

#include <algorithm>

#include "net/tls/test_tls.h"

namespace arena::net {
namespace {

using test::CertificateFolder;
using test::TlsPair;

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
  return out;
}

struct TlsStreamTest : testing::Test {
  TlsPair::Options options() const {
    TlsPair::Options out;
    out.server.identities = {identity};
    out.client.ca_file = folder.ca();
    return out;
  }
  CertificateFolder folder;
  TlsIdentity identity = folder.issue("server", {"localhost", "127.0.0.1", "::1"});
};

uint64_t failed(const TlsCore& core, TlsFailure why) { return core.counters().failed[static_cast<std::size_t>(why)].get(); }

TEST_F(TlsStreamTest, BytesGoBothWaysAndMayBeWrittenBeforeTheHandshake) {
  TlsPair pair(1, options());
  pair.client->write("hello");
  ASSERT_TRUE(pair.until([&] { return pair.at_server.received == "hello"; }));
  EXPECT_EQ(pair.shaken, true);
  pair.server->write("welcome");
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received == "welcome"; }));
  EXPECT_EQ(pair.core.counters().handshakes.get(), 1u);
  EXPECT_EQ(pair.core.counters().resumed.get(), 0u);
  EXPECT_EQ(pair.server->output_bytes(), 0u);
}

TEST_F(TlsStreamTest, WhatIsWrittenInATurnLeavesTogether) {
  TlsPair pair(2, options());
  pair.client->write("hello");
  ASSERT_TRUE(pair.until([&] { return pair.at_server.received == "hello"; }));
  const int before = pair.at_client.reads;
  for (int i = 0; i < 100; ++i) pair.server->write("0123456789");
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received.size() == 1000; }));
  EXPECT_EQ(pair.at_client.reads, before + 1);
}

TEST_F(TlsStreamTest, MuchIsHandedOverWholeAndTheWriterIsToldOfRoom) {
  auto chosen = options();
  chosen.stream.output_high_bytes = 100'000;
  chosen.stream.output_low_bytes = 20'000;
  TlsPair pair(3, chosen);
  pair.client->write("x");
  ASSERT_TRUE(pair.until([&] { return !pair.at_server.received.empty(); }));
  const std::string much = pattern(3'000'000);
  pair.server->write(much);
  EXPECT_FALSE(pair.server->writable());
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received.size() == much.size(); }));
  EXPECT_EQ(pair.at_client.received, much);
  ASSERT_TRUE(pair.until([&] { return pair.at_server.writable == 1; }));
  EXPECT_TRUE(pair.server->writable());
}

TEST_F(TlsStreamTest, OutputThatWaitsIsInTheBudgetAndGoesOutOfIt) {
  OutputBudget budget(1 << 20);
  auto chosen = options();
  chosen.stream.budget = &budget;
  {
    TlsPair pair(4, chosen);
    pair.client->write("x");
    ASSERT_TRUE(pair.until([&] { return !pair.at_server.received.empty(); }));
    pair.client->pause_reading();
    const std::string much = pattern(600'000);
    pair.server->write(much);
    pair.world.run_for(1000);
    EXPECT_GT(budget.used.load(), 400'000u);
    pair.client->resume_reading();
    ASSERT_TRUE(pair.until([&] { return pair.at_client.received == much; }));
    pair.world.run_for(1000);
    EXPECT_EQ(budget.used.load(), 0u);
    pair.client->pause_reading();
    pair.server->write(much);
    pair.world.run_for(1000);
  }
  EXPECT_EQ(budget.used.load(), 0u);
}

TEST_F(TlsStreamTest, ClosingSendsEverythingFirst) {
  TlsPair pair(5, options());
  pair.client->write("hello");
  ASSERT_TRUE(pair.until([&] { return pair.at_server.received == "hello"; }));
  const std::string words = pattern(50'000);
  pair.server->write(words);
  pair.server->close();
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed && pair.at_server.closed; }));
  EXPECT_EQ(pair.at_client.received, words);
  EXPECT_EQ(pair.at_client.closed, CloseReason::peer_closed);
  EXPECT_EQ(pair.at_server.closed, CloseReason::local);
  EXPECT_EQ(pair.at_client.closed_count + pair.at_server.closed_count, 2);
}

TEST_F(TlsStreamTest, MovesToAnotherCoreWithoutLosingAByte) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    auto chosen = options();
    chosen.faults.split = seed % 2 == 0 ? 300'000 : 0;
    chosen.session_s = 3600;
    chosen.server.session_s = 3600;
    TlsPair pair(seed, chosen);
    SimStreamFactory beneath(pair.world.loop(1));
    TlsStreamFactory factory(pair.other_core, beneath);
    bool moved = false;
    pair.at_server.data = [&](std::string_view) {
      if (std::exchange(moved, true)) return;
      auto parcel = pair.server->detach();
      ASSERT_NE(parcel, nullptr);
      pair.server.reset();
      pair.world.loop(0).post(1, [&, p = std::move(parcel)]() mutable {
        pair.server = factory.attach(std::move(p));
        pair.server->set_handler(&pair.at_server);
        pair.server->write("moved");
      });
    };
    std::string sent;
    // More than is decrypted at once: the rest travels along.
    const std::size_t first = seed % 3 == 0 ? 200'000 : 200;
    for (int i = 0; i < 20; ++i) {
      const std::string piece = pattern(i == 0 ? first : 1 + pair.world.random().below(200));
      pair.client->write(piece);
      sent += piece;
      pair.world.run_for(1);
    }
    ASSERT_TRUE(pair.until([&] { return pair.at_server.received.size() == sent.size(); })) << seed;
    EXPECT_EQ(pair.at_server.received, sent);
    ASSERT_TRUE(pair.until([&] { return pair.at_client.received == "moved"; }));
    EXPECT_EQ(pair.at_client.closed_count + pair.at_server.closed_count, 0);
  }
}

TEST_F(TlsStreamTest, UnderAllFaultsWhatArrivesIsAPrefixAndTheEndIsToldOnce) {
  int whole = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    auto chosen = options();
    chosen.faults = SimFaults::harsh();
    TlsPair pair(seed, chosen);
    std::string sent;
    pair.at_server.data = [&](std::string_view bytes) { pair.server->write(bytes); };
    for (int i = 0; i < 30 && !pair.at_client.closed; ++i) {
      const std::string piece = pattern(1 + pair.world.random().below(5000));
      pair.client->write(piece);
      sent += piece;
      pair.world.run_for(static_cast<int64_t>(pair.world.random().below(50)));
    }
    pair.network.set_faults({});
    pair.world.run_for(20'000);
    ASSERT_EQ(pair.at_client.received, sent.substr(0, pair.at_client.received.size())) << seed;
    ASSERT_LE(pair.at_client.closed_count, 1);
    ASSERT_LE(pair.at_server.closed_count, 1);
    if (pair.at_client.closed) continue;
    ASSERT_EQ(pair.at_client.received, sent) << seed;
    ++whole;
  }
  EXPECT_GT(whole, 10);
}

TEST_F(TlsStreamTest, AClientThatDoesNotTrustTheAuthorityIsTold) {
  const CertificateFolder other;
  auto chosen = options();
  chosen.client.ca_file = other.ca();
  TlsPair pair(6, chosen);
  ASSERT_TRUE(pair.until([&] { return pair.shaken.has_value() && pair.at_server.closed; }));
  EXPECT_EQ(pair.shaken, false);
  EXPECT_NE(pair.failure.find("local issuer certificate"), std::string::npos) << pair.failure;
  EXPECT_EQ(failed(pair.core, TlsFailure::refused_by_peer), 1u);
  EXPECT_EQ(pair.core.counters().handshakes.get(), 0u);

  chosen.client.verify = false;
  TlsPair careless(7, chosen);
  ASSERT_TRUE(careless.until([&] { return careless.shaken == true; }));
}

TEST_F(TlsStreamTest, AServerOfAnotherNameIsNotTrusted) {
  for (const char* name : {"localhost", "127.0.0.1", "::1"}) {
    auto chosen = options();
    chosen.name = name;
    TlsPair pair(8, chosen);
    ASSERT_TRUE(pair.until([&] { return pair.shaken.has_value(); }));
    EXPECT_EQ(pair.shaken, true) << name << ": " << pair.failure;
  }
  for (const char* name : {"example.org", "127.0.0.2", "sub.localhost"}) {
    auto chosen = options();
    chosen.name = name;
    TlsPair pair(9, chosen);
    ASSERT_TRUE(pair.until([&] { return pair.shaken.has_value(); }));
    EXPECT_EQ(pair.shaken, false) << name;
    EXPECT_NE(pair.failure.find("mismatch"), std::string::npos) << pair.failure;
  }
}

TEST_F(TlsStreamTest, WhatIsNotTlsIsCountedAsThat) {
  for (const std::string& hello : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", 14)}) {
    auto chosen = options();
    chosen.plain_client = true;
    TlsPair pair(10, chosen);
    pair.client->write(hello);
    ASSERT_TRUE(pair.until([&] { return pair.at_server.closed.has_value(); }));
    EXPECT_EQ(pair.at_server.closed, CloseReason::reset);
    EXPECT_EQ(pair.at_server.received, "");
    EXPECT_EQ(failed(pair.core, TlsFailure::not_tls), 1u);
  }
}

TEST_F(TlsStreamTest, WhoLeavesDuringTheHandshakeIsCountedOnce) {
  auto chosen = options();
  chosen.plain_client = true;
  TlsPair pair(11, chosen);
  pair.client->write("\x16\x03\x01");
  ASSERT_TRUE(pair.until([&] { return pair.server != nullptr; }));
  pair.world.run_for(100);
  pair.server->close();  // as when it takes too long
  ASSERT_TRUE(pair.until([&] { return pair.at_server.closed.has_value(); }));
  pair.server.reset();
  EXPECT_EQ(failed(pair.core, TlsFailure::gave_up), 1u);
}

// A crowd that says hello at once: all are served, few in a turn, and one that lets go while it waits harms nobody.
TEST_F(TlsStreamTest, ACrowdOfHandshakesIsSpreadOverTurns) {
  auto chosen = options();
  TlsPair pair(21, chosen);
  ASSERT_TRUE(pair.until([&] { return pair.shaken.has_value(); }));
  const auto context = test::client_context(chosen.client);
  struct End {
    test::Recorder recorder;
    std::unique_ptr<Stream> stream;
  };
  std::vector<std::unique_ptr<End>> servers, clients;
  pair.network.listen(
      0,
      [&](std::unique_ptr<Stream> s) {
        servers.push_back(std::make_unique<End>());
        servers.back()->stream = TlsStream::accept(pair.core, pair.context, "", std::move(s), share({}));
        servers.back()->stream->set_handler(&servers.back()->recorder);
      },
      options_beneath_tls({}));
  constexpr std::size_t kClients = 40;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<End>());
    clients.back()->stream = TlsStream::connect(pair.client_core, context, "localhost",
                                                pair.network.connect(pair.world.client_loop(), 0, options_beneath_tls({})), share({}), {});
    clients.back()->stream->set_handler(&clients.back()->recorder);
    clients.back()->stream->write("hello");
  }
  pair.world.pause_core(0, 50);  // so that they are all there
  ASSERT_TRUE(pair.until([&] { return pair.core.counters().waited.get() > 10; }));
  servers[kClients - 1]->stream.reset();
  servers[kClients - 2]->stream->close();
  const auto heard = [&] {
    return std::ranges::count_if(servers, [](const auto& end) { return end->recorder.received == "hello"; });
  };
  ASSERT_TRUE(pair.until([&] { return heard() == static_cast<std::ptrdiff_t>(kClients) - 2; }));
  EXPECT_EQ(failed(pair.core, TlsFailure::gave_up), 2u);
}

TEST_F(TlsStreamTest, TheProtocolIsAgreedOrTheHandshakeEnds) {
  auto chosen = options();
  chosen.client.alpn = "mqtt";
  TlsPair pair(12, chosen);
  ASSERT_TRUE(pair.until([&] { return pair.shaken.has_value(); }));
  EXPECT_EQ(pair.client->application_protocol(), "mqtt");

  chosen.client.alpn = "h2";
  TlsPair other(13, chosen);
  ASSERT_TRUE(other.until([&] { return other.shaken.has_value(); }));
  EXPECT_EQ(other.shaken, false);
  EXPECT_EQ(failed(other.core, TlsFailure::no_agreement), 1u);

  chosen.alpn = "\x02h2\x08http/1.1";
  TlsPair both(14, chosen);
  both.client->write("x");
  ASSERT_TRUE(both.until([&] { return both.at_server.received == "x"; }));
  EXPECT_EQ(both.server->application_protocol(), "h2");
}

TEST_F(TlsStreamTest, ClientsMayOrMustShowACertificateOfTheAuthority) {
  auto chosen = options();
  chosen.server.client_ca_file = folder.ca();
  TlsPair optional(15, chosen);
  optional.client->write("x");
  ASSERT_TRUE(optional.until([&] { return optional.at_server.received == "x"; }));

  chosen.server.client_certificate_required = true;
  TlsPair missing(16, chosen);
  missing.client->write("x");
  ASSERT_TRUE(missing.until([&] { return missing.at_server.closed.has_value(); }));
  EXPECT_EQ(failed(missing.core, TlsFailure::certificate), 1u);
  EXPECT_EQ(missing.at_server.received, "");

  chosen.client.identity = folder.issue("client", {"device-1"});
  TlsPair shown(17, chosen);
  shown.client->write("x");
  ASSERT_TRUE(shown.until([&] { return shown.at_server.received == "x"; }));

  const CertificateFolder strangers;
  chosen.client.identity = strangers.issue("client", {"device-1"});
  for (const bool required : {true, false}) {  // a bad one is refused though none would do
    chosen.server.client_certificate_required = required;
    TlsPair stranger(18, chosen);
    stranger.client->write("x");
    ASSERT_TRUE(stranger.until([&] { return stranger.at_server.closed.has_value(); }));
    EXPECT_EQ(failed(stranger.core, TlsFailure::certificate), 1u);
    EXPECT_EQ(stranger.at_server.received, "");
  }
}

TEST_F(TlsStreamTest, TheCertificateIsChosenByTheNameAskedFor) {
  auto chosen = options();
  chosen.server.identities.push_back(folder.issue("second", {"second.example", "*.wild.example"}));
  for (const char* name : {"localhost", "second.example", "a.wild.example"}) {
    chosen.name = name;
    TlsPair pair(19, chosen);
    ASSERT_TRUE(pair.until([&] { return pair.shaken.has_value(); }));
    EXPECT_EQ(pair.shaken, true) << name << ": " << pair.failure;
  }
  chosen.name = "unknown.example";
  TlsPair pair(20, chosen);
  ASSERT_TRUE(pair.until([&] { return pair.shaken.has_value(); }));
  EXPECT_EQ(pair.shaken, false);
}

TEST_F(TlsStreamTest, FilesThatAreNotGoodAreNamed) {
  const TlsIdentity other = folder.issue("other", {"other"});
  const std::string junk = folder.write("junk", "no certificate");
  using File = TlsFault::File;
  const auto fault = [&](TlsIdentity one, const std::string& client_ca = {}) {
    TlsServerOptions server;
    server.identities = {identity, std::move(one)};
    server.client_ca_file = client_ca;
    auto loaded = TlsServerContext::load(server);
    EXPECT_FALSE(loaded.ok());
    return loaded.ok() ? TlsFault{} : loaded.error();
  };
  TlsFault found = fault({identity.certificate_file, other.key_file});
  EXPECT_EQ(found.file, File::key);
  EXPECT_EQ(found.identity, 1u);
  EXPECT_NE(found.reason.find(other.key_file + " is not the key of the certificate in"), std::string::npos) << found.reason;
  found = fault({junk, other.key_file});
  EXPECT_EQ(found.file, File::certificate);
  EXPECT_NE(found.reason.find(junk), std::string::npos);
  found = fault({folder.file("missing"), other.key_file});
  EXPECT_NE(found.reason.find("No such file"), std::string::npos) << found.reason;
  found = fault({other.certificate_file, junk});
  EXPECT_EQ(found.file, File::key);
  found = fault(other, junk);
  EXPECT_EQ(found.file, File::client_ca);
}

}  // namespace
}  // namespace arena::net
