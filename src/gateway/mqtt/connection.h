// One MQTT connection: the conversation with one client, from accept to close. Speaks the protocol to its stream and
// the broker's language to its session. Lives on one core; until CONNECT is accepted it may move once.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/lazy.h"
#include "base/ring.h"
#include "broker/types.h"
#include "codec/mqtt/decoder.h"
#include "codec/mqtt/encoder.h"
#include "gateway/mqtt/aliases.h"
#include "gateway/mqtt/door.h"
#include "gateway/mqtt/options.h"
#include "net/stream.h"

namespace arena::gateway::mqtt {

// What a CONNECT asked for, kept while it is decided.
struct PendingConnect {
  Seat seat;  // while the connection is on its way to another core
  arena::mqtt::Version version = arena::mqtt::Version::v5;
  broker::OpenRequest open;
  std::optional<std::string> user;
  std::optional<std::string> password;
  uint16_t keep_alive_s = 0;
  uint32_t packet_bytes_max = arena::mqtt::kPacketBytesMax;  // the client's
  uint16_t topic_alias_max = 0;                              // the client's
  std::optional<uint32_t> expiry_asked_s;
  bool client_id_assigned = false;
  bool wants_response_information = false;
  bool wants_problem_information = true;
};

class Connection final : public net::StreamHandler, public broker::SessionSink {
 public:
  Connection(Door& door, uint64_t id, std::unique_ptr<net::Stream> stream, Seat seat);
  ~Connection() override = default;

  uint64_t id() const { return id_; }
  // Another core's door decided who this is; goes on from there.
  void resume_handshake(std::unique_ptr<PendingConnect> pending, std::string rest);
  // For the list of those that have said nothing yet; gone from it with its CONNECT.
  Silent& be_silent() { return rare().silent.emplace(*this); }
  // For a door that lets nobody in any more.
  void close_unless_open();
  // Ends at once and without a word: somebody else needs the place.
  void give_way();
  void on_authenticated(const Result<Principal, access::AuthRefusal>& result);

  // ---- StreamHandler ----
  void on_data(std::string_view bytes) override;
  void on_writable() override;
  void on_closed(net::CloseReason reason) override;

  // ---- SessionSink ----
  void opened(broker::Session& session, bool present) override;
  void open_refused(broker::Outcome reason) override;
  broker::DeliverResult deliver(const broker::Delivery& delivery) override;
  bool deliver_burst(const BurstRef& burst) override;
  bool ready() const override { return stage_ == Stage::open && stream_->writable(); }
  void release(uint16_t tag, bool redelivered) override;
  void published(uint64_t cookie, const broker::Receipt& receipt) override;
  void released(uint64_t cookie, bool known) override;
  void subscribed(uint64_t cookie, std::span<const broker::SubscribeOutcome> outcomes) override;
  void unsubscribed(uint64_t cookie, std::span<const bool> existed) override;
  void closed(broker::EndReason reason) override;
  broker::Contact contact() const override;

 private:
  enum class Stage : uint8_t {
    fresh,           // waiting for CONNECT
    deciding,        // authenticating, opening the session
    open,
    closing,         // nothing more is read; output leaves
  };
  using Reason = arena::mqtt::Reason;
  using Version = arena::mqtt::Version;

  // A publish whose receipt is awaited: acknowledgements leave in the order of arrival.
  struct PendingAck {
    uint16_t packet_id = 0;
    Guarantee guarantee = Guarantee::at_least_once;
    bool done = false;
    Reason reason = Reason::success;
  };
  struct PendingSubscribe {
    uint16_t packet_id = 0;
    std::vector<Reason> reasons;          // decided here already, or a place for the session's answer
    std::vector<std::size_t> asked;       // which of them the session was asked about
  };

  // What an acknowledgement says besides.
  struct AckText {
    std::string_view reason;  // of static storage
    std::string position;
    bool duplicate = false;
  };

  // What was read and cannot be handled yet: of an incomplete packet, or behind a CONNECT that is being decided.
  struct Rest {
    std::string bytes;
    std::size_t wanted = 0;     // the next packet is complete at this many bytes, if known
    std::size_t looked_at = 0;  // while throttled_: of publishes that wait
  };

  // bytes in
  Rest& rest() {
    if (!rare().rest) rare().rest = std::make_unique<Rest>();
    return *rare().rest;
  }
  bool has_rest() const { return rare_ && rare_->rest && !rare_->rest->bytes.empty(); }
  std::string take_rest();

  // There are very many connections, most of them idle: what is needed now and then is behind a pointer.
  struct Rare {
    std::unique_ptr<PendingConnect> pending;          // until it is in
    std::unique_ptr<Rest> rest;
    std::optional<Silent> silent;                     // until its CONNECT
    std::unique_ptr<runtime::Timer> throttle_timer;   // made when it is first slowed
    std::unique_ptr<InboundAliases> aliases_in;
    std::unique_ptr<OutboundAliases> aliases_out;
    Lazy<std::map<uint64_t, PendingSubscribe>> subscribes;
    Lazy<std::set<uint64_t>> keyed;               // cookies of publishes with a key, whose receipts are awaited
    Lazy<std::map<uint64_t, AckText>> ack_texts;  // by cookie; until they leave
  };
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  // Its CONNECT, while that is decided.
  PendingConnect& asked() { return *rare_->pending; }
  // Something in there is not needed any more, perhaps the last.
  void tidy();
  void break_silence();
  void consume(std::string_view bytes);
  bool step(std::string_view& bytes);
  arena::mqtt::DecodeResult decode_next(std::string_view bytes) const;
  bool step_plain(std::string_view& bytes);
  void dispatch(const arena::mqtt::Packet& packet);
  void on_malformed(const arena::mqtt::Malformed& malformed, std::string_view bytes);
  void keep_rest(std::string_view rest);
  void throttle();
  void look_ahead();
  static void on_throttle_timer(void* self);

  // handshake
  void on_connect(const arena::mqtt::Connect& packet);
  std::optional<Reason> refuse_connect(const arena::mqtt::Connect& packet) const;
  std::unique_ptr<PendingConnect> take_connect(const arena::mqtt::Connect& packet) const;
  std::optional<broker::Will> take_will(const arena::mqtt::Connect& packet) const;
  void identify(Principal principal);
  void open_session();
  bool send_connack(bool present);
  void refuse(Reason reason, std::string_view text);
  static void on_timer(void* self);
  void start_keep_alive();

  // open
  void on_publish(const arena::mqtt::Publish& packet);
  void on_plain_publish(const arena::mqtt::PlainPublish& packet, bool known_topic);
  void publish_acknowledged(std::unique_ptr<Message> message, uint16_t packet_id, const broker::PublishKey* known_by);
  void add_to_run(std::string_view topic, std::string_view payload);
  void end_run();
  std::optional<std::string_view> resolve_topic(const arena::mqtt::Publish& packet);
  bool check_topic_name(std::string_view topic);
  bool check_publish(Guarantee guarantee, bool retain);
  bool id_in_use(uint16_t packet_id) const;
  bool check_packet_id(Guarantee guarantee, uint16_t packet_id);
  bool count_inbound(Guarantee guarantee, uint16_t packet_id);
  void flush_acks();
  void send_publish_ack(const PendingAck& ack, uint64_t cookie);
  void note_receipt(uint64_t cookie, const broker::Receipt& receipt);
  void refuse_publish(const arena::mqtt::Publish& packet, const char* text);
  void on_ack(arena::mqtt::PacketType type, uint16_t packet_id, Reason reason);
  void on_puback(uint16_t packet_id);
  void on_pubrec(uint16_t packet_id, Reason reason);
  void on_pubrel(uint16_t packet_id);
  void on_pubcomp(uint16_t packet_id);
  void on_subscribe(const arena::mqtt::Subscribe& packet);
  std::optional<Reason> check_subscription(const arena::mqtt::Subscription& subscription, broker::SubscribeOrder& out);
  template <typename Answer>
  void refuse_request(Answer answer, std::size_t filters);
  void send_suback(const PendingSubscribe& pending);
  void on_unsubscribe(const arena::mqtt::Unsubscribe& packet);
  void on_disconnect(const arena::mqtt::Disconnect& packet);

  // out
  // False: it is larger than the client takes, whatever is left out.
  bool send(const arena::mqtt::Packet& packet);
  void send_ack(arena::mqtt::PacketType type, uint16_t packet_id, Reason reason);
  bool append_frame(const Frame& frame, const broker::Delivery& delivery);
  uint32_t remaining_s(const Message& message) const;

  // end
  void fail(Reason reason, std::string_view text);
  void say_goodbye(Reason reason, std::string_view text);
  void shut_down(broker::DetachKind kind, std::optional<uint32_t> expiry_s);

  Door& door_;
  const uint64_t id_;
  std::unique_ptr<net::Stream> stream_;
  Seat seat_;
  OptionsRef options_;
  broker::Session* session_ = nullptr;
  Version version_ = Version::v3_1_1;
  Stage stage_ = Stage::fresh;
  bool consuming_ : 1 = false;
  bool throttled_ : 1 = false;
  bool problem_information_ : 1 = true;
  bool asked_no_expiry_ : 1 = true;   // its CONNECT: the session shall end with the connection
  uint16_t keep_alive_s_ = 0;
  uint16_t topic_alias_out_max_ = 0;
  uint32_t peer_packet_bytes_max_ = arena::mqtt::kPacketBytesMax;
  uint32_t last_heard_ms_ = 0;        // wraps after 49 days; no keep-alive is longer than 27 hours
  runtime::Timer timer_;              // CONNECT deadline, then keep-alive
  std::unique_ptr<Rare> rare_;
  Ring<PendingAck> acks_;
  uint64_t first_ack_ = 1;            // cookie of acks_.front()
  Lazy<boost::unordered_flat_set<uint16_t>> open_tags_;      // exactly-once handshakes begun on this connection
};

static_assert(sizeof(Connection) <= 160);  // there are very many, and the next size of heap block is 192

}  // namespace arena::gateway::mqtt
