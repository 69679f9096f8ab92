#include "gateway/mqtt/frame_cache.h"

#include <algorithm>
#include <memory>

namespace arena::gateway::mqtt {
namespace am = arena::mqtt;

namespace {

constexpr std::size_t kKeptRoom = 64 << 10;  // bytes

void add_properties(const Message& message, am::PublishProperties& out) {
  // A place for the remaining lifetime: patched at each delivery.
  if (message.expires_ms != 0) out.message_expiry_interval_s = 0;
  if (!message.extras) return;
  const Extras& extras = *message.extras;
  if (extras.has_payload_kind) out.payload_is_text = extras.payload_is_text;
  if (extras.has_content_type) out.content_type = extras.content_type;
  if (!extras.response_topic.empty()) out.response_topic = extras.response_topic;
  if (extras.has_correlation) out.correlation_data = extras.correlation;
  out.user_properties.reserve(extras.headers.size());
  for (const Header& header : extras.headers) out.user_properties.push_back({header.first, header.second});
}

// Only topic and payload are to be said. 3.x has no way to say more.
bool is_plain(const Message& message, const FrameKey& key) {
  const bool simple = key.version != am::Version::v5 || (message.expires_ms == 0 && !message.extras);
  return simple && message.topic.size() <= UINT16_MAX && message.payload.size() <= am::kPlainPayloadBytesMax;
}

// The same as encode_frame() without an own part, into the room that `frame` has already.
void encode_shared(const Message& message, const FrameKey& key, Frame& frame) {
  if (!is_plain(message, key)) {
    frame = encode_frame(message, key, {});
    return;
  }
  if (frame.bytes.capacity() > kKeptRoom) std::string().swap(frame.bytes);
  frame.bytes.clear();
  frame.layout = am::append_plain_publish(frame.bytes, message.topic, message.payload, key.version, key.guarantee, key.retained);
}

}  // namespace

Frame encode_frame(const Message& message, const FrameKey& key, const OwnPart& own) {
  am::Publish packet;
  packet.qos = key.guarantee;
  packet.retain = key.retained;
  packet.packet_id = key.guarantee == Guarantee::at_most_once ? uint16_t{0} : uint16_t{1};
  if (own.with_topic) packet.topic = message.topic;
  packet.payload = message.payload;
  if (key.version == am::Version::v5) {
    add_properties(message, packet.properties);
    packet.properties.subscription_identifiers.assign(own.subscription_ids.begin(), own.subscription_ids.end());
    if (own.topic_alias != 0) packet.properties.topic_alias = own.topic_alias;
    if (!own.position.empty()) packet.properties.user_properties.push_back({"arena-position", own.position});
  }
  Frame frame;
  const auto layout = am::encode_publish(frame.bytes, packet, key.version);
  if (layout) {
    frame.layout = *layout;
  } else {
    frame.bytes.clear();
  }
  return frame;
}

const Frame& FrameCache::get(const MessageRef& message, FrameKey key) {
  if (key.version == am::Version::v3_1) key.version = am::Version::v3_1_1;  // the same bytes
  for (Entry& entry : entries_) {
    if (entry.message == message && entry.key == key) return entry.frame;
  }
  turn_ = (turn_ + 1) % entries_.size();
  Entry& entry = entries_[turn_];
  entry.message = message;
  entry.key = key;
  encode_shared(*message, key, entry.frame);
  return entry.frame;
}

const BurstFrames& FrameCache::get(const BurstRef& burst, am::Version version) {
  BurstEntry& entry = bursts_[version == am::Version::v5 ? 1 : 0];
  if (entry.burst == burst) return entry.frames;
  auto shared = std::make_unique<net::SharedBytes>();
  constexpr std::size_t kHeadBytesMax = 8;  // fixed header, the topic's length, properties
  const std::string& topic = burst->head().topic;
  shared->text.reserve(burst->payload_bytes() + burst->size() * (topic.size() + kHeadBytesMax));
  std::size_t largest = 0;
  for (std::size_t i = 0; i < burst->size(); ++i) {
    largest = std::max(largest, am::append_plain_publish(shared->text, topic, burst->payload(i), version).bytes);
  }
  entry.burst = burst;
  entry.frames = {net::SharedBytesRef(shared.release()), largest};
  return entry.frames;
}

}  // namespace arena::gateway::mqtt
