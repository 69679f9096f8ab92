#include "engine/memory/memory_log.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <utility>

#include "base/hash.h"
#include "engine/block.h"
#include "engine/reading.h"

namespace arena::engine {

// Topic hash -> bases of the blocks that hold the topic, rising: one entry per (topic, block). Two topics of one
// hash share entries, so a reader still compares the text.
struct MemoryLog::TopicIndex {
  struct Postings {
    std::vector<uint64_t> bases;
    std::size_t trimmed = 0;  // entries at the front that are gone; cut off when they are many
  };

  void add(uint64_t topic, uint64_t base) {
    std::vector<uint64_t>& bases = postings[topic].bases;
    if (bases.empty() || bases.back() != base) bases.push_back(base);
  }

  // `base` is the oldest block there is.
  void drop(uint64_t topic, uint64_t base) {
    const auto at = postings.find(topic);
    if (at == postings.end()) return;
    auto& [bases, trimmed] = at->second;
    while (trimmed < bases.size() && bases[trimmed] <= base) ++trimmed;
    if (trimmed == bases.size()) {
      postings.erase(at);
    } else if (trimmed > 16 && trimmed * 2 > bases.size()) {
      bases.erase(bases.begin(), bases.begin() + static_cast<std::ptrdiff_t>(trimmed));
      trimmed = 0;
    }
  }

  boost::unordered_flat_map<uint64_t, Postings> postings;
};

MemoryLog::MemoryLog() : topics_(std::make_unique<TopicIndex>()) {}
MemoryLog::~MemoryLog() = default;

void MemoryLog::append(uint64_t base_offset, const std::vector<MessageRef>& records, uint64_t written) {
  if (records.empty()) return;
  uint64_t base = base_offset;
  BlockWriter writer(base);
  for (const MessageRef& record : records) {
    if (writer.count() > 0 && writer.bytes() + record->accounted_bytes() > kBlockBytesAim) {
      seal(base, base_offset, writer.finish(last_checksum_), written);
      base = base_offset;
      writer = BlockWriter(base);
    }
    writer.add(base_offset++, *record);
    topics_->add(hash64(record->topic), base);
  }
  seal(base, base_offset, writer.finish(last_checksum_), written);
}

void MemoryLog::seal(uint64_t base, uint64_t end, std::string bytes, uint64_t& written) {
  last_checksum_ = read_block_header(bytes)->checksum;
  bytes_ += bytes.size();
  end_ = end;
  written += bytes.size();
  extents_.append(base, end, bytes.size(), written);
  blocks_.push_back({base, end, std::move(bytes)});
}

void MemoryLog::trim(uint64_t new_start) {
  start_ = std::max(start_, std::min(new_start, end_));
  while (!blocks_.empty() && blocks_.front().end <= start_) drop_front();
  extents_.trim(start_);
}

void MemoryLog::drop_front() {
  const Block& block = blocks_.front();
  bytes_ -= block.bytes.size();
  Result<BlockReader> reader = BlockReader::open(block.bytes);
  // What a damaged block held is unknown; its index entries stay, and lead nowhere.
  while (reader.ok() && reader->next()) topics_->drop(hash64(reader->topic()), block.base);
  blocks_.pop_front();
}

std::deque<MemoryLog::Block>::const_iterator MemoryLog::block_from(uint64_t offset) const {
  return std::partition_point(blocks_.begin(), blocks_.end(),
                              [offset](const Block& block) { return block.end <= offset; });
}

ReadResult MemoryLog::read(ReadRequest& request) const {
  ReadResult result;
  Reading reading(request, result, start_, std::min(request.upto, end_));
  if (reading.done()) return result;
  const auto lost = std::find_if(lost_.begin(), lost_.end(), [&](const OffsetRange& range) { return range.end > reading.next(); });
  const uint64_t upto = lost == lost_.end() ? reading.upto() : std::min(reading.upto(), lost->base);
  if (request.topic.empty()) {
    read_blocks(reading, upto);
  } else {
    read_topic(reading, upto, request.topic);
  }
  if (!reading.done()) reading.fail_at(fail("lost to damage").error, lost->base, lost->end);
  return result;
}

void MemoryLog::read_blocks(Reading& reading, uint64_t upto) const {
  for (auto block = block_from(reading.next()); block != blocks_.end(); ++block) {
    if (block->base >= upto) break;
    if (!reading.take_block(block->bytes, block->base, block->end)) return;
  }
  reading.skip_to(upto);
}

void MemoryLog::read_topic(Reading& reading, uint64_t upto, std::string_view topic) const {
  const auto at = topics_->postings.find(hash64(topic));
  if (at != topics_->postings.end()) {
    const std::vector<uint64_t>& bases = at->second.bases;
    // The block that holds the first wanted offset begins at or below it.
    const auto first = block_from(reading.next());
    const uint64_t from = first == blocks_.end() ? end_ : first->base;
    for (auto base = std::lower_bound(bases.begin(), bases.end(), from); base != bases.end(); ++base) {
      if (*base >= upto) break;
      const auto block = block_from(*base);
      if (!reading.take_block(block->bytes, block->base, block->end)) return;
    }
  }
  reading.skip_to(upto);
}

void MemoryLog::lose(OffsetRange range) {
  lost_.push_back(range);
  end_ = std::max(end_, range.end);
}

bool MemoryLog::corrupt(uint64_t offset) {
  const auto at = block_from(offset);
  if (at == blocks_.end() || at->base > offset) return false;
  Block& block = blocks_[static_cast<std::size_t>(at - blocks_.begin())];
  block.bytes.back() = static_cast<char>(block.bytes.back() ^ 1);
  return true;
}

}  // namespace arena::engine
