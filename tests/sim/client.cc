#include "sim/client.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "message/topic.h"
#include "sim/properties.h"

namespace arena::sim {
namespace am = arena::mqtt;

namespace {
constexpr uint16_t kIds = 35;  // packet ids come round, so that what is left of an old handshake is met again
constexpr uint32_t kLongS = 3600;    // an expiry that no run lives to see
}  // namespace

Client::Client(std::string name, runtime::SimWorld& world, net::SimNetwork& network, Oracle& oracle, Tally& tally)
    : name_(std::move(name)),
      world_(world),
      network_(network),
      oracle_(oracle),
      tally_(tally),
      lowest_ids_(world.random().below(2) == 0) {}

Client::~Client() = default;

void Client::note(const char* direction, const am::Packet& packet) {
  if (!verbose) return;
  std::fprintf(stderr, "%8lld %s %s %s\n", static_cast<long long>(now_ms()), name_.c_str(), direction, am::describe(packet).c_str());
}

void Client::send(const am::Packet& packet) {
  if (stream_ == nullptr) return;
  note("->", packet);
  am::encode(stream_->output(), packet, dial_.version);
  stream_->mark_dirty();
}

// Two ways of the field: the next one round, and the lowest that is free, which comes again at once.
uint16_t Client::next_id() {
  const auto used = [&](uint16_t id) {
    return asked_.contains(id) || asked_replays_.contains(id) || std::any_of(outbound_.begin(), outbound_.end(), [&](const Outbound& o) { return o.id == id; });
  };
  if (lowest_ids_) last_id_ = 0;
  do {
    last_id_ = last_id_ == kIds ? uint16_t{1} : static_cast<uint16_t>(last_id_ + 1);
  } while (used(last_id_));
  return last_id_;
}

void Client::dial(const Dial& dial) {
  if (stream_ != nullptr) {
    if (connected_) note_will();
    tally_["taken over by oneself"] += connected_ ? 1 : 0;
    if (!connected_) note_unanswered_dial();
    stream_->set_handler(nullptr);
    stream_->pause_reading();
    old_.push_back(std::move(stream_));
    left();
  }
  settle_pending_will();
  if (!will_.empty()) oracle_.will_not_before(will_, 0);
  remember_unanswered();
  if (expiry_s_ == 0) end_session();  // with its connection
  if (session_ != nullptr && (dial.clean || dial.expiry_s < kLongS)) session_->stands = false;
  delayed_will_ = will_;
  delayed_until_ms_ = left_ms_ + int64_t{dial_.will_delay_s} * 1000;
  dial_ = dial;
  dialled_ms_ = now_ms();
  connected_ = false;
  rest_.clear();
  asked_.clear();
  end_replays();
  held_.clear();
  unacked_.clear();
  topics_in_.clear();
  aliases_out_.clear();
  stream_ = network_.connect(world_.client_loop(), static_cast<unsigned>(world_.random().below(world_.cores())));
  stream_->set_handler(this);
  am::Connect packet;
  packet.version = dial.version;
  packet.client_id = name_;
  packet.clean_start = dial.clean;
  packet.keep_alive_s = 4;
  if (dial.version == am::Version::v5) {
    packet.properties.session_expiry_interval_s = dial.expiry_s;
    packet.properties.receive_maximum = dial.receive_max;
    choose_limits(packet.properties);
  }
  const std::string will_topic = "will/" + name_;
  will_.clear();
  if (dial.will) {
    will_ = "w" + name_ + std::to_string(++wills_);
    oracle_.will(will_, dial.version != am::Version::v5);
    am::Will will;
    will.topic = will_topic;
    will.payload = will_;
    will.qos = wills_ % 4 == 0 ? Guarantee::at_least_once : Guarantee::exactly_once;
    if (dial.version == am::Version::v5) will.properties.content_type = will_;
    if (dial.version == am::Version::v5) will.properties.user_properties.push_back({"will", will_});
    if (dial.will_delay_s != 0) will.properties.will_delay_interval_s = dial.will_delay_s;
    packet.will = will;
    tally_["connect with a will"]++;
  }
  send(packet);
  tally_["connect"]++;
}

// A CONNECT without an answer may have made, changed or ended the session.
void Client::note_unanswered_dial() {
  unsure_ = true;
  pending_will_.reset();
  left_behind_will_.reset();
  unsure_until_ms_ = now_ms() + 10'000;  // it may still arrive that late, and take over
  unsure_reset_ = unsure_reset_ || dial_.clean || dial_.expiry_s < kLongS || !stood_until(unsure_until_ms_);
}

// Has the server held our session until then for certain?
bool Client::stood_until(int64_t at_ms) const {
  const bool was_known = session_ != nullptr && !session_->lost && session_->persistent;
  const int64_t held_back_ms = oracle_.network_is_good ? 0 : kNetworkMs;
  return was_known && at_ms - heard_ms_ < int64_t{std::min(expiry_s_, expiry_before_s_)} * 1000 - 1000 - held_back_ms;
}

void Client::begin_session(bool present) {
  const bool keeps = dial_.version == am::Version::v5 ? dial_.expiry_s != 0 : !dial_.clean;
  check_present(present);
  // With a full store what it asked for last may not have been written, such as that its session is to last.
  if (!dial_.clean && !present && stood_until(now_ms()) && !unsure_ && !oracle_.full_before_crash()) oracle_.fail(name_ + " lost its session");
  if (present && session_ != nullptr && !session_->lost && !unsure_reset_) {
    tally_["session resumed"]++;
    // Back before the delay was over: that will has nothing to say any more [MQTT-3.1.3-9].
    const bool in_time = !unsure_ && !delayed_will_.empty() && now_ms() < delayed_until_ms_ - 100;
    // A store that was full still has the will, for a crash to bring.
    if (in_time && oracle_.network_is_good && !oracle_.was_full(dialled_ms_, now_ms())) oracle_.forbid_will(delayed_will_);
    if (!keeps) session_->persistent = false;
  } else {
    if (!present) settle_left_behind_will();
    // What the server may still hold of our publishes is ended by sending them again, not by new ones under their ids.
    std::deque<Outbound> kept = present ? outbound_ : std::deque<Outbound>{};
    forget_session();
    outbound_ = std::move(kept);
    session_ = &oracle_.new_session(name_, keeps && !present);
    session_->plain = dial_.version != am::Version::v5;
    // A session that we did not know of: whatever it has asked for is not ours to judge.
    if (present) session_->lost = true;
  }
  expiry_s_ = expiry_before_s_ = dial_.version == am::Version::v5 ? dial_.expiry_s : (keeps ? UINT32_MAX : 0);
  if (now_ms() > unsure_until_ms_) unsure_ = unsure_reset_ = false;
  session_->stands = dial_.expiry_s >= kLongS && !unsure_;
  for (Outbound& out : outbound_) out.received_here = false;
}

// By a goodbye. If that changed when the session ends it may not have been heard, and the server still hold our publishes: they
// are kept until its next answer.
void Client::end_session() {
  if (expiry_before_s_ == 0) return forget_session();
  if (session_ != nullptr) session_->lost = true;
}

void Client::forget_session() {
  if (session_ != nullptr) session_->lost = true;
  session_ = nullptr;
  inbound_open_.clear();
  keep_for_later();
  for (const Outbound& out : outbound_) {
    const bool once = oracle_.once().mark_of(out.message) != nullptr;
    oracle_.message(out.message).unsure_once = oracle_.message(out.message).unsure_once || !once;
  }
  outbound_.clear();
}

void Client::on_connack(const am::Connack& packet) {
  if (am::is_error(packet.reason)) {
    tally_["connack refused"]++;
    return;
  }
  connected_ = true;
  aliases_out_max_ = packet.properties.topic_alias_maximum.value_or(0);
  begin_session(packet.session_present);
  session_->narrow = session_->narrow || packet_max_ != 0;
  heard_ms_ = now_ms();
  resend();
}

// What was not acknowledged goes out again, in its first order, before anything new.
void Client::resend() {
  std::erase_if(outbound_, [](const Outbound& out) { return out.forged; });
  for (Outbound& out : outbound_) {
    out.resent = true;
    if (out.received) {
      ack(am::PacketType::pubrel, out.id);
    } else {
      oracle_.message(out.message).resent = true;
      oracle_.may_be_stored_anew(out.message);
      oracle_.once().sent_again(out.message);
      send_publish(out, true);
      tally_["publish resent"]++;
    }
  }
  publish_later_ones();
}

void Client::left() {
  was_cut_ = std::exchange(cut_, false);
  left_ms_ = now_ms();
  end_replays();
  if (session_ == nullptr) return;
  session_->breaks_ms.push_back(left_ms_);
  session_->subscriptions.disconnected();
}

void Client::hang_up(bool will_allowed) {
  if (!connected()) return;
  const bool with_will = will_allowed && dial_.version == am::Version::v5 && requests_ % 2 == 1;
  am::Disconnect packet;
  if (will_allowed) change_expiry(packet);
  if (with_will) note_will();
  if (with_will) packet.reason = am::Reason::disconnect_with_will;
  if (!with_will && !will_.empty() && !unsure_ && !cut_) oracle_.goodbye(will_, now_ms());
  send(packet);
  stream_->close();
  connected_ = false;
  left();
  old_.push_back(std::move(stream_));
  old_.back()->set_handler(nullptr);
  if (expiry_s_ == 0) end_session();
  tally_[with_will ? "disconnect with will" : "disconnect"]++;
}

void Client::vanish() {
  if (stream_ == nullptr) return;
  if (connected_) note_will();
  if (!connected_) note_unanswered_dial();
  stream_->abort();
  stream_.reset();
  connected_ = false;
  left();
  if (expiry_s_ == 0) forget_session();
  tally_["vanish"]++;
}

void Client::cut() {
  if (stream_ == nullptr) return;
  cut_ = true;
  network_.cut(*stream_);
}

void Client::ping() {
  if (connected()) send(am::Pingreq{});
}

void Client::expect_no_will() {
  if (!will_.empty()) oracle_.forbid_will(will_);
}

void Client::hold_acks(bool only_one) {
  holding_ = !only_one;
  holding_one_ = only_one;
  tally_[only_one ? "one ack held" : "acks held"]++;
}

void Client::release_acks() {
  holding_ = holding_one_ = false;
  std::vector<std::pair<am::PacketType, uint16_t>> held = std::move(held_);
  held_.clear();
  for (const auto& [type, id] : held) ack(type, id);
}

bool Client::idle() const { return outbound_.empty() && later_.empty() && asked_.empty() && asked_replays_.empty() && inbound_open_.empty() && held_.empty(); }

std::string Client::waiting() const {
  std::string out;
  for (const Outbound& o : outbound_) out += " m" + std::to_string(o.message) + (o.received ? " release " : " publish ") + std::to_string(o.id);
  for (const auto& [id, asked] : asked_) out += " request " + std::to_string(id);
  for (const auto& [id, asked] : asked_replays_) out += " replay " + std::to_string(id);
  for (const auto& [id, what] : inbound_open_) out += " open " + std::to_string(id);
  return out;
}

void Client::ack(am::PacketType type, uint16_t id) {
  if (type == am::PacketType::puback || type == am::PacketType::pubcomp) {
    const auto done = unacked_.find(id);
    if (done != unacked_.end()) {
      if (session_ != nullptr && connected()) session_->settled_ms[done->second] = now_ms();
      unacked_.erase(done);
    }
  }
  am::Ack packet;
  packet.type = type;
  packet.packet_id = id;
  send(packet);
}

void Client::on_data(std::string_view bytes) {
  if (connected_) heard_ms_ = now_ms();  // the broker may know of the end long before us
  rest_.append(bytes);
  am::DecodeLimits limits;
  std::string work = std::exchange(rest_, {});
  std::string_view left = work;
  while (stream_ != nullptr && !left.empty()) {
    const am::DecodeResult result = am::decode(left, dial_.version, am::Role::client, limits);
    if (std::holds_alternative<am::NeedMore>(result)) break;
    if (const auto* malformed = std::get_if<am::Malformed>(&result)) {
      oracle_.fail(name_ + " was sent a malformed packet: " + std::string(malformed->text));
      return;
    }
    const auto& decoded = std::get<am::Decoded>(result);
    if (packet_max_ != 0 && decoded.consumed > packet_max_) oracle_.fail(name_ + " was sent a packet of " + std::to_string(decoded.consumed) + " bytes");
    handle(decoded.packet);
    left.remove_prefix(decoded.consumed);
  }
  rest_.assign(left);
}

void Client::handle(const am::Packet& packet) {
  note("<-", packet);
  if (const auto* connack = std::get_if<am::Connack>(&packet)) {
    on_connack(*connack);
  } else if (const auto* publish = std::get_if<am::Publish>(&packet)) {
    on_aliased_publish(*publish);
  } else if (const auto* answer = std::get_if<am::Ack>(&packet)) {
    on_ack(*answer);
  } else if (const auto* suback = std::get_if<am::Suback>(&packet)) {
    on_suback(*suback);
  } else if (const auto* unsuback = std::get_if<am::Unsuback>(&packet)) {
    on_unsuback(*unsuback);
  } else if (const auto* disconnect = std::get_if<am::Disconnect>(&packet)) {
    tally_["disconnected: " + std::string(am::to_string(disconnect->reason))]++;
  }
}

void Client::on_publish(const am::Publish& packet) {
  if (session_ == nullptr) return oracle_.fail(name_ + " got a message before CONNACK");
  if (!packet.payload.empty()) return on_named(packet);
  am::Publish named = packet;
  named.payload = name_of(packet);
  if (dial_.version == am::Version::v5) return on_named(named);
  // A deletion; which one nobody can tell.
  if (packet.qos != Guarantee::at_most_once) note_in_flight(packet, SIZE_MAX);
  if (packet.qos == Guarantee::exactly_once) opens(packet);
  if (packet.qos != Guarantee::at_most_once) acknowledge(packet);
}

void Client::on_named(const am::Publish& packet) {
  if (dial_.version == am::Version::v5) oracle_.check_properties(name_, packet.payload, packet.properties);
  if (dial_.version == am::Version::v5) oracle_.check_interval(name_, packet.topic, packet.payload, packet.properties.message_expiry_interval_s, now_ms());
  if (on_replayed(packet)) return;
  std::vector<Span> unanswered;
  for (const auto& [id, list] : asked_) {
    for (const Asked& asked : list) unanswered.push_back(asked.span);
  }
  Received got{packet.topic, packet.payload, packet.qos, packet.dup, packet.retain, dialled_ms_, position_of(packet), packet.properties.subscription_identifiers};
  if (packet.retain) {
    tally_["retained received"]++;
    last_values_seen[std::string(packet.topic)] = Oracle::index_of(packet.payload);
  }
  if (packet.dup) tally_["duplicate received"]++;
  if (packet.qos == Guarantee::at_most_once) {
    oracle_.received(*session_, got, now_ms(), unanswered);
    return;
  }
  // A last value is not the log's copy, and one may say so that is none.
  note_in_flight(packet, packet.retain ? SIZE_MAX : Oracle::index_of(packet.payload));
  if (packet.qos == Guarantee::at_least_once) {
    oracle_.received(*session_, got, now_ms(), unanswered);
  } else if (opens(packet)) {
    oracle_.received(*session_, got, now_ms(), unanswered);
  }
  acknowledge(packet);
}

void Client::note_in_flight(const am::Publish& packet, std::size_t message) {
  if (!unacked_.try_emplace(packet.packet_id, message).second) {
    oracle_.fail(name_ + " was sent " + std::to_string(packet.packet_id) + " again, which it has not acknowledged");
  }
  const std::size_t window = dial_.version == am::Version::v5 ? dial_.receive_max : 65535;
  if (unacked_.size() > window) oracle_.fail(name_ + " has more in flight than its receive maximum");
}

void Client::acknowledge(const am::Publish& packet) {
  const am::PacketType type = packet.qos == Guarantee::at_least_once ? am::PacketType::puback : am::PacketType::pubrec;
  if (holding_ || (holding_one_ && held_.empty())) {
    held_.emplace_back(type, packet.packet_id);
  } else {
    ack(type, packet.packet_id);
  }
}

void Client::on_closed(net::CloseReason) {
  if (connected_) note_will();
  if (!connected_) note_unanswered_dial();
  stream_.reset();
  connected_ = false;
  left();
  if (expiry_s_ == 0) forget_session();
  tally_["connection lost"]++;
}

}  // namespace arena::sim
