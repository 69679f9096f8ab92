// For tests: MQTT clients made of packets, talking to real doors over simulated cores. No sockets, virtual time.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/test_world.h"
#include "codec/mqtt/decoder.h"
#include "codec/mqtt/encoder.h"
#include "gateway/mqtt/door.h"

namespace arena::gateway::mqtt::test {

namespace am = arena::mqtt;
using am::Reason;
using am::Version;
constexpr auto k0 = Guarantee::at_most_once;
constexpr auto k1 = Guarantee::at_least_once;
constexpr auto k2 = Guarantee::exactly_once;

class FakeStream;

// What lies between a client and whichever core its connection is on.
struct Wire {
  FakeStream* stream = nullptr;  // null while it moves, and when it is over
  std::string ip = "127.0.0.1";
  bool loopback = true;
  std::string to_server;
  std::string to_client;
  bool closed = false;  // by the server
  bool gone = false;    // the client is
  unsigned moves = 0;
};

class FakeStream : public net::Stream {
 public:
  FakeStream(runtime::Loop& loop, std::shared_ptr<Wire> wire)
      : Stream(net::PeerAddress(wire->ip, 4242, wire->loopback), net::share({})), loop_(loop), wire_(std::move(wire)) {
    wire_->stream = this;
    if (!wire_->gone) return;
    loop_.post(loop_.core(), [wire = wire_, self = this] {
      if (wire->stream == self) self->finish(net::CloseReason::reset);
    });
  }
  ~FakeStream() override { leave(); }

  void pause_reading() override { paused_ = true; }
  void resume_reading() override {
    paused_ = false;
    loop_.post(loop_.core(), [wire = wire_] {
      if (wire->stream != nullptr) wire->stream->pump();
    });
  }
  void close() override {
    collect();
    closing_ = true;
    wire_->closed = true;
    loop_.post(loop_.core(), [wire = wire_, self = this] {
      if (wire->stream == self) self->finish(net::CloseReason::local);
    });
  }
  void abort() override {
    wire_->closed = true;
    leave();
  }
  std::unique_ptr<net::DetachedStream> detach() override;

  // Hands over what the client has sent.
  void pump() {
    const std::shared_ptr<Wire> wire = wire_;
    while (wire->stream == this && !paused_ && !closing_ && !wire->to_server.empty()) {
      const std::string bytes = std::exchange(wire->to_server, {});
      handler_->on_data(bytes);
    }
  }
  void collect() {
    wire_->to_client += std::exchange(output_, {});
    dirty_ = false;
  }
  void finish(net::CloseReason reason) {
    leave();
    wire_->closed = true;
    if (net::StreamHandler* handler = std::exchange(handler_, nullptr)) handler->on_closed(reason);
  }

 private:
  void on_dirty() override {}
  void leave() {
    if (wire_->stream != this) return;
    collect();
    wire_->stream = nullptr;
  }

  runtime::Loop& loop_;
  std::shared_ptr<Wire> wire_;
  bool paused_ = false;
  bool closing_ = false;
};

struct FakeDetached final : net::DetachedStream {
  explicit FakeDetached(std::shared_ptr<Wire> its_wire) : wire(std::move(its_wire)) {}
  std::shared_ptr<Wire> wire;
};

inline std::unique_ptr<net::DetachedStream> FakeStream::detach() {
  if (!output_.empty() || closing_) return nullptr;
  wire_->stream = nullptr;
  ++wire_->moves;
  return std::make_unique<FakeDetached>(wire_);
}

class FakeFactory final : public net::StreamFactory {
 public:
  explicit FakeFactory(runtime::Loop& loop) : loop_(loop) {}
  std::unique_ptr<net::Stream> attach(std::unique_ptr<net::DetachedStream> detached) override {
    return std::make_unique<FakeStream>(loop_, static_cast<FakeDetached&>(*detached).wire);
  }

 private:
  runtime::Loop& loop_;
};

class DoorWorld {
 public:
  explicit DoorWorld(unsigned cores = 1, const Options& options = {}, const broker::Options& core_options = {})
      : broker(cores, 1, core_options) {
    auto shared = std::make_shared<const Options>(options);
    auto auth = std::make_shared<const access::AuthSettings>();
    std::vector<Door*> all;
    for (unsigned core = 0; core < cores; ++core) {
      runtime::Loop& loop = broker.sim().loop(core);
      counters.push_back(std::make_unique<Counters>());
      authenticators_.push_back(std::make_unique<access::Authenticator>(loop, auth, passwords_));
      factories_.push_back(std::make_unique<FakeFactory>(loop));
      doors.push_back(std::make_unique<Door>(loop, broker.shard(core), *authenticators_[core], *factories_[core], shared,
                                             admission, *counters[core]));
      all.push_back(doors.back().get());
    }
    for (const auto& door : doors) door->connect(all);
  }

  std::shared_ptr<Wire> accept(unsigned core, const std::string& ip) {
    auto wire = std::make_shared<Wire>();
    wire->ip = ip;
    doors[core]->accept(std::make_unique<FakeStream>(broker.sim().loop(core), wire));
    return wire;
  }
  void set_policy(std::vector<access::Rule> rules) {
    access::Policy::Options options;
    options.epoch = ++epoch_;
    options.default_allow = true;
    const auto policy = access::Policy::make(std::move(rules), options).value();
    for (unsigned core = 0; core < broker.cores(); ++core) broker.shard(core).set_policy(policy);
  }
  std::size_t connections() const {
    std::size_t n = 0;
    for (const auto& door : doors) n += door->connections();
    return n;
  }
  void run_ms(int64_t ms) { broker.run_ms(ms); }

  broker::test::World broker;
  Admission admission;
  std::vector<std::unique_ptr<Counters>> counters;

 private:
  uint32_t epoch_ = 1;
  std::shared_ptr<access::PasswordQueue> passwords_ = std::make_shared<access::PasswordQueue>(64);
  std::vector<std::unique_ptr<access::Authenticator>> authenticators_;
  std::vector<std::unique_ptr<FakeFactory>> factories_;

 public:
  std::vector<std::unique_ptr<Door>> doors;  // go first
};

// One client. Received packets stay valid as long as it lives.
class Talker {
 public:
  explicit Talker(DoorWorld& world, Version version = Version::v5, unsigned core = 0, const std::string& ip = "127.0.0.1")
      : version_(version), world_(world), wire_(world.accept(core, ip)) {}
  ~Talker() { vanish(); }

  void bytes(std::string_view raw) {
    wire_->to_server += raw;
    if (wire_->stream != nullptr) wire_->stream->pump();
  }
  void say(const am::Packet& packet) { bytes(encoded(packet)); }
  std::string encoded(const am::Packet& packet) const {
    std::string raw;
    EXPECT_TRUE(am::encode(raw, packet, version_));
    return raw;
  }
  am::Connect connect_packet(std::string_view client_id, bool clean = true, uint32_t expiry_s = 0) const {
    am::Connect packet;
    packet.version = version_;
    packet.client_id = client_id;
    packet.clean_start = clean;
    if (version_ == Version::v5 && expiry_s != 0) packet.properties.session_expiry_interval_s = expiry_s;
    return packet;
  }
  am::Connack connect(const am::Connect& packet) {
    say(packet);
    return next<am::Connack>();
  }
  am::Connack connect(std::string_view client_id, bool clean = true, uint32_t expiry_s = 0) {
    return connect(connect_packet(client_id, clean, expiry_s));
  }

  // The next packet, whatever it is.
  am::Packet any() {
    world_.broker.settle([this] { return arrived() || wire_->closed; });
    if (!arrived()) {
      ADD_FAILURE() << (wire_->closed ? "closed" : "silence") << " instead of a packet";
      return am::Auth{};
    }
    kept_.push_back(std::move(frames_.front()));
    frames_.pop_front();
    return kept_.back()->packet;
  }
  // The next packet if it is there already.
  std::optional<am::Packet> poll() {
    if (!arrived()) return std::nullopt;
    kept_.push_back(std::move(frames_.front()));
    frames_.pop_front();
    return kept_.back()->packet;
  }
  // The next packet, which has to be a T.
  template <typename T>
  T next() {
    const am::Packet packet = any();
    if (const T* wanted = std::get_if<T>(&packet)) return *wanted;
    ADD_FAILURE() << "unexpected: " << am::describe(packet);
    return T{};
  }
  // Nothing comes in so long, and the connection stands.
  bool silent(int64_t ms = 200) {
    world_.run_ms(ms);
    if (arrived()) ADD_FAILURE() << "unexpected: " << am::describe(frames_.front()->packet);
    return frames_.empty() && !wire_->closed;
  }
  // The server closes, and sends nothing more before. Within a second: else a deadline (CONNECT's, a session's) would do
  // it sooner or later, and a test could not tell.
  bool closed() {
    world_.broker.sim().run_until([this] { return wire_->closed; }, 1000);
    if (arrived()) ADD_FAILURE() << "unexpected: " << am::describe(frames_.front()->packet);
    return wire_->closed && frames_.empty();
  }
  // Something has come in that was not taken yet.
  bool has_packet() { return arrived(); }
  bool is_closed() const { return wire_->closed; }
  // The packet that any() or next() gave last, as it came.
  const std::string& last_bytes() const { return kept_.back()->bytes; }
  unsigned moves() const { return wire_->moves; }
  // MQTT 5: DISCONNECT with the reason, then the end; others: only the end.
  bool ended_with(Reason reason) {
    if (version_ == Version::v5) {
      EXPECT_EQ(next<am::Disconnect>().reason, reason);
    }
    return closed();
  }

  std::vector<Reason> subscribe(const am::Subscribe& packet) {
    say(packet);
    const am::Suback answer = next<am::Suback>();
    EXPECT_EQ(answer.packet_id, packet.packet_id);
    return answer.reasons;
  }
  std::vector<Reason> subscribe(std::string_view filter, Guarantee qos = k0) {
    am::Subscribe packet;
    packet.packet_id = ++packet_id;
    packet.subscriptions.push_back({filter, qos});
    return subscribe(packet);
  }
  am::Publish message(std::string_view topic, std::string_view payload, Guarantee qos = k0) {
    am::Publish packet;
    packet.topic = topic;
    packet.payload = payload;
    packet.qos = qos;
    if (qos != k0) packet.packet_id = ++packet_id;
    return packet;
  }
  void publish(std::string_view topic, std::string_view payload, Guarantee qos = k0) { say(message(topic, payload, qos)); }
  void ack(am::PacketType type, uint16_t id, Reason reason = Reason::success) {
    am::Ack packet;
    packet.type = type;
    packet.packet_id = id;
    packet.reason = reason;
    say(packet);
  }
  // An acknowledgement of this type for this id comes; its reason.
  Reason acked(am::PacketType type, uint16_t id) {
    const am::Ack packet = next<am::Ack>();
    EXPECT_EQ(packet.type, type) << am::describe(packet);
    EXPECT_EQ(packet.packet_id, id);
    return packet.reason;
  }
  // The connection breaks without a word.
  void vanish() {
    wire_->gone = true;  // if it is just moving, it is noticed on the other core
    if (wire_->stream != nullptr) wire_->stream->finish(net::CloseReason::reset);
  }

  uint16_t packet_id = 0;

 private:
  struct Frame {
    std::string bytes;
    am::Packet packet;
  };

  bool arrived() {
    if (wire_->stream != nullptr) wire_->stream->collect();
    std::string& in = wire_->to_client;
    while (!in.empty()) {
      const am::DecodeResult peek = am::decode(in, version_, am::Role::client, {});
      if (std::holds_alternative<am::NeedMore>(peek)) break;
      if (const auto* bad = std::get_if<am::Malformed>(&peek)) {
        ADD_FAILURE() << "the server sent: " << bad->text;
        in.clear();
        break;
      }
      auto frame = std::make_unique<Frame>();
      frame->bytes = in.substr(0, std::get<am::Decoded>(peek).consumed);
      in.erase(0, frame->bytes.size());
      frame->packet = std::get<am::Decoded>(am::decode(frame->bytes, version_, am::Role::client, {})).packet;
      frames_.push_back(std::move(frame));
    }
    return !frames_.empty();
  }

  Version version_;
  DoorWorld& world_;
  std::shared_ptr<Wire> wire_;
  std::deque<std::unique_ptr<Frame>> frames_;
  std::deque<std::unique_ptr<Frame>> kept_;
};

}  // namespace arena::gateway::mqtt::test
