// One log of a partition, as its owner keeps it: how far it has come, and who may still want what of it.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "broker/gap.h"
#include "broker/stream/stream.h"
#include "broker/types.h"

namespace arena::broker {

class Shard;

// One core only: the partition's.
class Log {
 public:
  Log(Shard& shard, LogName name);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  LogName name() const { return name_; }
  bool is_inbox() const { return name_.log == LogId::inbox; }
  uint64_t end() const { return end_; }  // one past the last committed record
  void committed(uint64_t offset) { end_ = offset + 1; }

  // A reader that may still want what lies at or above `floor`: nothing from there on is deleted.
  void set_reader(uint64_t reader, uint64_t floor) { readers_.try_emplace(reader, floor); }
  void set_floor(uint64_t reader, uint64_t floor);
  void drop_reader(uint64_t reader);
  const std::map<uint64_t, uint64_t>& readers() const { return readers_; }

  // Of a stream: what lies below is beyond its retention, and hidden from all but sessions that wait for it.
  uint64_t first() const { return first_; }
  void hide_below(uint64_t offset);
  // When the message at first() was published, as far as it is known: Unix ms, INT64_MIN when it is not.
  int64_t first_published_ms() const { return first_published_at_ == first_ ? first_published_ms_ : INT64_MIN; }
  void note_first_published(uint64_t offset, int64_t published_ms);
  // Deletes everything, whoever waits for it.
  void purge();
  // The stream is no more.
  void drop();
  StreamUsage usage() const;
  // How many messages were given the offsets from `from` to below `upto`.
  uint64_t messages_between(uint64_t from, uint64_t upto) const;
  // How many of them are gone for who asks for them, deleted or lost: not what was never given.
  Missing missing_between(uint64_t from, uint64_t upto) const;
  // The same where all that was given is lost.
  Missing lost_between(uint64_t from, uint64_t upto) const;
  // At or above it lie the last `count` messages.
  uint64_t first_of_last(uint64_t count) const;

  // Deletes what nobody wants.
  void trim();
  // The same, when there may be such; tells the readers' cores how far the log has come.
  void tick();
  // How many more bytes it holds than when this was last asked.
  uint64_t note_bytes();

 private:
  void want_trim();

  Shard& shard_;
  const LogName name_;
  uint64_t end_ = 0;
  uint64_t first_ = 0;
  uint64_t first_published_at_ = UINT64_MAX;
  int64_t first_published_ms_ = 0;
  uint64_t told_end_ = 0;
  uint64_t noted_bytes_ = 0;  // as counted in the shard's counters
  bool trim_wanted_ = false;
  std::map<uint64_t, uint64_t> readers_;  // reader -> floor
  const std::vector<engine::OffsetRange> holes_;
  const std::vector<engine::OffsetRange> lost_;  // those of them that are damage
};

}  // namespace arena::broker
