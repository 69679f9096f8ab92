#include "stress/storm.h"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace arena::stress {
namespace {

constexpr int kOperationsPerRound = 16;
constexpr std::size_t kWaitingMax = 40;  // for their CONNACK, or for the end
constexpr std::size_t kUnansweredMax = 10;
constexpr std::size_t kOpenPublishesMax = 50;  // below the receive maximum of the server
constexpr const char* kFilters[] = {"s/+/1", "s/3/#", "s/#", "#", "+/5/+", "s/7/2", "s/1/0", "s/1/1", "s/2/0", "$SYS/#"};
constexpr const char* kGroupFilters[] = {"$share/g/s/+/2", "$share/g/s/4/#", "$share/h/s/1/1", "$share/h/s/#"};

}  // namespace

std::string storm_client_id(unsigned number) { return "storm-" + std::to_string(number); }

Storm::Storm(const StormOptions& options) : options_(options), random_(options.seed) {
  for (std::size_t i = 0; i < options.clients; ++i) clients_.push_back(std::make_unique<SocketClient>());
}

void Storm::run(const std::atomic<bool>& stop) {
  const runtime::Deadline deadline(options_.within_ms);
  while (done_ < options_.operations && !stop && !deadline.passed()) {
    for (int i = 0; i < kOperationsPerRound; ++i) act();
    serve_all();
  }
}

void Storm::calm() {
  for (const auto& client : clients_) client->close();
}

std::map<std::string, uint64_t> Storm::tally() const {
  std::map<std::string, uint64_t> out = tally_;
  for (const auto& client : clients_) {
    for (const auto& [kind, times] : client->heard()) out["heard " + kind] += times;
  }
  return out;
}

std::vector<std::string> Storm::faults() const {
  std::vector<std::string> out;
  for (const auto& client : clients_) {
    if (!client->fault().empty()) out.push_back(client->fault());
  }
  return out;
}

// Mostly those that are connected do something. They are few, as they share so few ids: were everybody to connect all
// the time, nobody would live long enough to say anything.
void Storm::act() {
  if (!connected_.empty() && !one_in(20)) {
    SocketClient& client = *connected_[random_.below(connected_.size())];
    if (!client.connected() || client.frozen) return;  // since this round began
    // A machine that is busy elsewhere answers slowly; then the storm is slow, too.
    if (client.subscribes_open() + client.open_publishes() >= kUnansweredMax && !one_in(50)) return;
    ++done_;
    return one_in(60) ? vanish(client) : use(client);
  }
  SocketClient& client = any();
  if (client.state() == SocketClient::State::idle) {
    if (waiting_ >= kWaitingMax || (connected_.size() > options_.ids / 2 && !one_in(8))) return;  // the server is to be busy with more than connections
    ++waiting_;
    connect(client);
  } else if (client.state() == SocketClient::State::half_closed || client.frozen) {
    if (one_in(4)) client.reset();
  } else if (one_in(20)) {
    vanish(client);  // perhaps before its CONNACK
  } else {
    return;
  }
  ++done_;
}

mqtt::Connect Storm::random_connect() {
  mqtt::Connect packet;
  packet.version = one_in(2) ? mqtt::Version::v5 : mqtt::Version::v3_1_1;
  packet.clean_start = one_in(3);
  packet.keep_alive_s = static_cast<uint16_t>(one_in(10) ? 1 : random_.between(0, 60));
  name_ = storm_client_id(static_cast<unsigned>(random_.below(options_.ids)));
  packet.client_id = name_;
  if (one_in(3)) add_will(packet);
  if (packet.version != mqtt::Version::v5) return packet;
  if (!one_in(4)) packet.properties.session_expiry_interval_s = static_cast<uint32_t>(one_in(5) ? 1 : 300);
  if (one_in(3)) packet.properties.receive_maximum = static_cast<uint16_t>(random_.between(1, 20));
  if (one_in(5)) packet.properties.maximum_packet_size = static_cast<uint32_t>(random_.between(200, 5000));
  if (one_in(3)) packet.properties.topic_alias_maximum = static_cast<uint16_t>(random_.between(1, 8));
  return packet;
}

void Storm::add_will(mqtt::Connect& packet) {
  mqtt::Will& will = packet.will.emplace();
  will.topic = "s/1/1";
  will.payload = "gone";
  will.qos = random_qos();
  will.retain = one_in(4);
  if (packet.version == mqtt::Version::v5 && one_in(3)) will.properties.will_delay_interval_s = 1;
  count("will");
}

void Storm::connect(SocketClient& client) {
  if (!client.connect(options_.port, random_connect())) {
    count("no socket");
    return;
  }
  count("connect");
  if (!one_in(3)) return;
  count("pipelined");  // behind the CONNECT, so that it travels along when the connection moves
  client.subscribe(random_filter(), random_qos());
  publish(client);
}

std::string Storm::random_topic() {
  return "s/" + std::to_string(random_.below(12)) + "/" + std::to_string(random_.below(4));
}

std::string Storm::random_filter() {
  if (one_in(4)) return kGroupFilters[random_.below(std::size(kGroupFilters))];
  if (one_in(2)) return random_topic();
  return kFilters[random_.below(std::size(kFilters))];
}

void Storm::use(SocketClient& client) {
  switch (random_.below(10)) {
    case 0:
    case 1:
      return subscribe(client);
    case 2:
      count("unsubscribe");
      return client.unsubscribe(random_filter());
    case 3:
      return client.send(mqtt::Pingreq{});
    case 4:
      if (!one_in(10)) return publish(client);
      return misbehave(client);
    default:
      return publish(client);
  }
}

void Storm::subscribe(SocketClient& client) {
  count("subscribe");
  client.subscribe(random_filter(), random_qos());
}

void Storm::publish(SocketClient& client) {
  Guarantee qos = random_qos();
  if (client.open_publishes() >= kOpenPublishesMax) qos = Guarantee::at_most_once;
  const uint64_t bytes = one_in(100) ? 100'000 : one_in(10) ? random_.between(1000, 5000) : random_.between(0, 60);
  payload_.assign(bytes, 'x');
  const bool retain = one_in(8);
  count(retain ? "publish retained" : "publish");
  client.publish(random_topic(), payload_, qos, retain);
}

void Storm::vanish(SocketClient& client) {
  mqtt::Disconnect goodbye;
  switch (random_.below(7)) {
    case 0:
      count("vanish: reset");
      return client.reset();
    case 1:
      count("vanish: half-close");
      return client.half_close();
    case 2:
      count("vanish: frozen");
      client.frozen = true;
      return;
    case 3:
      count("vanish: in the middle of a packet");
      client.send_bytes("\x32\x7f\x00");
      client.serve();
      return client.close();
    case 4:
      count("vanish: with a will");
      goodbye.reason = mqtt::Reason::disconnect_with_will;
      [[fallthrough]];
    case 5:
      count("vanish: goodbye");
      client.send(goodbye);
      client.serve();
      return one_in(2) ? client.close() : client.half_close();
    default:
      count("vanish: close");
      return client.close();
  }
}

void Storm::misbehave(SocketClient& client) {
  mqtt::Ack ack;
  switch (random_.below(5)) {
    case 0:
      count("misbehave: garbage");
      return client.send_bytes("\xf7\xff\xff\xff\xff garbage");
    case 1:
      count("misbehave: CONNECT again");
      return client.send(random_connect());
    case 2:
      count("misbehave: PUBREL out of the blue");
      ack.type = mqtt::PacketType::pubrel;
      break;
    case 3:
      count("misbehave: PUBREC out of the blue");
      ack.type = mqtt::PacketType::pubrec;
      break;
    default:
      count("misbehave: PUBACK out of the blue");
  }
  ack.packet_id = static_cast<uint16_t>(random_.between(1, 20));
  client.send(ack);
}

void Storm::serve_all() {
  std::vector<pollfd> watched;
  std::vector<SocketClient*> whose;
  for (const auto& client : clients_) {
    const short events = client->wanted_events();
    if (events == 0) continue;
    watched.push_back({client->fd(), events, 0});
    whose.push_back(client.get());
  }
  ::poll(watched.data(), watched.size(), 1);
  for (std::size_t i = 0; i < watched.size(); ++i) {
    if (watched[i].revents != 0) whose[i]->serve();
  }
  connected_.clear();
  waiting_ = 0;
  for (const auto& client : clients_) {
    const bool connected = client->connected();
    if (connected && !client->frozen) connected_.push_back(client.get());
    if (!connected && client->fd() >= 0) ++waiting_;
  }
}

}  // namespace arena::stress
