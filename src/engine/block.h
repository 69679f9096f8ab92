// The packed block: the records of one partition's log from one commit, as stored and replicated. The layout is in
// engine/FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/record.h"
#include "message/message.h"

namespace arena::engine {

// Writers start a new block rather than let one grow past this; a single larger record has a block of its own.
inline constexpr std::size_t kBlockBytesAim = 64 << 10;

struct BlockHeader {
  uint64_t base_offset = 0;        // no record is below it
  uint64_t end_offset = 0;         // one past the last record; at most 2^32 above base_offset
  uint32_t count = 0;              // records; fewer than end - base when there are holes
  uint32_t previous_checksum = 0;  // `checksum` of the block before this one in its log; 0 for the first
  uint32_t checksum = 0;           // of this header, which holds the body's checksum: stands for the whole block
};

// Collects records with rising offsets, with holes or without, into one block.
class BlockWriter {
 public:
  explicit BlockWriter(uint64_t base_offset);

  // `offset` is at least the base and above the one before. The message must outlive the next call.
  void add(uint64_t offset, const Message& message);
  std::size_t bytes() const;  // of the block so far
  uint32_t count() const { return header_.count; }
  // The block. The writer is used up.
  std::string finish(uint32_t previous_checksum);

 private:
  BlockHeader header_;
  std::string body_;
  std::string scratch_;
  const Message* before_ = nullptr;
};

// Records at base_offset, base_offset + 1, ... in one block.
std::string encode_block(uint64_t base_offset, std::span<const MessageRef> records, uint32_t previous_checksum);

// Puts a header before a body that is already encoded; `header.checksum` is ignored.
std::string seal_block(const BlockHeader& header, std::string_view body);

// Checks and reads the header alone; says nothing about the body.
Result<BlockHeader> read_block_header(std::string_view block);

// Iterates a block's records. Holds views: the block's bytes must outlive it. Never trusts its input.
class BlockReader {
 public:
  // Checks both checksums.
  static Result<BlockReader> open(std::string_view block);

  const BlockHeader& header() const { return header_; }
  // Moves to the next record. False at the end, and at the first malformed record, where status() fails.
  bool next();
  const Status& status() const { return status_; }

  // Of the record that next() moved to.
  uint64_t offset() const { return offset_; }
  std::string_view topic() const { return head_.topic; }
  std::size_t stored_bytes() const { return fields_.size(); }
  Result<MessageRef> decode() const { return decode_fields(head_, fields_); }

 private:
  BlockReader(const BlockHeader& header, std::string_view body, bool inherits) : header_(header), rest_(body), inherits_(inherits) {}
  bool stop(Error reason);
  bool finish();

  BlockHeader header_;
  std::string_view rest_;
  bool inherits_;
  RecordHead head_;
  std::string_view fields_;
  uint64_t offset_ = 0;
  uint32_t read_ = 0;
  Status status_ = Unit{};
};

}  // namespace arena::engine
