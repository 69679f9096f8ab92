// A simulated device: speaks MQTT through the real codec, keeps its half of the session over breaks, and tells the
// oracle what it asked and what it got.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codec/mqtt/decoder.h"
#include "codec/mqtt/encoder.h"
#include "net/sim_network.h"
#include "sim/oracle.h"

namespace arena::sim {

struct Dial {
  bool clean = false;
  uint32_t expiry_s = 0;
  arena::mqtt::Version version = arena::mqtt::Version::v5;
  bool will = false;
  uint32_t will_delay_s = 0;
  uint16_t receive_max = 4;
};

// How often each thing was done or seen, over all seeds.
using Tally = std::map<std::string, uint64_t>;

// How a message is published.
enum class Once : uint8_t { no, id, producer };

struct Publishing {
  std::string topic;
  Guarantee guarantee = Guarantee::at_most_once;
  bool retain = false;
  bool deletes = false;  // the last value of its topic: MQTT 5 only
  uint32_t expiry_s = 0;
  std::size_t padding = 0;
  Once once = Once::no;
};

// Where the packet, a message or a receipt, says that the message is stored; empty: it does not say.
template <typename Packet>
std::string_view position_of(const Packet& packet) {
  for (const arena::mqtt::UserProperty& property : packet.properties.user_properties) {
    if (property.name == "arena-position") return property.value;
  }
  return {};
}

class Client final : public net::StreamHandler {
 public:
  Client(std::string name, runtime::SimWorld& world, net::SimNetwork& network, Oracle& oracle, Tally& tally);
  ~Client() override;

  const std::string& name() const { return name_; }
  bool connected() const { return stream_ != nullptr && connected_; }
  bool dialling() const { return stream_ != nullptr && !connected_; }
  // As real ones do: no answer to CONNECT for five seconds.
  bool dial_timed_out() const { return dialling() && now_ms() - dialled_ms_ > 5000; }
  // A connection that stands is left alone: the new one takes over.
  void dial(const Dial& dial);
  // DISCONNECT; some ask for their will, if they may.
  void hang_up(bool will_allowed = false);
  void vanish();         // the socket closes without a word
  void publish(const Publishing& what);
  std::string repeat_refused(uint64_t choice);
  std::string repeat(uint64_t choice);  // something that was published once; tells what
  void subscribe(const std::string& filter, const std::string& group, Guarantee guarantee, bool with_options);
  std::string unsubscribe(uint64_t choice);  // one of those it has; tells which
  // MQTT 5 only. From: earliest, latest, an offset, an age in seconds ("4s"), or "seen": behind all that replays gave it.
  // as_property: the property arena-since says it, not the filter.
  void replay(const std::string& filter, const std::string& from, Guarantee guarantee, bool as_property);
  std::string end_replay(uint64_t choice);   // one of those it has; tells which
  // From now on none is sent, or only_one is not: what comes later is acknowledged before it.
  void hold_acks(bool only_one);
  void release_acks();
  void cut();
  void ping();
  bool idle() const;     // nothing of its own is unanswered
  std::string waiting() const;
  SessionView* session() { return session_; }
  // From now on every will of the connection that stands is a mistake.
  void expect_no_will();
  bool verbose = false;  // print the conversation
  std::map<std::string, std::size_t> last_retained;     // topic -> message, acknowledged
  std::map<std::string, std::size_t> last_values_seen;  // topic -> message

  void on_data(std::string_view bytes) override;
  void on_writable() override {}
  void on_closed(net::CloseReason reason) override;

 private:
  static constexpr std::size_t kAskedMax = 10;  // so that there is always a free packet id
  struct Outbound {
    uint16_t id = 0;
    std::size_t message = 0;
    bool received = false;  // PUBREC came
    bool received_here = false;  // ... on this connection
    bool resent = false;         // the same handshake on a later connection
    bool forged = false;         // other content under the message's id or number
  };
  struct Asked {
    bool subscribe = true;
    Span span;
  };

  void note_last_value(std::size_t index);
  bool leaves_out(const OnceMark& mark);
  std::optional<OnceMark> mark_for(Once once, const std::string& topic);
  void keep_for_later();
  void publish_later_ones();
  void publish_again(std::size_t message, bool forged);
  Guarantee guarantee_of(const Outbound& out) const;
  bool on_once_answer(const arena::mqtt::Ack& packet, std::deque<Outbound>::iterator at);
  bool on_replay_answer(uint16_t id, arena::mqtt::Reason reason, bool subscribed);
  bool on_replayed(const arena::mqtt::Publish& packet);
  void acknowledge(const arena::mqtt::Publish& packet);
  bool opens(const arena::mqtt::Publish& packet);
  void on_aliased_publish(const arena::mqtt::Publish& packet);
  void shorten_topic(arena::mqtt::Publish& packet);
  void choose_limits(arena::mqtt::ConnectProperties& out);
  void change_expiry(arena::mqtt::Disconnect& out);
  uint32_t longest_expiry_s() const;
  uint64_t dice() const;
  void note_in_flight(const arena::mqtt::Publish& packet, std::size_t message);
  void end_replays();
  void note_seen(std::string_view position);
  void note(const char* direction, const arena::mqtt::Packet& packet);
  void handle(const arena::mqtt::Packet& packet);
  void on_connack(const arena::mqtt::Connack& packet);
  void on_publish(const arena::mqtt::Publish& packet);
  void on_named(const arena::mqtt::Publish& packet);
  void on_ack(const arena::mqtt::Ack& packet);
  void on_taken(const arena::mqtt::Ack& packet, std::deque<Outbound>::iterator at);
  bool fits(const arena::mqtt::Ack& packet, std::deque<Outbound>::iterator at);
  void on_released(const arena::mqtt::Ack& packet, std::deque<Outbound>::iterator at);
  void check_present(bool present);
  bool stood_until(int64_t at_ms) const;
  void left();
  void note_will();
  void settle_pending_will();
  void settle_left_behind_will();
  void begin_session(bool present);
  void note_unanswered_dial();
  void replace_span(Span span);
  Asking asking_for(const Span& span, bool with_options) const;
  void count_options(const Asking& asking);
  void on_suback(const arena::mqtt::Suback& packet);
  void on_unsuback(const arena::mqtt::Unsuback& packet);
  void remember_unanswered();
  void resend();
  void send_publish(const Outbound& out, bool dup);
  void send(const arena::mqtt::Packet& packet);
  void ack(arena::mqtt::PacketType type, uint16_t id);
  void end_session();
  void forget_session();
  uint16_t next_id();
  int64_t now_ms() const { return world_.now_ms(); }

  std::string name_;
  runtime::SimWorld& world_;
  net::SimNetwork& network_;
  Oracle& oracle_;
  Tally& tally_;
  std::unique_ptr<net::Stream> stream_;
  std::vector<std::unique_ptr<net::Stream>> old_;  // taken over; their words are not listened to
  std::string rest_;
  Dial dial_;
  bool connected_ = false;
  bool holding_ = false;
  bool holding_one_ = false;
  bool unsure_ = false;              // a CONNECT was not answered
  int64_t unsure_until_ms_ = 0;
  bool unsure_reset_ = false;        // ... that would have ended the session
  SessionView* session_ = nullptr;
  int64_t dialled_ms_ = 0;
  int64_t heard_ms_ = 0;
  int64_t left_ms_ = 0;
  uint32_t expiry_s_ = 0;
  bool cut_ = false;                 // its connection was, by the network
  bool was_cut_ = false;             // ... the one before
  uint32_t expiry_before_s_ = 0;     // what it was before the last goodbye changed it
  uint32_t packet_max_ = 0;          // what may be sent to us; 0: anything
  bool chosen_ = false;              // ... was
  uint16_t aliases_in_max_ = 0;
  uint16_t aliases_out_max_ = 0;
  std::map<uint16_t, std::string> topics_in_;
  std::map<std::string, uint16_t> aliases_out_;
  std::string will_;
  std::optional<OwedWill> pending_will_;
  std::optional<OwedWill> left_behind_will_;  // of the connection before this one
  std::string delayed_will_;         // of the connection before
  int64_t delayed_until_ms_ = 0;
  uint64_t wills_ = 0;
  uint64_t requests_ = 0;
  std::size_t last_to_kept_ = SIZE_MAX;  // the message it published last to its topic below k/
  uint16_t last_id_ = 0;
  const bool lowest_ids_;
  std::deque<Outbound> outbound_;
  std::vector<std::size_t> later_;     // published once, without an answer, and its session is gone
  std::vector<std::size_t> answered_;  // published once, and stored for certain
  std::vector<std::size_t> refused_;   // of a producer: refused for certain, or left out

  struct AskedReplay {
    uint32_t replay = 0;
    bool subscribe = true;
    int64_t asked_ms = 0;
  };
  std::map<uint16_t, std::vector<Asked>> asked_;
  std::map<uint16_t, AskedReplay> asked_replays_;
  static constexpr uint32_t kFirstReplay = 1'000'000;  // below are the identifiers of plain subscriptions
  std::map<uint32_t, ReplayView*> replays_;  // by the subscription identifier of each, never used again
  uint32_t last_replay_ = kFirstReplay;
  std::map<engine::LogName, uint64_t> seen_;  // the last position of each log that replays gave
  std::map<uint16_t, std::string> inbound_open_;  // exactly once, received and not released: id -> topic and payload
  std::map<uint16_t, std::size_t> unacked_;  // what the server has in flight to us: id -> message, SIZE_MAX: none
  std::vector<std::pair<arena::mqtt::PacketType, uint16_t>> held_;
};

}  // namespace arena::sim
