// A device that publishes: what its packets carry, first and again.
#include <algorithm>
#include <utility>

#include "sim/client.h"
#include "sim/properties.h"

namespace arena::sim {
namespace am = arena::mqtt;

void Client::send_publish(const Outbound& out, bool dup) {
  Published& message = oracle_.message(out.message);
  am::Publish packet;
  packet.qos = guarantee_of(out);
  packet.dup = dup;
  packet.retain = message.retain;
  packet.packet_id = out.id;
  packet.topic = message.topic;
  const OnceMark* mark = oracle_.once().mark_of(out.message);
  const std::string name = (out.forged ? "f" : "m") + std::to_string(out.message) + ";";
  const std::string payload = message.deletes ? std::string() : name + std::string(message.padding, 'x');
  if (message.deletes) packet.properties.user_properties.push_back({kNameProperty, name});
  if (mark != nullptr) packet.properties.user_properties.push_back({mark->property(), mark->value});
  packet.payload = payload;
  const CarriedProperties carried = message.plain || out.forged ? CarriedProperties() : CarriedProperties::of(out.message);
  carried.add_to(packet.properties);
  shorten_topic(packet);
  if (message.expires_ms != 0 && dial_.version == am::Version::v5) {
    const int64_t left_s = std::max<int64_t>(1, (message.expires_ms - now_ms() + 999) / 1000);
    packet.properties.message_expiry_interval_s = static_cast<uint32_t>(left_s);
    message.expires_ms = now_ms() + left_s * 1000;
  }
  send(packet);
}

void Client::publish(const Publishing& what) {
  if (!connected() || outbound_.size() + later_.size() >= 20) return;
  const bool v5 = dial_.version == am::Version::v5;
  if (what.deletes && !v5) return;  // nothing would tell which it is
  Published message;
  message.publisher = name_;
  message.topic = what.topic;
  message.guarantee = what.guarantee;
  message.retain = what.retain;
  message.deletes = what.deletes;
  message.sent_ms = now_ms();
  if (what.expiry_s != 0 && v5) message.interval_s = what.expiry_s;
  if (message.interval_s != 0) message.expires_ms = now_ms() + int64_t{what.expiry_s} * 1000;
  message.late_before_ms = oracle_.late_ms();
  message.padding = what.padding;
  message.plain = !v5;
  const std::optional<OnceMark> mark = mark_for(what.once, what.topic);
  if (mark) oracle_.once().published(oracle_.messages(), name_, what.topic, *mark);
  if (what.topic.starts_with("k/")) {
    oracle_.may_lose_last_value(what.topic);
    last_to_kept_ = oracle_.messages();
  }
  oracle_.publish(std::move(message));
  if (mark && leaves_out(*mark)) return;
  Outbound out{0, oracle_.messages() - 1, false};
  tally_["publish " + std::to_string(static_cast<int>(what.guarantee))]++;
  if (what.retain) tally_[what.deletes ? "last value deleted" : "publish retained"]++;
  if (what.expiry_s != 0) tally_["publish with expiry"]++;
  if (what.guarantee != Guarantee::at_most_once) {
    out.id = next_id();
    outbound_.push_back(out);
  }
  send_publish(out, false);
}

}  // namespace arena::sim
