#include "broker/stream/hidden.h"

#include <string>
#include <utility>

#include "base/wire.h"
#include "broker/shard.h"

namespace arena::broker {
namespace {

// Behind the log's id, which is the whole key of a stream's own row.
constexpr uint8_t kHidden = 1;

std::string key_of(LogId log) {
  std::string key;
  put_be(key, static_cast<uint32_t>(log));
  put_be(key, kHidden);
  return key;
}

}  // namespace

engine::Operation store_hidden(LogId log, uint64_t below) {
  std::string value;
  put_be(value, below);
  return {engine::Operation::Kind::put, engine::Space::streams, key_of(log), std::move(value)};
}

engine::Operation forget_hidden(LogId log) { return {engine::Operation::Kind::erase, engine::Space::streams, key_of(log), {}}; }

bool is_hidden_row(const engine::KeyValue& entry) { return entry.key.size() == sizeof(LogId) + 1; }

void restore_hidden(Shard& shard) {
  for (const auto& [id, partition] : shard.partitions()) {
    for (const engine::KeyValue& entry : shard.store().scan(id, engine::Space::streams, {}, {}, SIZE_MAX)) {
      const auto log = static_cast<LogId>(WireReader(entry.key).be<uint32_t>());
      if (!is_hidden_row(entry) || !shard.has_log(log)) continue;
      partition->log(log).hide_below(WireReader(entry.value).be<uint64_t>());
    }
  }
}

}  // namespace arena::broker
