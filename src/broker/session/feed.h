// The cursors of one reader (a session or a group) over all logs its filters can reach, and the traffic with
// the partitions' owners that moves them: CURSORS.md 2, 6.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/lazy.h"
#include "base/ref.h"
#include "broker/gap.h"
#include "broker/session/cursor.h"
#include "broker/session/record.h"
#include "broker/session/subscription.h"
#include "broker/stream/stream.h"
#include "broker/types.h"

namespace arena::broker {

class Shard;

// An owner's answer to a read.
struct ReadAnswer {
  LogName log;
  uint32_t generation = 0;
  std::vector<engine::Record> records;
  uint64_t next = 0;
  bool attached = false;  // read up to the end; what is routed from now on follows without a gap
  Missing missing;        // before the first record: deleted, or hidden, though asked for
  uint64_t begin = 0;     // behind them
  Missing lost;           // behind the last record and before `next`: damaged
  uint64_t lost_from = 0;

  // What lies at `offset` and follows does not fit: read it again when there is room.
  void stop_at(uint64_t offset) {
    next = offset;
    attached = false;
    lost = {};
  }
};

// Whoever reads the log; found by id on its core, so that answers can outlive it.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual void on_read(ReadAnswer answer) = 0;
  // Everything routed from `log` below `end` has been seen here.
  virtual void on_end(LogName log, uint64_t end) = 0;
  // Tells owners how far it is, writes what is dirty.
  virtual void on_tick() = 0;
  // `stream` is about to take over topics of mine: its logs are read from their beginning on. Those whose owners must keep
  // records for me are added to `joined`.
  virtual void on_stream_added(const Stream& stream, std::vector<LogName>& joined) = 0;
  virtual void on_stream_removed(const Stream& stream) = 0;
};

struct FilterList : RefCounted<FilterList> {
  std::vector<std::string> filters;
};
using Filters = Ref<const FilterList>;

struct ReadOrder {
  uint64_t reader = 0;
  unsigned core = 0;
  LogName log;
  uint32_t generation = 0;
  uint64_t from = 0;
  Filters filters;
  bool replay = false;    // what is beyond a stream's retention is not for it
};

// Its shard and its reader's id are told in each call that needs them: a session has a feed whether it reads or not.
class Feed {
 public:
  Cursor* find(LogName log);

  // A log's owner registered this reader with it ending at `end`. A new cursor starts there; `live`:
  // what is routed from now on is mine to take.
  void join(LogName log, uint64_t end, bool live);
  // The seam goes from detached to behind everywhere.
  void start();
  void stop();
  // May a routed record be taken? (live, and not taken yet)
  bool admits(Shard& shard, LogName log, uint64_t offset);
  // A live record did not fit: read it from the log when there is room.
  void fall_behind(Shard& shard, LogName log);
  // A stream's log that is new, and empty: what is routed from it is mine as far as what lies in $inbox is.
  void join_new(LogName log);
  void leave(LogId log);
  // Asks the owners of all logs that it is behind in for more.
  void read_more(Shard& shard, uint64_t reader, const Filters& filters, bool replay = false);
  // Takes the answer's seam changes; false when it is stale and must be ignored.
  bool accept(const ReadAnswer& answer);
  // After the records of an answer were taken.
  void finish(const ReadAnswer& answer);
  bool behind() const;
  // Tells each owner the floor if it moved since last told.
  void report_floors(Shard& shard, uint64_t reader);
  Places floors() const;
  std::vector<CursorRecord> records() const;
  void restore(const CursorRecord& record);

 private:
  bool entered(const Shard& shard, LogName log) const;

  Lazy<std::map<LogName, Cursor>> cursors_;
};

// `subscription`, which reads with `feed`, is told of a stream: logs that are new to it are its from their beginning on, and
// added to `joined`.
void join_stream(Subscription& subscription, Feed& feed, const Stream& stream, std::vector<LogName>& joined);
void leave_stream(Subscription& subscription, const Stream& stream);

}  // namespace arena::broker
