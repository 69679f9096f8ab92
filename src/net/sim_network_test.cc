// Goal: without faults the simulated streams behave as TcpStream does; with faults what arrives is always a prefix of
// what was sent, each end hears of the end exactly once, and a seed decides everything.
#include "net/sim_network.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace arena::net {
namespace {

using runtime::SimLoop;
using runtime::SimOptions;
using runtime::SimWorld;

struct Recorder : StreamHandler {
  void on_data(std::string_view bytes) override {
    ++reads;
    received += bytes;
    if (data) data(bytes);
  }
  void on_writable() override {
    ++writable;
    if (room) room();
  }
  void on_closed(CloseReason reason) override {
    closed = reason;
    ++closed_count;
    if (then) then();
  }
  std::string received;
  int reads = 0;
  int writable = 0;
  int closed_count = 0;
  std::optional<CloseReason> closed;
  std::function<void(std::string_view)> data;
  std::function<void()> room;
  std::function<void()> then;
};

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
  return out;
}

struct Pair {
  explicit Pair(uint64_t seed, const SimFaults& faults = {}, const StreamOptions& options = {})
      : world(seed), network(world, faults) {
    network.listen(
        0,
        [this](std::unique_ptr<Stream> s) {
          server = std::move(s);
          server->set_handler(&at_server);
        },
        options);
    client = network.connect(world.client_loop(), 0, options);
    client->set_handler(&at_client);
  }
  bool until(const std::function<bool()>& done, int64_t within_ms = 60'000) { return world.run_until(done, within_ms); }
  bool accepted() {
    return until([this] { return server != nullptr; });
  }

  SimWorld world;
  SimNetwork network;
  Recorder at_client;
  Recorder at_server;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

TEST(SimNetwork, BytesGoBothWays) {
  Pair pair(1);
  pair.client->write("hello");
  ASSERT_TRUE(pair.until([&] { return pair.at_server.received == "hello"; }));
  EXPECT_EQ(pair.server->peer().ip(), "10.0.0.2");
  pair.server->write("wor");
  pair.server->write("ld");
  EXPECT_EQ(pair.server->output_bytes(), 5u);
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received == "world"; }));
  EXPECT_EQ(pair.server->output_bytes(), 0u);
}

TEST(SimNetwork, AnUnheardPortRefuses) {
  Pair pair(1);
  auto other = pair.network.connect(pair.world.client_loop(), 1);
  Recorder recorder;
  other->set_handler(&recorder);
  ASSERT_TRUE(pair.until([&] { return recorder.closed.has_value(); }));
  EXPECT_EQ(recorder.closed, CloseReason::reset);
}

TEST(SimNetwork, CloseSendsWhatIsLeftAndBothSidesHearOfIt) {
  Pair pair(2);
  const std::string much = pattern(1 << 20);
  ASSERT_TRUE(pair.accepted());
  pair.server->write(much);
  pair.server->close();
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value() && pair.at_server.closed.has_value(); }));
  EXPECT_EQ(pair.at_client.received, much);
  EXPECT_EQ(pair.at_client.closed, CloseReason::peer_closed);
  EXPECT_EQ(pair.at_server.closed, CloseReason::local);
}

TEST(SimNetwork, WhatIsWrittenWhenThePeerEndsStillLeaves) {
  Pair pair(3);
  pair.at_server.data = [&](std::string_view) { pair.server->write("answer"); };
  pair.client->write("question");
  pair.client->write("!");
  ASSERT_TRUE(pair.accepted());
  pair.network.half_close(*pair.client);  // after what was flushed
  ASSERT_TRUE(pair.until([&] { return pair.at_server.closed.has_value(); }));
  EXPECT_EQ(pair.at_server.closed, CloseReason::peer_closed);
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
  EXPECT_EQ(pair.at_server.received, "question!");
  EXPECT_EQ(pair.at_client.received, "answer");
}

TEST(SimNetwork, AbortIsSilentHereAndTheEndThere) {
  Pair pair(4);
  ASSERT_TRUE(pair.accepted());
  pair.server->abort();
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
  EXPECT_EQ(pair.at_client.closed, CloseReason::peer_closed);
  EXPECT_EQ(pair.at_server.closed_count, 0);
}

TEST(SimNetwork, DestroyedWithUnreadBytesIsAReset) {
  Pair pair(5);
  ASSERT_TRUE(pair.accepted());
  pair.server->pause_reading();
  pair.client->write("unread");
  pair.world.run_for(100);
  pair.server.reset();
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
  EXPECT_EQ(pair.at_client.closed, CloseReason::reset);
}

TEST(SimNetwork, APausedReaderFillsTheWindowAndTheSendersOutput) {
  StreamOptions options;
  options.output_high_bytes = 100'000;
  options.output_low_bytes = 10'000;
  Pair pair(6, SimFaults{}, options);
  ASSERT_TRUE(pair.accepted());
  pair.at_client.received.clear();
  pair.client->pause_reading();
  const std::string much = pattern(500'000);
  pair.server->write(much);
  pair.world.run_for(1000);
  EXPECT_EQ(pair.server->output_bytes(), much.size() - SimFaults{}.window_bytes);
  EXPECT_FALSE(pair.server->writable());
  EXPECT_EQ(pair.at_client.received, "");
  pair.client->resume_reading();
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received.size() == much.size(); }));
  EXPECT_EQ(pair.at_client.received, much);
  EXPECT_EQ(pair.at_server.writable, 1);
}

TEST(SimNetwork, ExplicitFaultsDoWhatTheySay) {
  Pair pair(7);
  ASSERT_TRUE(pair.accepted());
  pair.network.stall(*pair.client, 500);
  pair.client->write("slow");
  pair.world.run_for(490);
  EXPECT_EQ(pair.at_server.received, "");
  ASSERT_TRUE(pair.until([&] { return pair.at_server.received == "slow"; }, 100));

  pair.network.zero_window(*pair.server, 300);
  pair.server->write("held");
  pair.world.run_for(250);
  EXPECT_EQ(pair.server->output_bytes(), 4u);
  ASSERT_TRUE(pair.until([&] { return pair.at_client.received == "held"; }, 100));

  pair.network.cut(*pair.server);
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed && pair.at_server.closed; }));
  EXPECT_EQ(pair.at_client.closed, CloseReason::reset);
  EXPECT_EQ(pair.at_server.closed, CloseReason::reset);
  pair.network.cut(*pair.server);  // no effect on what has ended
  EXPECT_EQ(pair.network.report().at("cut"), 1u);
}

TEST(SimNetwork, AStreamMovesToAnotherCoreWithoutLosingAByte) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimFaults faults;
    faults.split = 500'000;
    Pair pair(seed, faults);
    SimStreamFactory factory(pair.world.loop(1));
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
    for (int i = 0; i < 20; ++i) {
      const std::string piece = pattern(1 + pair.world.random().below(200));
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

TEST(SimNetwork, ALostParcelEndsTheConnection) {
  Pair pair(9);
  ASSERT_TRUE(pair.accepted());
  pair.server->detach().reset();
  ASSERT_TRUE(pair.until([&] { return pair.at_client.closed.has_value(); }));
  EXPECT_EQ(pair.at_server.closed_count, 0);
}

// Echo over a harsh network: many clients, all faults. Returns trace and counters.
struct HarshResult {
  uint64_t trace = 0;
  std::map<std::string, uint64_t> report;
};

class HarshRun {
 public:
  explicit HarshRun(uint64_t seed) : world_(seed, SimOptions{}), network_(world_, SimFaults::harsh()) {
    for (unsigned core = 0; core < 2; ++core) {
      network_.listen(core, [this](std::unique_ptr<Stream> s) { serve(std::move(s)); });
    }
  }

  HarshResult run() {
    for (int i = 0; i < 40; ++i) add_client();
    for (int round = 0; round < 60; ++round) {
      for (auto& client : clients_) speak(*client);
      world_.run_for(static_cast<int64_t>(world_.random().below(50)));
    }
    network_.set_faults({});
    world_.run_for(20'000);
    check();
    return HarshResult{world_.trace_hash(), network_.report()};
  }

 private:
  struct End : Recorder {
    std::unique_ptr<Stream> stream;
    std::string sent;
  };
  void serve(std::unique_ptr<Stream> s) {
    servers_.push_back(std::make_unique<End>());
    End& end = *servers_.back();
    end.stream = std::move(s);
    end.stream->set_handler(&end);
    end.data = [&end](std::string_view bytes) { end.stream->write(bytes); };
    end.then = [&end] { end.stream.reset(); };
  }
  void add_client() {
    clients_.push_back(std::make_unique<End>());
    End& end = *clients_.back();
    end.stream = network_.connect(world_.client_loop(), static_cast<unsigned>(clients_.size() % 2));
    end.stream->set_handler(&end);
    end.then = [&end] { end.stream.reset(); };
  }
  void speak(End& end) {
    if (end.stream == nullptr) return;
    const std::string bytes = pattern(1 + world_.random().below(3000));
    end.sent += bytes;
    end.stream->write(bytes);
  }
  void check() {
    std::size_t whole = 0;
    for (const auto& client : clients_) {
      ASSERT_EQ(client->received, client->sent.substr(0, client->received.size())) << "not an echoed prefix";
      ASSERT_LE(client->closed_count, 1);
      if (client->stream == nullptr) continue;
      ++whole;
      ASSERT_EQ(client->received, client->sent) << "a connection that lives must deliver all";
    }
    EXPECT_GT(whole, 0u);
    for (const auto& server : servers_) ASSERT_LE(server->closed_count, 1);
    // Every connection that ended at one end has ended at the other.
    std::size_t served = 0;
    for (const auto& server : servers_) served += server->stream != nullptr ? 1 : 0;
    EXPECT_EQ(served, whole);
  }

  SimWorld world_;
  SimNetwork network_;
  std::vector<std::unique_ptr<End>> clients_;
  std::vector<std::unique_ptr<End>> servers_;
};

TEST(SimNetwork, UnderAllFaultsWhatArrivesIsAPrefixAndEndsAreToldOnce) {
  std::map<std::string, uint64_t> total;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const HarshResult result = HarshRun(seed).run();
    if (testing::Test::HasFatalFailure()) {
      FAIL() << "seed " << seed;
    }
    for (const auto& [kind, count] : result.report) total[kind] += count;
  }
  for (const char* kind : {"connect", "split", "cut", "half_close", "stall", "zero_window", "reset"}) {
    EXPECT_GT(total[kind], 0u) << kind;
  }
}

TEST(SimNetwork, TheSameSeedGivesTheSameTraceAndFaults) {
  for (uint64_t seed = 100; seed < 105; ++seed) {
    const HarshResult first = HarshRun(seed).run();
    const HarshResult second = HarshRun(seed).run();
    EXPECT_EQ(first.trace, second.trace);
    EXPECT_EQ(first.report, second.report);
    EXPECT_NE(first.trace, HarshRun(seed + 1000).run().trace);
  }
}

}  // namespace
}  // namespace arena::net
