// Three clients, two of MQTT 5 and one of 3.1.1, and a whole broker on one or two cores; the input chooses
// what they do: come, go, take over, subscribe, publish, hold their acknowledgements, let time pass. Promise:
// after every step each has got what session_model.h says is owed to it and nothing else, with the right QoS,
// flags, identifiers and order; and the broker's counters agree.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "gateway/mqtt/test_door.h"
#include "input.h"
#include "session_model.h"

using namespace arena;
using namespace arena::fuzz;
namespace am = arena::mqtt;
namespace gm = arena::gateway::mqtt;
using am::PacketType;
using am::Reason;
using am::Version;

namespace {

constexpr std::size_t kClients = 3;
constexpr std::size_t kStepsMax = 60;
constexpr const char* kNames[kClients] = {"ann", "bob", "old"};
constexpr std::string_view kTopics[] = {"a/1", "a/2", "b/1", "b/2"};
constexpr std::string_view kFilters[] = {"a/1", "a/+", "a/#", "b/1", "+/1", "b/#", "+/+"};
constexpr std::string_view kSharedTopics[] = {"s/x/1", "s/x/2"};
constexpr const char* kSharedFilter = "$share/g/s/x/+";

// To see what led to a finding: FUZZ_TRACE=1 fuzz_sessions FILE
const bool kTrace = std::getenv("FUZZ_TRACE") != nullptr;

// At once; not at all; PUBACK and PUBREC at once, but no PUBCOMP.
enum class Acks { at_once, none, no_pubcomp };

#define EXPECT_WHY(condition, why)                                                               \
  do {                                                                                           \
    if (!(condition)) {                                                                          \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, std::string(why).c_str()); \
      __builtin_trap();                                                                          \
    }                                                                                            \
  } while (false)

// The wire's half of one client: acknowledges as told, and hands every message to the model.
class Client {
 public:
  Client(gm::test::DoorWorld& world, SessionModel& model, std::size_t index)
      : world_(world), model_(model), index_(index), version(index == 2 ? Version::v3_1_1 : Version::v5) {}

  void dial(unsigned core) {
    if (wire_ != nullptr) old_.push_back(wire_);
    wire_ = world_.accept(core, "127.0.0.1");
    answers_.clear();
    in_.clear();
    held_.clear();
    unacked_.clear();
    receive_max = 65535;
    acks = Acks::at_once;
  }
  void say(const am::Packet& packet) {
    if (kTrace) std::fprintf(stderr, "  %s > %s\n", kNames[index_], am::describe(packet).c_str());
    std::string raw;
    FUZZ_CHECK(am::encode(raw, packet, version));
    wire_->to_server += raw;
    if (wire_->stream != nullptr) wire_->stream->pump();
  }
  void ack(PacketType type, uint16_t id) {
    am::Ack packet;
    packet.type = type;
    packet.packet_id = id;
    say(packet);
  }
  void vanish() {
    if (wire_->stream != nullptr) wire_->stream->finish(net::CloseReason::reset);
  }
  bool closed() const { return wire_->closed; }
  // Everything that has come in; false: nothing has.
  bool drain() {
    if (wire_ == nullptr) return false;
    if (wire_->stream != nullptr) wire_->stream->collect();
    in_ += std::exchange(wire_->to_client, {});
    bool any = false;
    for (;;) {
      const am::DecodeResult result = am::decode(in_, version, am::Role::client, {});
      FUZZ_CHECK(!std::holds_alternative<am::Malformed>(result));
      const auto* decoded = std::get_if<am::Decoded>(&result);
      if (decoded == nullptr) return any;
      any = true;
      handle(decoded->packet);
      in_.erase(0, decoded->consumed);
    }
  }
  // The answer to what was just asked, which has to be a T; copied parts only, the bytes are gone.
  template <typename T>
  T answer() {
    EXPECT_WHY(!answers_.empty(), std::string(kNames[index_]) + ": no answer");
    const T* wanted = std::get_if<T>(&answers_.front());
    EXPECT_WHY(wanted != nullptr, "unexpected: " + am::describe(answers_.front()));
    T out = *wanted;
    answers_.pop_front();
    return out;
  }
  Reason acked(PacketType type, uint16_t id) {
    const am::Ack ack = answer<am::Ack>();
    EXPECT_WHY(ack.type == type && ack.packet_id == id, "unexpected: " + am::describe(ack));
    return ack.reason;
  }
  void check_quiet() const {
    EXPECT_WHY(answers_.empty(), "unexpected: " + am::describe(answers_.front()));
    for (const auto& wire : old_) FUZZ_CHECK(wire->closed);
  }
  void let_go() {
    acks = Acks::at_once;
    for (const auto& [type, id] : std::exchange(held_, {})) acknowledge(type, id);
  }
  uint16_t next_id() { return ++last_id_; }
  bool has_room() const { return unacked_.size() < receive_max; }

  Acks acks = Acks::at_once;
  std::size_t receive_max = 65535;
  struct Open {
    uint16_t id = 0;
    ModelMessage message;
    uint64_t incarnation = 0;
  };
  std::optional<Open> open;  // an exactly-once publish without its PUBREL yet

 private:
  void handle(const am::Packet& packet) {
    if (const auto* publish = std::get_if<am::Publish>(&packet)) return on_publish(*publish);
    const auto* ack = std::get_if<am::Ack>(&packet);
    if (ack != nullptr && ack->type == PacketType::pubrel) return on_pubrel(ack->packet_id);
    answers_.push_back(packet);
  }
  void on_publish(const am::Publish& packet) {
    std::string why;
    if (kTrace)
      std::fprintf(stderr, "  %s < %.*s %s\n", kNames[index_], static_cast<int>(packet.payload.size()),
                   packet.payload.data(), am::describe(packet).c_str());
    EXPECT_WHY(model_.received(index_, packet, why), why);
    if (packet.qos == k0) return;
    EXPECT_WHY(unacked_.insert(packet.packet_id).second, "a packet id in use: " + am::describe(packet));
    EXPECT_WHY(unacked_.size() <= receive_max, "more than the receive maximum");
    const PacketType type = packet.qos == k1 ? PacketType::puback : PacketType::pubrec;
    if (acks == Acks::none) {
      held_.emplace_back(type, packet.packet_id);
    } else {
      acknowledge(type, packet.packet_id);
    }
  }
  // Also on a connection that has not seen the PUBLISH: the session remembers.
  void on_pubrel(uint16_t id) {
    Due* due = nullptr;
    for (Due& one : model_.sessions[index_].dues) {
      if (one.packet_id == id && one.stage == Due::Stage::released) due = &one;
    }
    EXPECT_WHY(due != nullptr || shared_open_.contains(id), "PUBREL for nothing");
    unacked_.insert(id);
    if (acks == Acks::at_once) {
      acknowledge(PacketType::pubcomp, id);
    } else {
      held_.emplace_back(PacketType::pubcomp, id);
    }
  }
  void acknowledge(PacketType type, uint16_t id) {
    bool found = false;
    for (Due& due : model_.sessions[index_].dues) {
      if (due.packet_id != id || due.stage == Due::Stage::unseen || due.stage == Due::Stage::done) continue;
      due.stage = type == PacketType::pubrec ? Due::Stage::released : Due::Stage::done;
      found = true;
    }
    if (type == PacketType::pubrec && !found) shared_open_.insert(id);
    if (type != PacketType::pubrec) {
      unacked_.erase(id);
      shared_open_.erase(id);
    }
    ack(type, id);
  }

  gm::test::DoorWorld& world_;
  SessionModel& model_;
  const std::size_t index_;
  std::shared_ptr<gm::test::Wire> wire_;
  std::vector<std::shared_ptr<gm::test::Wire>> old_;
  std::string in_;
  std::deque<am::Packet> answers_;
  std::vector<std::pair<PacketType, uint16_t>> held_;
  std::set<uint16_t> unacked_;
  std::set<uint16_t> shared_open_;  // PUBREC said for a message of the group
  uint16_t last_id_ = 0;

 public:
  const Version version;
};

class Machine {
 public:
  explicit Machine(Input& input)
      : input_(input), world_(input.flag() ? 2 : 1, {}, core_options()), model_(kClients) {
    for (std::size_t i = 0; i < kClients; ++i)
      clients_.push_back(std::make_unique<Client>(world_, model_, i));
  }
  void run() {
    for (std::size_t i = 0; i < kStepsMax && !input_.empty(); ++i) {
      step();
      check();
    }
    finish();
  }

 private:
  static broker::Options core_options() {
    broker::Options options;
    options.partitions = 4;
    return options;
  }
  int64_t now_ms() { return world_.broker.sim().now_ms(); }
  Client& client(std::size_t i) { return *clients_[i]; }
  ModelSession& session(std::size_t i) { return model_.sessions[i]; }

  void settle() {
    for (int quiet = 0, rounds = 0; quiet < 2; ++rounds) {
      FUZZ_CHECK(rounds < 1000);
      world_.run_ms(15);
      bool any = false;
      for (auto& one : clients_) any = one->drain() || any;
      quiet = any ? 0 : quiet + 1;
    }
  }

  void step() {
    const uint8_t choice = input_.byte();
    const std::size_t who = choice % kClients;
    const std::size_t what = choice / kClients % 16;
    if (kTrace) std::fprintf(stderr, "%s does %zu\n", kNames[who], what);
    if (what == 0) return connect(who);
    if (what == 1) return pass_time();
    if (what == 2) return forbid();
    if (!session(who).connected) return connect(who);
    switch (what) {
      case 3:
        return leave(who);
      case 4:
        return vanish(who);
      case 5:
      case 6:
        return subscribe(who);
      case 7:
        return unsubscribe(who);
      case 8:
        return client(who).open ? finish_open(who) : publish_open(who);
      case 9:
        return set_acks(who);
      case 10:
        return share(who);
      case 11:
        return publish(who, std::string(input_.one_of(kSharedTopics)), false);
      case 12:
        return publish(who, std::string(input_.one_of(kTopics)), true);
      default:
        return publish(who, std::string(input_.one_of(kTopics)), false);
    }
  }

  // ---- coming and going

  void connect(std::size_t who) {
    const uint8_t how = input_.byte();
    Client& one = client(who);
    ConnectChoice choice;
    choice.clean = (how & 1) != 0;
    am::Connect packet;
    packet.version = one.version;
    packet.client_id = kNames[who];
    packet.clean_start = choice.clean;
    if (one.version == Version::v5) {
      choice.expiry_s = (how & 2) != 0 ? 0 : 100;
      packet.properties.session_expiry_interval_s = choice.expiry_s;
    } else {
      choice.expiry_s = choice.clean ? 0 : kForGood;
    }
    if ((how & 4) != 0) choice.will = make_will(who, how, packet);
    const bool narrow = one.version == Version::v5 && (how & 64) != 0;
    if (narrow) packet.properties.receive_maximum = 2;
    const bool takes_over = session(who).connected;
    if (takes_over) model_.loosen_group();
    const bool present = model_.connect(who, choice, now_ms());
    one.dial(how / 128u % world_.broker.cores());
    if (narrow) one.receive_max = 2;
    one.say(packet);
    settle();
    const am::Connack answer = one.answer<am::Connack>();
    FUZZ_CHECK(answer.reason == Reason::success);
    EXPECT_WHY(answer.session_present == present, "session present");
  }
  std::optional<ModelWill> make_will(std::size_t who, uint8_t how, am::Connect& packet) {
    ModelWill will;
    will.message = {who, std::string(kTopics[how / 8u % 4]), "will" + std::to_string(++serial_),
                    static_cast<Guarantee>(how / 32u % 2), how >= 192};
    will_payload_ = will.message.payload;
    will_topic_ = will.message.topic;
    am::Will out{will_topic_, will_payload_, will.message.qos, will.message.retain, {}};
    if (packet.version == Version::v5 && (how & 16) != 0) will.delay_s = 30;
    if (will.delay_s != 0) out.properties.will_delay_interval_s = will.delay_s;
    packet.will = out;
    return will;
  }
  void leave(std::size_t who) {
    const uint8_t how = input_.byte();
    am::Disconnect packet;
    std::optional<uint32_t> expiry_s;
    const bool v5 = client(who).version == Version::v5;
    if (v5 && how % 2 != 0) packet.reason = Reason::disconnect_with_will;
    if (v5 && how % 4 == 3 && session(who).expiry_s != 0) {
      expiry_s = 0;
      packet.properties.session_expiry_interval_s = 0;
    }
    model_.detach(
        who,
        packet.reason == Reason::success ? SessionModel::Leaving::politely : SessionModel::Leaving::with_will,
        expiry_s, now_ms());
    client(who).say(packet);
    settle();
    FUZZ_CHECK(client(who).closed());
  }
  void vanish(std::size_t who) {
    model_.detach(who, SessionModel::Leaving::abruptly, std::nullopt, now_ms());
    client(who).vanish();
    settle();
  }
  void pass_time() {
    world_.run_ms(input_.flag() ? 111'000 : 17'000);
    while (!model_.advance(now_ms())) world_.run_ms(4000);
    settle();
  }
  void forbid() {
    const bool forbidden = input_.flag();
    std::vector<access::Rule> rules;
    if (forbidden) {
      access::Rule rule;
      rule.allow = false;
      rule.subscribe = true;
      rule.filter = "b/#";
      rule.source = "f:1";
      rules.push_back(std::move(rule));
    }
    world_.set_policy(std::move(rules));
    model_.forbid(forbidden);
    settle();
  }

  // ---- subscriptions

  void subscribe(std::size_t who) {
    const std::string filter(input_.one_of(kFilters));
    const uint8_t how = input_.byte();
    am::Subscribe packet;
    packet.packet_id = client(who).next_id();
    am::Subscription one;
    one.filter = filter;
    one.qos = static_cast<Guarantee>(how % 3);
    ModelSubscription subscription{one.qos, false, false, 0, false};
    int handling = 0;
    if (client(who).version == Version::v5) {
      handling = how / 3 % 3;
      one.retain_handling = static_cast<am::RetainHandling>(handling);
      one.no_local = subscription.no_local = how / 9 % 4 == 1;
      one.retain_as_published = subscription.keep_flag = how / 36 % 2 == 1;
      subscription.id = how / 72u;
      if (subscription.id != 0) packet.properties.subscription_identifier = subscription.id;
    }
    packet.subscriptions.push_back(one);
    const bool allowed = model_.subscribe(who, filter, subscription, handling);
    client(who).say(packet);
    settle();
    const am::Suback answer = client(who).answer<am::Suback>();
    FUZZ_CHECK(answer.packet_id == packet.packet_id && answer.reasons.size() == 1);
    const Reason refused =
        client(who).version == Version::v5 ? Reason::not_authorized : Reason::unspecified_error;
    FUZZ_CHECK(answer.reasons[0] == (allowed ? static_cast<Reason>(one.qos) : refused));
  }
  void unsubscribe(std::size_t who) {
    const std::string filter(input_.one_of(kFilters));
    am::Unsubscribe packet;
    packet.packet_id = client(who).next_id();
    packet.filters.push_back(filter);
    expect_unsuback(who, packet, model_.unsubscribe(who, filter));
  }
  void expect_unsuback(std::size_t who, const am::Unsubscribe& packet, bool existed) {
    client(who).say(packet);
    settle();
    const am::Unsuback answer = client(who).answer<am::Unsuback>();
    FUZZ_CHECK(answer.packet_id == packet.packet_id);
    if (client(who).version != Version::v5) return;
    FUZZ_CHECK(answer.reasons.size() == 1);
    FUZZ_CHECK(answer.reasons[0] == (existed ? Reason::success : Reason::no_subscription_existed));
  }
  void share(std::size_t who) {
    const uint8_t how = input_.byte();
    if (how % 4 == 3) {
      am::Unsubscribe packet;
      packet.packet_id = client(who).next_id();
      packet.filters.emplace_back(kSharedFilter);
      return expect_unsuback(who, packet, model_.leave_group(who));
    }
    am::Subscribe packet;
    packet.packet_id = client(who).next_id();
    packet.subscriptions.push_back({kSharedFilter, static_cast<Guarantee>(how % 4)});
    model_.join_group(who);
    if (client(who).acks != Acks::at_once) model_.loosen_group();
    client(who).say(packet);
    settle();
    const am::Suback answer = client(who).answer<am::Suback>();
    FUZZ_CHECK(answer.reasons.size() == 1 && answer.reasons[0] == static_cast<Reason>(how % 4));
  }
  void set_acks(std::size_t who) {
    const std::size_t how = input_.below(3);
    if (how == 0) {
      client(who).let_go();
      settle();
    } else {
      client(who).acks = static_cast<Acks>(how);
      model_.loosen_group();
    }
  }

  // ---- messages

  am::Publish packet_of(const ModelMessage& message, uint16_t id) {
    am::Publish packet;
    packet.topic = message.topic;
    packet.payload = message.payload;
    packet.qos = message.qos;
    packet.retain = message.retain;
    packet.packet_id = id;
    return packet;
  }
  void publish(std::size_t who, std::string topic, bool retain) {
    const uint8_t how = input_.byte();
    const bool erase = retain && how % 5 == 4;
    const ModelMessage message{who, std::move(topic), erase ? "" : "m" + std::to_string(++serial_),
                               static_cast<Guarantee>(how % 3), retain};
    Client& one = client(who);
    const uint16_t id = message.qos == k0 ? uint16_t{0} : one.next_id();
    model_.publish(message);
    am::Publish packet = packet_of(message, id);
    one.say(packet);
    settle();
    if (message.qos == k0) return;
    if (message.qos == k1) {
      FUZZ_CHECK(!am::is_error(one.acked(PacketType::puback, id)));
      return;
    }
    FUZZ_CHECK(!am::is_error(one.acked(PacketType::pubrec, id)));
    if (how >= 128) {  // the same once more, as if the PUBREC had been lost
      packet.dup = true;
      one.say(packet);
      settle();
      FUZZ_CHECK(!am::is_error(one.acked(PacketType::pubrec, id)));
    }
    end_exactly_once(who, id);
  }
  void end_exactly_once(std::size_t who, uint16_t id) {
    client(who).ack(PacketType::pubrel, id);
    settle();
    FUZZ_CHECK(client(who).acked(PacketType::pubcomp, id) == Reason::success);
  }
  void publish_open(std::size_t who) {
    Client& one = client(who);
    const ModelMessage message{who, std::string(input_.one_of(kTopics)), "m" + std::to_string(++serial_), k2,
                               false};
    one.open = Client::Open{one.next_id(), message, session(who).incarnation};
    model_.publish(message);
    one.say(packet_of(message, one.open->id));
    settle();
    FUZZ_CHECK(!am::is_error(one.acked(PacketType::pubrec, one.open->id)));
  }
  // Perhaps on a later connection, perhaps to a new session, which does not know of it.
  void finish_open(std::size_t who) {
    Client& one = client(who);
    Client::Open open = *std::exchange(one.open, std::nullopt);
    if (open.incarnation != session(who).incarnation) {
      open.message.payload = "m" + std::to_string(++serial_);  // a new one, to be told from the first
      model_.publish(open.message);
    }
    am::Publish packet = packet_of(open.message, open.id);
    packet.dup = true;
    one.say(packet);
    settle();
    FUZZ_CHECK(!am::is_error(one.acked(PacketType::pubrec, open.id)));
    end_exactly_once(who, open.id);
  }

  // ---- judgement

  void check() {
    for (std::size_t i = 0; i < kClients; ++i) {
      client(i).check_quiet();
      if (!session(i).connected) continue;
      FUZZ_CHECK(!client(i).closed());
      const std::string missing = model_.missing(i, client(i).has_room());
      EXPECT_WHY(missing.empty(), missing);
    }
    const std::string missing = model_.missing_of_group();
    EXPECT_WHY(missing.empty(), missing);
    FUZZ_CHECK(world_.broker.sum(&broker::Counters::sessions) == model_.existing());
    FUZZ_CHECK(world_.broker.sum(&broker::Counters::subscriptions) == model_.subscriptions());
    FUZZ_CHECK(world_.broker.sum(&broker::Counters::retained) == model_.retained.size());
  }
  // Everybody comes back and takes what is owed; then everybody goes for good, and nothing is left.
  void finish() {
    for (std::size_t i = 0; i < kClients; ++i) {
      if (!session(i).connected) {
        if (!session(i).exists) continue;
        come_back(i, false);
      }
      client(i).let_go();
    }
    settle();
    check();
    for (std::size_t i = 0; i < kClients; ++i) {
      come_back(i, true);
      model_.detach(i, SessionModel::Leaving::politely, std::nullopt, now_ms());
      client(i).say(am::Disconnect{});
      settle();
    }
    check();
    FUZZ_CHECK(world_.connections() == 0);
  }
  void come_back(std::size_t who, bool clean) {
    Client& one = client(who);
    am::Connect packet;
    packet.version = one.version;
    packet.client_id = kNames[who];
    packet.clean_start = clean;
    ConnectChoice choice{clean, 0, std::nullopt};
    if (one.version != Version::v5 && !clean) choice.expiry_s = kForGood;
    const bool present = model_.connect(who, choice, now_ms());
    one.dial(0);
    one.say(packet);
    settle();
    EXPECT_WHY(one.answer<am::Connack>().session_present == present, "session present");
  }

  Input& input_;
  gm::test::DoorWorld world_;
  SessionModel model_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::string will_topic_, will_payload_;
  unsigned serial_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  Input input(data, size);
  Machine(input).run();
  return 0;
}
