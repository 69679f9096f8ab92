#include "broker/gap.h"

#include <memory>

#include "broker/shard.h"

namespace arena::broker {
namespace {

constexpr std::string_view kInbox = "$inbox";  // no stream can have that name

}  // namespace

MessageRef gap_message(Shard& shard, LogName log, uint64_t next, const Missing& missing, Gone why, Guarantee guarantee) {
  const Stream* stream = shard.streams().find(log.log);
  if (stream == nullptr && log.log != LogId::inbox) return {};
  const std::string name = stream == nullptr ? std::string(kInbox) : stream->config.name;
  auto message = std::make_unique<Message>();
  message->id = shard.next_message_id();
  message->topic = std::string(kGapPrefix) + name;
  message->payload = "{\"stream\":\"" + name + "\",\"partition\":" + std::to_string(log.partition) + ",\"missing\":" + missing.json() +
                     ",\"next\":" + std::to_string(next) + ",\"reason\":\"" + (why == Gone::damaged ? "damaged" : "deleted") + "\"}";
  message->published_ms = shard.loop().wall_ms();
  message->guarantee = guarantee;
  auto extras = std::make_unique<Extras>();
  extras->content_type = "application/json";
  extras->has_content_type = true;
  extras->headers.emplace_back("arena-gap", missing.known ? std::to_string(missing.count) : "unknown");
  message->extras = std::move(extras);
  return MessageRef(message.release());
}

}  // namespace arena::broker
