// A device and what holds for one of its connections: limits, topic aliases, packet ids, and how long its session is to last
// after it.
#include <algorithm>
#include <array>

#include "runtime/random.h"
#include "sim/client.h"

namespace arena::sim {
namespace am = arena::mqtt;

namespace {
constexpr uint32_t kNarrowBytes = 600;  // less than a message with padding
constexpr int64_t kWrittenMs = 8'000;   // in which a change is on the disk, however slow that is
}  // namespace

// What follows from the time and the device, so that nothing else of a run is drawn otherwise.
uint64_t Client::dice() const {
  return runtime::mix64(static_cast<uint64_t>(now_ms()) * 64 + static_cast<unsigned char>(name_.back()) + 8 * requests_);
}

// How large a packet may be does not change while there may be a session: what was sent before the limit could not come again.
void Client::choose_limits(am::ConnectProperties& out) {
  aliases_in_max_ = 0;
  const uint64_t dice = this->dice();
  if (!chosen_) packet_max_ = dice % 8 == 0 ? kNarrowBytes : 0;
  chosen_ = true;
  if (packet_max_ != 0) out.maximum_packet_size = packet_max_;
  if ((dice >> 8) % 2 == 0) out.topic_alias_maximum = aliases_in_max_ = static_cast<uint16_t>(1 + (dice >> 16) % 4);
  if (packet_max_ != 0) tally_["connect with a packet limit"]++;
}

// A number stands for a topic as long as the connection lasts [MQTT-3.3.2-7].
void Client::shorten_topic(am::Publish& packet) {
  if (dial_.version != am::Version::v5 || dice() % 3 == 0) return;
  const std::string topic(packet.topic);
  const auto known = aliases_out_.find(topic);
  if (known != aliases_out_.end()) {
    packet.properties.topic_alias = known->second;
    packet.topic = {};
    tally_["publish by alias"]++;
  } else if (aliases_out_.size() < std::min<std::size_t>(3, aliases_out_max_)) {
    const auto alias = static_cast<uint16_t>(aliases_out_.size() + 1);
    aliases_out_[topic] = alias;
    packet.properties.topic_alias = alias;
  }
}

void Client::on_aliased_publish(const am::Publish& packet) {
  if (!packet.properties.topic_alias) return on_publish(packet);
  const uint16_t alias = *packet.properties.topic_alias;
  if (alias == 0 || alias > aliases_in_max_) return oracle_.fail(name_ + " was sent a topic alias that it does not take");
  if (!packet.topic.empty()) topics_in_[alias] = packet.topic;
  am::Publish whole = packet;
  whole.topic = topics_in_[alias];
  if (whole.topic.empty()) return oracle_.fail(name_ + " was sent a topic alias that it does not know");
  if (packet.topic.empty()) tally_["received by alias"]++;
  on_publish(whole);
}

// False: it is a repetition of what came under its id and is not released. That must be the same.
bool Client::opens(const am::Publish& packet) {
  const std::string what = std::string(packet.topic) + " " + std::string(packet.payload);
  const auto [at, fresh] = inbound_open_.try_emplace(packet.packet_id, what);
  if (!fresh && at->second != what) {
    oracle_.fail(name_ + " was sent " + std::to_string(packet.packet_id) + " for " + what.substr(0, 20) + ", which is open for " + at->second.substr(0, 20));
  }
  return fresh;
}

// It may say goodbye and that its session is to last longer, or shorter, than it asked for [MQTT 5, 3.14.2.2.2].
void Client::change_expiry(am::Disconnect& out) {
  const uint64_t dice = this->dice();
  if (dial_.version != am::Version::v5 || dial_.expiry_s == 0 || dice % 4 != 0) return;
  expiry_before_s_ = expiry_s_;
  expiry_s_ = std::array<uint32_t, 4>{0, 2, 4, 3600}[(dice >> 8) % 4];
  out.properties.session_expiry_interval_s = expiry_s_;
  if (session_ != nullptr && expiry_s_ < 3600) session_->stands = false;
  tally_["expiry changed by a goodbye"]++;
}

// A goodbye has no answer: one that came to nothing, with its connection, in a crash or overtaken by the next one, changed nothing.
uint32_t Client::longest_expiry_s() const {
  const bool undisturbed = !oracle_.crashed_within(left_ms_ - 100, left_ms_ + kWrittenMs) && !oracle_.was_disturbed(left_ms_ - 100, dialled_ms_);
  const bool heard = oracle_.network_is_good && !was_cut_ && undisturbed && dialled_ms_ > left_ms_ + 200;
  return heard ? expiry_s_ : std::max(expiry_s_, expiry_before_s_);
}

}  // namespace arena::sim
