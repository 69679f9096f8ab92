#include "engine/rocksdb/commit_queue.h"

#include <algorithm>
#include <string_view>

namespace arena::engine {
namespace {

void keep_each_once(std::vector<uint64_t>& topics) {
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
}

}  // namespace

std::vector<PackedBlock> pack_blocks(const HashKey& secret, uint64_t base_offset, const std::vector<MessageRef>& records) {
  std::vector<PackedBlock> blocks;
  std::string_view last_topic;
  for (const MessageRef& record : records) {
    const bool fits = !blocks.empty() && blocks.back().writer.bytes() + record->accounted_bytes() <= kBlockBytesAim;
    if (!fits) {
      blocks.push_back({base_offset, base_offset, BlockWriter(base_offset), {}});
      last_topic = {};
    }
    PackedBlock& block = blocks.back();
    block.writer.add(base_offset++, *record);
    block.end = base_offset;
    if (block.topics.empty() || record->topic != last_topic) block.topics.push_back(topic_hash(secret, record->topic));
    last_topic = record->topic;
  }
  for (PackedBlock& block : blocks) keep_each_once(block.topics);
  return blocks;
}

}  // namespace arena::engine
