// What a device is told, held against what it asked: acknowledgements, and whether its session is still there.
#include <algorithm>

#include "sim/client.h"

namespace arena::sim {
namespace am = arena::mqtt;

// A session that must be gone must not be found.
void Client::check_present(bool present) {
  if (!present) return;
  if (dial_.clean) oracle_.fail(name_ + " found a session after asking for a clean one");
  if (unsure_) return;
  if (longest_expiry_s() == 0) oracle_.fail(name_ + " found a session though its last one ended with its connection");
  if (oracle_.full_before_crash()) return;  // what it asked for last may not have been written
  // A restart begins to count anew for whoever it cut off.
  const int64_t since_ms = std::max(left_ms_, oracle_.last_crash_ms());
  const int64_t expired_ms = since_ms + int64_t{longest_expiry_s()} * 1000 + kPauseMs + oracle_.late_ms();
  if (oracle_.network_is_good && dialled_ms_ > expired_ms) oracle_.fail(name_ + " found a session that should have expired");
}

// The connection ends without a goodbye.
void Client::note_will() {
  if (will_.empty() || unsure_) return;  // an older connection of ours may still take the session over, and keep the will
  const int64_t due_ms = now_ms() + int64_t{std::min(dial_.will_delay_s, expiry_s_)} * 1000;
  const OwedWill owed{"will/" + name_, will_, dialled_ms_, now_ms(), due_ms};
  if (dial_.will_delay_s == 0) {
    oracle_.owe_will(owed);
  } else {
    pending_will_ = owed;
    if (oracle_.network_is_good && !unsure_) oracle_.will_not_before(will_, due_ms);
  }
}

// Who comes back only when the delay or the session was over for certain did not keep its will from being sent.
void Client::settle_pending_will() {
  left_behind_will_.reset();
  if (pending_will_ && now_ms() > pending_will_->due_ms + kPauseMs) {
    oracle_.owe_will(*pending_will_);
  } else {
    left_behind_will_ = pending_will_;
  }
  pending_will_.reset();
}

// Neither did who ended the session by beginning another [MQTT-3.1.2-8].
void Client::settle_left_behind_will() {
  if (!left_behind_will_ || !dial_.clean || unsure_) return;
  left_behind_will_->due_ms = now_ms();
  oracle_.owe_will(*std::exchange(left_behind_will_, std::nullopt));
}

void Client::on_ack(const am::Ack& packet) {
  if (packet.type == am::PacketType::pubrel) {
    inbound_open_.erase(packet.packet_id);
    const auto open = unacked_.find(packet.packet_id);
    if (session_ != nullptr && open != unacked_.end()) oracle_.released(*session_, open->second);
    ack(am::PacketType::pubcomp, packet.packet_id);
    return;
  }
  const auto it = std::find_if(outbound_.begin(), outbound_.end(), [&](const Outbound& o) { return o.id == packet.packet_id; });
  if (it == outbound_.end()) {
    oracle_.fail(name_ + " got an answer to " + std::to_string(packet.packet_id) + ", under which it has nothing on its way");
  } else if (packet.type == am::PacketType::pubcomp) {
    on_released(packet, it);
  } else {
    on_taken(packet, it);
  }
}

void Client::on_released(const am::Ack& packet, std::deque<Outbound>::iterator at) {
  const std::string what = name_ + " was told that the handshake of m" + std::to_string(at->message);
  if (!at->received) oracle_.fail(what + " is over before it was released");
  // The broker may forget it with a connection or a crash only.
  if (am::is_error(packet.reason) && at->received_here) oracle_.fail(what + " is not known");
  outbound_.erase(at);
}

// Of the right kind, once, and in the order of the questions [MQTT-4.6.0-2] [MQTT-4.6.0-3].
bool Client::fits(const am::Ack& packet, std::deque<Outbound>::iterator at) {
  const auto open = [&](const Outbound& out) {
    return guarantee_of(out) == Guarantee::at_least_once || !out.received;
  };
  const bool exactly_once = guarantee_of(*at) == Guarantee::exactly_once;
  return exactly_once == (packet.type == am::PacketType::pubrec) && open(*at) && std::none_of(outbound_.begin(), at, open);
}

// It is its topic's last value for certain when nothing of ours to that topic is still to be answered.
void Client::note_last_value(std::size_t index) {
  const Published& message = oracle_.message(index);
  if (!message.retain) return;
  if (message.topic.starts_with("r/")) oracle_.has_last_value(message.topic, name_);
  if (!message.topic.starts_with("k/")) return;
  const auto open = [&](const Outbound& out) { return out.message != index && oracle_.message(out.message).topic == message.topic; };
  const bool last = !message.resent && !message.deletes && index == last_to_kept_ && std::none_of(outbound_.begin(), outbound_.end(), open);
  if (last) oracle_.has_last_value(message.topic, name_);
}

void Client::on_taken(const am::Ack& packet, std::deque<Outbound>::iterator at) {
  Published& message = oracle_.message(at->message);
  if (!fits(packet, at)) oracle_.fail(name_ + " got an answer to m" + std::to_string(at->message) + " that does not fit or out of turn");
  if (on_once_answer(packet, at)) return;
  oracle_.answered(at->message, packet.reason, dial_.version == am::Version::v5, now_ms());
  if (am::is_error(packet.reason)) {
    message.refused = message.refused || !message.resent;  // the first try may have been taken
    const OnceMark* mark = oracle_.once().mark_of(at->message);
    if (message.refused && mark != nullptr && mark->producer) refused_.push_back(at->message);
    tally_["publish refused"]++;
    outbound_.erase(at);
    return;
  }
  if (packet.reason == am::Reason::no_matching_subscribers) tally_["publish wanted by nobody"]++;
  // 3.1.1 is not told what the rules refuse.
  message.acked = dial_.version == am::Version::v5 || !message.topic.starts_with("gate/");
  if (message.acked && message.acked_ms == 0) message.acked_ms = now_ms();
  if (message.retain) last_retained[message.topic] = at->message;
  note_last_value(at->message);
  if (packet.type == am::PacketType::puback) {
    outbound_.erase(at);
    return;
  }
  at->received = at->received_here = true;
  ack(am::PacketType::pubrel, packet.packet_id);
}

}  // namespace arena::sim
