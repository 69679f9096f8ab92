// The store: where everything that must survive is committed, and read back. One interface, several engines
// (memory, RocksDB, later JetStream); engine/contract_test_suite.h says what all of them must do.
//
// A Store object is one core's door to the engine: its methods are called on that core, for partitions that core
// owns. Callbacks run on that core, in a later turn, never inside the call.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_function.h"
#include "message/message.h"

namespace arena::engine {

using PartitionId = uint16_t;

// Logs inside a partition: what no stream captures, and one for each named stream, whose id is never used again.
enum class LogId : uint32_t { inbox = 0 };

// One log of one partition.
struct LogName {
  PartitionId partition = 0;
  LogId log = LogId::inbox;
  friend auto operator<=>(const LogName&, const LogName&) = default;
};

// Key-value spaces inside a partition; keys are ordered bytes.
enum class Space : uint8_t {
  sessions = 1,    // session records
  groups = 2,      // shared groups: cursors
  retained = 3,    // last values, by topic
  due = 4,         // be64 Unix ms, then what is due: wills, session expiry
  handshakes = 5,  // inbound exactly-once handshakes: {incarnation, tag} -> offset
  streams = 6,     // in partition 0: the named streams, by their log's id
  published = 7,   // what was published under an id or by a producer, so that it is not stored again
};

struct Operation {
  enum class Kind : uint8_t { put, erase, erase_range };
  Kind kind = Kind::put;
  Space space = Space::sessions;
  std::string key;    // erase_range: first key
  std::string value;  // put: the value; erase_range: one past the last key, empty: to the end of the space
};

// Records for the end of one log.
struct Append {
  LogId log = LogId::inbox;
  // Offset of the first record; later records follow without holes. Given by the partition's owner, who is the
  // only writer. It must not be below the log's end; a hole between the end and it is allowed. Ignored when there
  // are no records.
  uint64_t base_offset = 0;
  std::vector<MessageRef> records;
};

// All of it becomes durable, or none. Names one partition; what spans partitions is two commits.
struct Batch {
  PartitionId partition = 0;
  std::vector<Append> appends;  // at most one to a log
  std::vector<Operation> operations;
};

enum class CommitStatus : uint8_t {
  committed,  // durable at the level of this engine
  full,       // no space: nothing was written; reads still work; trim and erase still work
  refused,    // the batch itself is wrong: unknown partition, offset below the end
  failed,     // the device failed: no more commits will succeed, right or wrong; the process must end
};
using CommitDone = UniqueFunction<void(CommitStatus)>;

struct Record {
  uint64_t offset = 0;
  MessageRef message;
};

struct ReadRequest {
  PartitionId partition = 0;
  LogId log = LogId::inbox;
  uint64_t from = 0;
  uint64_t upto = UINT64_MAX;          // exclusive
  std::size_t bytes_max = 256 << 10;   // stop after the record that passes this; counts returned records
  std::size_t scan_bytes_max = 4 << 20;  // stop after looking at about this much, matching or not
  // Literal topic: served from the topic index. Empty: all topics.
  std::string topic;
  // Optional: records whose topic it refuses are skipped without being decoded. Called inside the engine, on the
  // store's core.
  UniqueFunction<bool(std::string_view topic)> wanted;
};

struct ReadResult {
  std::vector<Record> records;  // rising offsets
  uint64_t next = 0;            // where to read on, never below `from`; == min(upto, end) when all was read
  uint64_t trimmed = 0;         // > 0: offsets [from, from + trimmed) are gone
  // Damage is reported here: records before it are returned, and `next` lies behind it. An unknown partition too,
  // with nothing read.
  Status status = Unit{};
  uint64_t damaged = 0;         // so many offsets below `next` cannot be read, whatever their topic
};
using ReadDone = UniqueFunction<void(ReadResult)>;

struct LogBounds {
  uint64_t start = 0;  // first offset that may still be read
  uint64_t end = 0;    // one past the last committed record
  uint64_t bytes = 0;  // what the log occupies
};

// Offsets from `base` to below `end`.
struct OffsetRange {
  uint64_t base = 0;
  uint64_t end = 0;
};

// Where the end of a log was lost it goes on 2^32 above what is known: of more offsets than this that are lost at one place, nobody
// knows how many had been given to messages.
inline constexpr uint64_t kLostCountKnownMax = uint64_t{1} << 31;

struct KeyValue {
  std::string key;
  std::string value;
};

class Store {
 public:
  virtual ~Store() = default;

  // Atomic and durable. Commits of one partition take effect, and complete, in the order of the calls; the
  // engine groups waiting commits of all partitions into one sync.
  virtual void commit(Batch batch, CommitDone done) = 0;
  // Committed records only.
  virtual void read(ReadRequest request, ReadDone done) = 0;
  virtual LogBounds bounds(PartitionId partition, LogId log) const = 0;
  // Keys in [first, last), in order, at most limit; empty `last` means to the end of the space. Synchronous: for
  // recovery and for rare look-ups.
  virtual std::vector<KeyValue> scan(PartitionId partition, Space space, std::string_view first,
                                     std::string_view last, std::size_t limit) const = 0;
  // Makes offsets below new_start unreadable, at once; space is freed when convenient. Never moves back, and stops at
  // the log's end. Durable when a later commit of the partition is, be it an empty one.
  virtual void trim(PartitionId partition, LogId log, uint64_t new_start) = 0;
  // Offsets below the end that no message was given, though they may have been given in another life of the store, or whose
  // messages were lost to damage: rising, and the same as long as the store is open. Reading goes on behind them.
  virtual std::vector<OffsetRange> holes(PartitionId, LogId) const { return {}; }
  // Those of them that were lost to damage, likewise.
  virtual std::vector<OffsetRange> lost(PartitionId, LogId) const { return {}; }
  // The highest id of a log that anything is known of, in any partition: also of one whose stream was lost to damage.
  virtual LogId newest_log() const { return LogId::inbox; }

  // Where the bytes of a log lie: exact at some offsets, at most 32 KB or a record apart, and in proportion between them; of
  // what was there before a restart at most about 1 MB apart.
  // About how many of bounds().bytes lie at or above `offset`.
  virtual uint64_t bytes_from(PartitionId partition, LogId log, uint64_t offset) const = 0;
  // The first offset behind about so many bytes that begin at `offset`; at most the end.
  virtual uint64_t offset_behind(PartitionId partition, LogId log, uint64_t offset, uint64_t bytes) const = 0;
  // How much had been written to all logs, of all partitions, when `offset` was, so that it tells what is older; of what was
  // there before a restart only within its log. The first that is there above `offset` answers for it; none: 0.
  virtual uint64_t written_at(PartitionId partition, LogId log, uint64_t offset) const = 0;
  // About the first offset that was written when that was more than `written`; at most the end, 0 when the log is empty.
  virtual uint64_t offset_written_after(PartitionId partition, LogId log, uint64_t written) const = 0;
};

}  // namespace arena::engine
