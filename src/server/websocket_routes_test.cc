// Goal: MQTT over WebSocket is the MQTT of every other door, whichever way its packets lie in frames.
#include "server/websocket_routes.h"

#include <algorithm>

#include "codec/websocket/test_frames.h"
#include "gateway/mqtt/test_door.h"
#include "net/websocket/stream.h"

namespace arena::server {
namespace {

namespace am = arena::mqtt;
using gateway::mqtt::test::DoorWorld;
using gateway::mqtt::test::FakeStream;
using gateway::mqtt::test::Wire;
using websocket::test::bytes_of;

constexpr std::string_view kUpgrade =
    "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

struct SocketWorld {
  explicit SocketWorld(const gateway::mqtt::Options& options = {}) : mqtt(1, options) {
    add_websocket_routes({http, *mqtt.doors[0], core, limits}, "/mqtt");
  }

  gateway::http::Uploads uploads;
  DoorWorld mqtt;
  runtime::Loop& loop = mqtt.broker.sim().loop(0);
  std::shared_ptr<access::PasswordQueue> passwords = std::make_shared<access::PasswordQueue>(4);
  access::Authenticator authenticator{loop, std::make_shared<const access::AuthSettings>(), passwords};
  gateway::http::Counters counters;
  gateway::http::Door http{loop, authenticator, std::make_shared<const gateway::http::Options>(), mqtt.admission, uploads, counters};
  net::WebSocketCore core{loop};
  net::WebSocketLimitsRef limits = net::share_limits(net::WebSocketLimits{});
};

class SocketClient {
 public:
  explicit SocketClient(SocketWorld& world) : world_(world) {
    world.http.accept(std::make_unique<FakeStream>(world.loop, wire_));
    bytes(kUpgrade);
    take("\r\n\r\n");
  }
  ~SocketClient() {
    if (wire_->stream != nullptr) wire_->stream->finish(net::CloseReason::reset);
    world_.mqtt.run_ms(1);
  }

  void bytes(std::string_view raw) {
    wire_->to_server += raw;
    if (wire_->stream != nullptr) wire_->stream->pump();
    world_.mqtt.run_ms(1);
  }
  void frame(unsigned first, const std::string& payload) { bytes(bytes_of({first, payload})); }
  // What came up to and with this.
  std::string take(std::string_view end) {
    world_.mqtt.broker.sim().run_until([&] { return received().find(end) != std::string::npos || wire_->closed; }, 1000);
    const std::size_t size = std::min(received().size(), received().find(end) + end.size());
    const std::string out = received().substr(0, size);
    received().erase(0, size);
    return out;
  }
  std::string& received() {
    if (wire_->stream != nullptr) wire_->stream->collect();
    return wire_->to_client;
  }
  bool closed() {
    return world_.mqtt.broker.sim().run_until([this] { return wire_->closed; }, 1000);
  }

 private:
  SocketWorld& world_;
  std::shared_ptr<Wire> wire_ = std::make_shared<Wire>();
};

std::string packet(const am::Packet& one) {
  std::string out;
  EXPECT_TRUE(am::encode(out, one, am::Version::v5));
  return out;
}

std::string connect_packet() {
  am::Connect connect;
  connect.version = am::Version::v5;
  connect.client_id = "socket";
  connect.clean_start = true;
  return packet(connect);
}

std::string publish_packet(std::string_view payload) {
  am::Publish publish;
  publish.topic = "t";
  publish.payload = payload;
  return packet(publish);
}

std::string subscribe_packet() {
  am::Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.subscriptions.push_back({"t", Guarantee::at_most_once});
  return packet(subscribe);
}

const std::string kPong = bytes_of({0x82, std::string("\xD0\x00", 2), false});

// [5 MQTT-6.0.0-2] [3.1.1 MQTT-6.0.0-2]
TEST(MqttOverWebSocket, PacketsLieInFramesAnyWay) {
  const std::string packets = connect_packet() + subscribe_packet() + publish_packet("one") + publish_packet(std::string(300, 'x')) + publish_packet("last");
  for (std::size_t piece = 1; piece <= packets.size(); piece += 1 + piece / 8) {
    SocketWorld world;
    SocketClient client(world);
    for (std::size_t at = 0; at < packets.size(); at += piece) {
      const bool first = at == 0, last = at + piece >= packets.size(), one_message = piece % 2 == 0;
      client.frame(one_message ? (first ? 0x02U : 0U) | (last ? 0x80U : 0U) : 0x82U, packets.substr(at, piece));
    }
    const std::string heard = client.take("last");
    EXPECT_NE(heard.find("one"), std::string::npos) << piece;
    EXPECT_NE(heard.find(std::string(300, 'x')), std::string::npos) << piece;
    EXPECT_TRUE(heard.ends_with("last")) << piece;
  }
}

// [5 MQTT-6.0.0-1] [3.1.1 MQTT-6.0.0-1]
TEST(MqttOverWebSocket, TextEndsTheConnectionAndItsSessionHearsOfIt) {
  SocketWorld world;
  SocketClient client(world);
  client.frame(0x82, connect_packet());
  EXPECT_EQ(world.mqtt.connections(), 1u);
  client.frame(0x81, std::string("\xC0\x00", 2));
  EXPECT_TRUE(client.closed());
  EXPECT_NE(client.received().find(std::string("\x03\xEB", 2)), std::string::npos) << "1003";
  world.mqtt.run_ms(3000);
  EXPECT_EQ(world.mqtt.connections(), 0u);
}

// [5 MQTT-6.0.0-4] [3.1.1 MQTT-6.0.0-4]
TEST(MqttOverWebSocket, TheSubprotocolIsMqtt) {
  SocketWorld world;
  const std::shared_ptr<Wire> wire = std::make_shared<Wire>();
  world.http.accept(std::make_unique<FakeStream>(world.loop, wire));
  wire->to_server = kUpgrade;
  wire->stream->pump();
  world.mqtt.run_ms(1);
  wire->stream->collect();
  EXPECT_NE(wire->to_client.find("\r\nsec-websocket-protocol: mqtt\r\n"), std::string::npos) << wire->to_client;
}

TEST(MqttOverWebSocket, ADisconnectIsFollowedByTheCloseOfTheSocket) {
  SocketWorld world;
  SocketClient client(world);
  client.frame(0x82, connect_packet());
  client.frame(0x82, connect_packet());  // a second one: 0x82
  EXPECT_TRUE(client.closed());
  const std::string& heard = client.received();
  EXPECT_NE(heard.find("a second CONNECT"), std::string::npos);
  EXPECT_TRUE(heard.ends_with(std::string("\x88\x02\x03\xE8", 4))) << "1000";
}

TEST(MqttOverWebSocket, AnswersPingsOfBothKinds) {
  SocketWorld world;
  SocketClient client(world);
  client.frame(0x82, connect_packet());
  client.received().clear();
  client.frame(0x89, "socket");
  EXPECT_EQ(client.received(), bytes_of({0x8A, "socket", false}));
  client.received().clear();
  client.frame(0x82, std::string("\xC0\x00", 2));
  EXPECT_EQ(client.received(), kPong);
}

// Who has upgraded and says nothing is as half open as who has connected and says nothing.
TEST(MqttOverWebSocket, WhoSaysNothingIsHalfOpenAndIsClosedInTime) {
  gateway::mqtt::Options options;
  options.half_open_max = 2;
  options.connect_timeout_ms = 500;
  SocketWorld world(options);
  SocketClient first(world), second(world), third(world);
  EXPECT_EQ(world.mqtt.admission.half_open(), 2u) << "the oldest gave way";
  EXPECT_TRUE(first.closed());
  EXPECT_EQ(world.mqtt.counters[0]->refused[static_cast<std::size_t>(gateway::mqtt::Refused::half_open)].get(), 1u);
  third.frame(0x82, connect_packet());
  EXPECT_EQ(world.mqtt.admission.half_open(), 1u);
  EXPECT_TRUE(second.closed());
  world.mqtt.run_ms(3000);
  EXPECT_EQ(world.mqtt.admission.connections(), 1u);
}

TEST(MqttOverWebSocket, TwoDoorsOneTopic) {
  SocketWorld world;
  SocketClient client(world);
  client.frame(0x82, connect_packet() + subscribe_packet());
  gateway::mqtt::test::Talker talker(world.mqtt);
  talker.connect("tcp");
  talker.subscribe("t");
  talker.publish("t", "from tcp");
  EXPECT_TRUE(client.take("from tcp").ends_with("from tcp"));
  EXPECT_EQ(talker.next<am::Publish>().payload, "from tcp");
  client.frame(0x82, publish_packet("from a socket"));
  EXPECT_EQ(talker.next<am::Publish>().payload, "from a socket");
}

}  // namespace
}  // namespace arena::server
