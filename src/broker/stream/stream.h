// A named stream: topics, chosen by filter, whose messages are all stored in a log of their own and can be replayed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/types.h"

namespace arena::broker {

// How long a stream's messages can be read. 0: no such limit. What is beyond a limit is hidden from readers at once, and
// deleted when no session waits for it any more.
struct Retention {
  int64_t age_ms = 0;
  uint64_t bytes = 0;     // of the stream, all partitions together; each gives of its oldest in proportion
  uint64_t messages = 0;  // likewise
  friend bool operator==(const Retention&, const Retention&) = default;
};

struct StreamConfig {
  std::string name;
  std::vector<std::string> filters;
  Retention retention;
  uint64_t budget_bytes = 0;  // stored at most; then publishes to it are refused. 0: only all streams' budget
  friend bool operator==(const StreamConfig&, const StreamConfig&) = default;
};

struct Stream {
  LogId log = LogId::inbox;   // never used again for another stream
  int64_t created_ms = 0;     // Unix
  StreamConfig config;
  // Where $inbox ended, by partition, when this took its topics over: what lies below is read first. Empty: not known yet.
  std::vector<uint64_t> taken_over;

  // Does `filter` match some topic that it captures?
  bool reaches(std::string_view filter) const;
};

// Name (1 to 64 of A-Z a-z 0-9 _ - .) and filters; no filter of topics that begin with '$'.
Status check(const StreamConfig& config);

std::string encode(const Stream& stream);
Result<Stream> decode_stream(std::string_view bytes);

// All streams, as every core knows them. Immutable.
class StreamTable {
 public:
  StreamTable() = default;
  explicit StreamTable(std::vector<Stream> streams) : streams_(std::move(streams)) {}

  bool empty() const { return streams_.empty(); }
  const std::vector<Stream>& all() const { return streams_; }
  // Null: there is none.
  const Stream* find(std::string_view name) const;
  const Stream* find(LogId log) const;
  // The one that captures the topic; null: none does.
  const Stream* of(std::string_view topic) const;
  // Those of which some topic is matched by `filter`.
  std::vector<const Stream*> reached_by(std::string_view filter) const;
  // May `config` be added? Else the reason, naming what it collides with.
  Status admits(const StreamConfig& config) const;

 private:
  std::vector<Stream> streams_;
};

using StreamTableRef = std::shared_ptr<const StreamTable>;

// What a stream holds, of one partition or of all.
struct StreamUsage {
  uint64_t messages = 0;  // that can be read
  uint64_t bytes = 0;     // stored
};

}  // namespace arena::broker
