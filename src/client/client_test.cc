// Goal: a client on a stream of the simulated network: keep-alive, goodbye, and starting again.
#include "client/client.h"

#include <gtest/gtest.h>

#include <memory>

#include "client/test_server.h"
#include "net/sim_network.h"

namespace arena::client {
namespace {

// Reads and answers nothing but what the test says.
struct Server : net::StreamHandler {
  std::unique_ptr<net::Stream> stream;
  std::string input;
  bool closed = false;
  void on_data(std::string_view bytes) override { input.append(bytes); }
  void on_writable() override {}
  void on_closed(net::CloseReason) override {
    closed = true;
    stream.reset();
  }
  template <typename P>
  void say(const P& packet) {
    mqtt::encode(stream->output(), packet, mqtt::Version::v5);
    stream->mark_dirty();
  }
};

class ClientTest : public testing::Test {
 protected:
  ClientTest() : network(world) {
    network.listen(0, [this](std::unique_ptr<net::Stream> stream) {
      server = Server{};
      server.stream = std::move(stream);
      server.stream->set_handler(&server);
    });
  }
  ~ClientTest() override {
    client.abort();
    server.stream.reset();
  }
  void run_ms(int64_t ms) { world.run_for(ms); }
  void connect() {
    client.start(network.connect(world.client_loop(), 0));
    run_ms(50);
    server.say(mqtt::Connack{});
    run_ms(50);
    server.input.clear();
  }
  static ClientOptions options() {
    ClientOptions o;
    o.client_id = "c";
    o.keep_alive_s = 10;
    return o;
  }

  runtime::SimWorld world{7};
  net::SimNetwork network;
  Server server;
  Listener listener;
  ClientSession session;
  Client client{world.client_loop(), options(), session, listener};
};

TEST_F(ClientTest, PingsAndGivesUpWhenNothingComesBack) {
  connect();
  EXPECT_TRUE(client.connected());
  run_ms(10'200);
  EXPECT_EQ(said(server.input, mqtt::Version::v5), Lines{"PINGREQ"});
  server.say(mqtt::Pingresp{});
  run_ms(10'000);
  EXPECT_EQ(said(server.input, mqtt::Version::v5), (Lines{"PINGREQ", "PINGREQ"}));
  run_ms(15'000);
  EXPECT_EQ(listener.take(), (Lines{"connack success", "pong", "closed: the server does not answer"}));
  EXPECT_FALSE(client.open());
}

TEST_F(ClientTest, SaysGoodbye) {
  connect();
  client.disconnect();
  run_ms(5000);
  EXPECT_EQ(said(server.input, mqtt::Version::v5), Lines{"DISCONNECT success"});
  EXPECT_TRUE(server.closed);
  EXPECT_EQ(listener.take(), (Lines{"connack success", "closed: disconnected"}));
}

TEST_F(ClientTest, StartsAgainAndResends) {
  client.options().clean_start = false;
  connect();
  mqtt::Publish packet;
  packet.topic = "t";
  packet.qos = Guarantee::at_least_once;
  EXPECT_EQ(client.publish(packet), 1);
  network.cut(*client.stream());
  run_ms(100);
  EXPECT_FALSE(client.open());
  EXPECT_EQ(client.publish(packet), 2);  // between connections
  client.start(network.connect(world.client_loop(), 0));
  run_ms(50);
  server.input.clear();
  server.say(mqtt::Connack{true, mqtt::Reason::success, {}});
  run_ms(50);
  EXPECT_EQ(said(server.input, mqtt::Version::v5), (Lines{"PUBLISH 1 dup", "PUBLISH 2"}));
}

struct AbortsAtMessages : Listener {
  Client* client = nullptr;
  void on_message(const mqtt::Publish& p) override {
    Listener::on_message(p);
    client->abort();
  }
};

TEST_F(ClientTest, MayBeAbortedInsideACall) {
  AbortsAtMessages aborting;
  ClientSession other_session;
  Client other(world.client_loop(), options(), other_session, aborting);
  aborting.client = &other;
  other.start(network.connect(world.client_loop(), 0));
  run_ms(50);
  server.say(mqtt::Connack{});
  mqtt::Publish packet;
  packet.topic = "t";
  server.say(packet);
  server.say(packet);
  run_ms(50);
  EXPECT_EQ(aborting.take(), (Lines{"connack success", "message t="}));
  EXPECT_FALSE(other.open());
}

}  // namespace
}  // namespace arena::client
