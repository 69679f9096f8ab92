#include "stress/aftermath.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "runtime/main_thread.h"
#include "stress/storm.h"

namespace arena::stress {
namespace {

constexpr int64_t kPatienceMs = 20'000;

mqtt::Connect connect_as(std::string_view client_id, mqtt::Version version, bool clean) {
  mqtt::Connect packet;
  packet.version = version;
  packet.client_id = client_id;
  packet.clean_start = clean;
  if (version == mqtt::Version::v5 && !clean) packet.properties.session_expiry_interval_s = 300;
  return packet;
}

bool let_in(SocketClient& client) { return client.connected() && *client.connack() == mqtt::Reason::success; }

bool has(const SocketClient& client, std::string_view topic, std::string_view payload) {
  return std::any_of(client.inbox.begin(), client.inbox.end(), [&](const SocketClient::Incoming& message) {
    return message.topic == topic && message.payload == payload;
  });
}

bool gets_own_message(SocketClient& client, const std::string& topic, Guarantee qos, int64_t within_ms) {
  const std::string payload = "for " + topic;
  client.keeps_messages = true;
  client.inbox.clear();
  client.subscribe(topic, qos);
  if (!serve_until({&client}, [&] { return client.subscribes_open() == 0; }, within_ms)) return false;
  client.publish(topic, payload, qos);
  return serve_until({&client}, [&] { return has(client, topic, payload) && client.open_publishes() == 0; }, within_ms);
}

// Two pings without a message in between: nothing was ready to be sent.
bool takes_what_waits(SocketClient& client) {
  const runtime::Deadline deadline(kPatienceMs);
  for (int quiet = 0; quiet < 3 && !deadline.passed();) {
    const uint64_t received = client.received();
    const uint64_t pongs = client.pongs();
    client.send(mqtt::Pingreq{});
    if (!serve_until({&client}, [&] { return client.pongs() > pongs; }, kPatienceMs)) return false;
    quiet = client.received() == received ? quiet + 1 : 0;
  }
  return !deadline.passed();
}

bool discard_session(uint16_t port, const std::string& id) {
  SocketClient client;
  if (!client.connect(port, connect_as(id, mqtt::Version::v3_1_1, true))) return false;
  if (!serve_until({&client}, [&] { return let_in(client); }, kPatienceMs)) return false;
  client.send(mqtt::Disconnect{});
  return serve_until({&client}, [&] { return client.state() == SocketClient::State::idle; }, kPatienceMs);
}

}  // namespace

bool Checks::expect(bool good, std::string_view what) {
  ++(good ? passed_ : failed_);
  if (!good) std::printf("FAIL %.*s\n", static_cast<int>(what.size()), what.data());
  return good;
}

bool serve_until(const std::vector<SocketClient*>& clients, const std::function<bool()>& done, int64_t within_ms) {
  const runtime::Deadline deadline(within_ms);
  while (!done()) {
    if (deadline.passed()) return false;
    std::vector<pollfd> watched;
    for (const SocketClient* client : clients) watched.push_back({client->fd(), client->wanted_events(), 0});
    ::poll(watched.data(), watched.size(), 5);
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (watched[i].revents != 0) clients[i]->serve();
    }
  }
  return true;
}

void check_fresh_clients(Checks& checks, uint16_t port) {
  for (const mqtt::Version version : {mqtt::Version::v3_1_1, mqtt::Version::v5}) {
    for (const Guarantee qos : {Guarantee::at_most_once, Guarantee::at_least_once, Guarantee::exactly_once}) {
      const std::string name = std::string(mqtt::to_string(version)) + "-" + std::to_string(static_cast<int>(qos));
      SocketClient client;
      client.connect(port, connect_as("fresh-" + name, version, true));
      const bool in = serve_until({&client}, [&] { return let_in(client); }, kPatienceMs);
      if (!checks.expect(in, "a fresh client is let in: " + name)) continue;
      checks.expect(gets_own_message(client, "fresh/" + name, qos, kPatienceMs),
                    "a fresh client gets its own message: " + name);
    }
  }
}

void check_sessions_drain(Checks& checks, uint16_t port, unsigned ids) {
  std::size_t drained = 0;
  for (unsigned number = 0; number < ids; ++number) {
    const std::string id = storm_client_id(number);
    SocketClient client;
    client.connect(port, connect_as(id, mqtt::Version::v5, false));
    if (!serve_until({&client}, [&] { return let_in(client); }, kPatienceMs)) {
      std::printf("  %s was not let in\n", id.c_str());
    } else if (!takes_what_waits(client)) {
      std::printf("  %s: no end of what waits, or no PINGRESP; %s\n", id.c_str(), client.fault().c_str());
    } else if (!gets_own_message(client, "drain/" + id, Guarantee::at_least_once, kPatienceMs)) {
      std::printf("  %s: got no new message; %s\n", id.c_str(), client.fault().c_str());
    } else if (client.close(); !discard_session(port, id)) {
      std::printf("  %s: its session could not be discarded\n", id.c_str());
    } else {
      ++drained;
    }
  }
  checks.expect(drained == ids, "all sessions are drained and discarded: " + std::to_string(drained) + " of " +
                                    std::to_string(ids));
}

void check_counters(Checks& checks, uint16_t port) {
  SocketClient client;
  client.keeps_messages = true;
  client.connect(port, connect_as("auditor", mqtt::Version::v5, true));
  serve_until({&client}, [&] { return let_in(client); }, kPatienceMs);
  const std::pair<const char*, const char*> expected[] = {
      {"$SYS/broker/clients/connected", "1"},
      {"$SYS/broker/clients/total", "1"},
      {"$SYS/broker/subscriptions/count", "4"},
      {"$SYS/broker/shared_subscriptions/count", "0"},
  };
  for (const auto& [topic, value] : expected) client.subscribe(topic, Guarantee::at_most_once);
  for (const auto& [topic, value] : expected) {
    const auto latest = [&, topic = topic]() -> std::string {
      for (auto it = client.inbox.rbegin(); it != client.inbox.rend(); ++it) {
        if (it->topic == topic) return it->payload;
      }
      return "nothing";
    };
    serve_until({&client}, [&, value = value] { return latest() == value; }, kPatienceMs);
    checks.expect(latest() == value, std::string(topic) + " comes to " + value + ": it is " + latest());
  }
}

void check_all_places_free(Checks& checks, uint16_t port, std::vector<std::unique_ptr<SocketClient>>& crowd,
                           std::size_t places) {
  std::vector<SocketClient*> all;
  for (std::size_t i = 0; i < places; ++i) {
    crowd.push_back(std::make_unique<SocketClient>());
    all.push_back(crowd.back().get());
    all.back()->connect(port, connect_as("crowd-" + std::to_string(i), mqtt::Version::v5, true));
  }
  const auto inside = [&] { return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](SocketClient* c) { return let_in(*c); })); };
  serve_until(all, [&] { return inside() == places; }, kPatienceMs);
  checks.expect(inside() == places, "no connection was leaked: " + std::to_string(inside()) + " of " +
                                        std::to_string(places) + " places are free");
}

}  // namespace arena::stress
