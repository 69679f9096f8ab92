// The cursors of one reader (a session or a group) over all partitions its filters can reach, and the traffic with
// the partitions' owners that moves them: CURSORS.md 2, 6.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/lazy.h"
#include "base/ref.h"
#include "broker/session/cursor.h"
#include "broker/session/record.h"
#include "broker/types.h"

namespace arena::broker {

class Shard;

// An owner's answer to a read.
struct ReadAnswer {
  PartitionId partition = 0;
  uint32_t generation = 0;
  std::vector<engine::Record> records;
  uint64_t next = 0;
  bool attached = false;  // read up to the end; what is routed from now on follows without a gap

  // The record at `offset` and what follows does not fit: read it again when there is room.
  void stop_at(uint64_t offset) {
    next = offset;
    attached = false;
  }
};

// Whoever reads the log; found by id on its core, so that answers can outlive it.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual void on_read(ReadAnswer answer) = 0;
  // Everything routed from `partition` below `end` has been seen here.
  virtual void on_end(PartitionId partition, uint64_t end) = 0;
  // Tells owners how far it is, writes what is dirty.
  virtual void on_tick() = 0;
};

struct FilterList : RefCounted<FilterList> {
  std::vector<std::string> filters;
};
using Filters = Ref<const FilterList>;

struct ReadOrder {
  uint64_t reader = 0;
  unsigned core = 0;
  PartitionId partition = 0;
  uint32_t generation = 0;
  uint64_t from = 0;
  Filters filters;
};

// Its shard and its reader's id are told in each call that needs them: a session has a feed whether it reads or not.
class Feed {
 public:
  Cursor* find(PartitionId partition);

  // A partition's owner registered this reader with its log ending at `end`. A new cursor starts there; `live`:
  // what is routed from now on is mine to take.
  void join(PartitionId partition, uint64_t end, bool live);
  // The seam goes from detached to behind everywhere.
  void start();
  void stop();
  // May a routed record be taken? (live, and not taken yet)
  bool admits(PartitionId partition, uint64_t offset);
  // A live record did not fit: read it from the log when there is room.
  void fall_behind(Shard& shard, PartitionId partition);
  // Asks the owners of all partitions that are behind for more.
  void read_more(Shard& shard, uint64_t reader, const Filters& filters);
  // Takes the answer's seam changes; false when it is stale and must be ignored.
  bool accept(const ReadAnswer& answer);
  // After the records of an answer were taken.
  void finish(const ReadAnswer& answer);
  bool behind() const;
  // Tells each owner the floor if it moved since last told.
  void report_floors(Shard& shard, uint64_t reader);
  std::vector<std::pair<PartitionId, uint64_t>> floors() const;
  std::vector<CursorRecord> records() const;
  void restore(const CursorRecord& record);

 private:
  Lazy<std::map<PartitionId, Cursor>> cursors_;
};

}  // namespace arena::broker
