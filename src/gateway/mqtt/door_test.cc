// What concerns the door as a whole: draining, limits, publishers that are slowed.
#include "gateway/mqtt/test_door.h"

namespace arena::gateway::mqtt::test {
namespace {

// A drain waits until no connection is left: those that have not said who they are must not use up its time.
TEST(MqttDoor, ClosesConnectionsWithoutConnectWhenShut) {
  DoorWorld world(2);
  Talker silent(world), open(world), elsewhere(world, Version::v5, 1);
  open.connect("open");
  elsewhere.bytes("\x10");
  for (const auto& door : world.doors) door->shut();
  EXPECT_TRUE(open.silent());
  EXPECT_TRUE(silent.is_closed());
  EXPECT_TRUE(elsewhere.is_closed());
  EXPECT_EQ(world.connections(), 1u);
  EXPECT_EQ(world.admission.half_open(), 0u);
}

// A connection that was on its way to another core when the doors shut is not let in any more.
TEST(MqttDoor, LetsNobodyInWhoArrivesAfterItShut) {
  DoorWorld world(2);
  std::deque<Talker> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back(world);
    clients.back().say(clients.back().connect_packet("client-" + std::to_string(i)));
  }
  for (const auto& door : world.doors) door->shut();
  std::size_t drained = 0;
  for (unsigned core = 0; core < 2; ++core) world.broker.shard(core).drain([&drained] { ++drained; });
  world.run_ms(1000);
  EXPECT_EQ(drained, 2u);
  EXPECT_EQ(world.connections(), 0u);
  EXPECT_EQ(world.admission.connections(), 0u);
  EXPECT_EQ(world.admission.half_open(), 0u);
}

uint64_t refused(const DoorWorld& world, Refused reason) {
  uint64_t n = 0;
  for (const auto& counters : world.counters) n += counters->refused[static_cast<std::size_t>(reason)].get();
  return n;
}

TEST(MqttDoor, RefusesMoreConnectionsThanItsLimit) {
  Options options;
  options.connections_max = 2;
  DoorWorld world(1, options);
  Talker first(world);
  first.connect("first");
  Talker second(world);
  second.connect("second");
  Talker third(world);
  EXPECT_TRUE(third.is_closed());
  EXPECT_EQ(refused(world, Refused::connections), 1u);
  first.vanish();
  world.run_ms(10);
  Talker fourth(world);
  EXPECT_EQ(fourth.connect("fourth").reason, Reason::success);
}

TEST(MqttDoor, RefusesMoreConnectionsFromOneAddressThanItsLimit) {
  Options options;
  options.connections_per_address_max = 2;
  DoorWorld world(2, options);
  const auto open = [&](const char* ip, unsigned core) { return std::make_unique<Talker>(world, Version::v5, core, ip); };
  const auto first = open("192.0.2.1", 0), second = open("192.0.2.1", 1);
  first->connect("first");   // a seat is kept when its connection moves
  second->connect("second");
  EXPECT_TRUE(open("192.0.2.1", 0)->is_closed());
  EXPECT_EQ(refused(world, Refused::connections_per_address), 1u);
  EXPECT_FALSE(open("192.0.2.2", 0)->is_closed());
  first->vanish();
  world.run_ms(10);
  EXPECT_FALSE(open("192.0.2.1", 0)->is_closed());
}

// Slowloris: those who say nothing hold no place that somebody who speaks needs.
TEST(MqttDoor, ClosesTheOldestSilentConnectionWhenHalfOpenPlacesRunOut) {
  Options options;
  options.half_open_max = 2;
  DoorWorld world(1, options);
  Talker oldest(world), old(world), young(world);
  EXPECT_TRUE(oldest.is_closed());
  EXPECT_FALSE(old.is_closed());
  EXPECT_EQ(young.connect("young").reason, Reason::success);
  EXPECT_EQ(world.admission.half_open(), 1u);
  EXPECT_EQ(world.admission.connections(), 2u);
  EXPECT_EQ(refused(world, Refused::half_open), 1u);
}

TEST(MqttDoor, RefusesAnAddressThatConnectsFasterThanItsRate) {
  Options options;
  options.connects_per_address_per_s = 1;
  DoorWorld world(1, options);
  std::deque<Talker> clients;
  std::size_t let_in = 0;
  for (int i = 0; i < 40; ++i) let_in += !clients.emplace_back(world, Version::v5, 0, "192.0.2.1").is_closed();
  EXPECT_NEAR(static_cast<double>(let_in), access::kConnectRateWindowS, 1);
  EXPECT_EQ(refused(world, Refused::connect_rate), 40 - let_in);
  EXPECT_FALSE(clients.emplace_back(world, Version::v5, 0, "192.0.2.2").is_closed());
  world.run_ms(1000);
  EXPECT_FALSE(clients.emplace_back(world, Version::v5, 0, "192.0.2.1").is_closed());
  EXPECT_TRUE(clients.emplace_back(world, Version::v5, 0, "192.0.2.1").is_closed());
}

// One customer has a whole /64.
TEST(MqttDoor, TakesAnIpv6NetworkForOneAddress) {
  EXPECT_EQ(access::address_key("2001:db8::1", 7), access::address_key("2001:db8::ffff:1", 7));
  EXPECT_NE(access::address_key("2001:db8::1", 7), access::address_key("2001:db8:0:1::1", 7));
  EXPECT_NE(access::address_key("192.0.2.1", 7), access::address_key("192.0.2.2", 7));
}

std::string id_at_home_on(DoorWorld& world, unsigned core) {
  for (int i = 0;; ++i) {
    std::string id = "pub-" + std::to_string(i);
    if (world.broker.shard(0).home_core(broker::session_key(Principal{}, id)) == core) return id;
  }
}

// The keep-alive is about what the client does not send; what is not read is no silence of the client's.
TEST(MqttDoor, DoesNotTakeASlowedPublisherForDead) {
  Options options;
  options.acks_pending_max = 1;
  DoorWorld world(2, options);
  Talker pub(world, Version::v3_1_1);
  const std::string id = id_at_home_on(world, 0);
  am::Connect packet = pub.connect_packet(id);
  packet.keep_alive_s = 1;
  pub.connect(packet);
  world.broker.sim().pause_core(1, 5000);
  std::string all;
  for (int i = 0; i < 20; ++i) all += pub.encoded(pub.message("topic-" + std::to_string(i), "", k1));
  pub.bytes(all);
  for (int i = 0; i < 5; ++i) {
    world.run_ms(900);
    pub.say(am::Pingreq{});
    pub.next<am::Pingresp>();  // goes past what waits
  }
  for (uint16_t i = 1; i <= 20; ++i) pub.acked(am::PacketType::puback, i);
  EXPECT_TRUE(pub.silent(1000));
  EXPECT_TRUE(pub.closed());  // but silence it is now
}

}  // namespace
}  // namespace arena::gateway::mqtt::test
