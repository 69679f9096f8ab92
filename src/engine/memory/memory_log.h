// One log of one partition, in memory: packed blocks in order of offset and the topics' index over them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/extents.h"
#include "engine/store.h"

namespace arena::engine {

class Reading;

// Belongs to the partition's core.
class MemoryLog {
 public:
  MemoryLog();
  ~MemoryLog();
  MemoryLog(const MemoryLog&) = delete;
  MemoryLog& operator=(const MemoryLog&) = delete;

  // `base_offset` is not below end(). `written`: how much had been written to all logs before.
  void append(uint64_t base_offset, const std::vector<MessageRef>& records, uint64_t written);
  ReadResult read(ReadRequest& request) const;
  // Hides what is below new_start and frees the blocks that are wholly below it.
  void trim(uint64_t new_start);
  LogBounds bounds() const { return {start_, end_, bytes_}; }
  const Extents& extents() const { return extents_; }
  uint64_t end() const { return end_; }
  // Damages the block that holds `offset`, for tests; false if there is none.
  bool corrupt(uint64_t offset);
  // For tests, as after quarantine: what lies there is lost, and readers are told. From where a block begins to where one ends, or
  // above; rising from call to call.
  void lose(OffsetRange range);
  const std::vector<OffsetRange>& lost() const { return lost_; }

 private:
  struct Block {
    uint64_t base = 0;
    uint64_t end = 0;
    std::string bytes;
  };
  struct TopicIndex;

  void seal(uint64_t base, uint64_t end, std::string bytes, uint64_t& written);
  void drop_front();
  // The first block that may hold offsets at or above `offset`.
  std::deque<Block>::const_iterator block_from(uint64_t offset) const;
  void read_blocks(Reading& reading, uint64_t upto) const;
  void read_topic(Reading& reading, uint64_t upto, std::string_view topic) const;

  std::deque<Block> blocks_;
  std::vector<OffsetRange> lost_;
  std::unique_ptr<TopicIndex> topics_;
  Extents extents_;
  uint64_t start_ = 0;
  uint64_t end_ = 0;
  uint64_t bytes_ = 0;
  uint32_t last_checksum_ = 0;
};

}  // namespace arena::engine
