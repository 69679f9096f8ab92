#include "engine/block.h"

#include <cassert>
#include <utility>

#include "base/hash.h"
#include "base/wire.h"
#include "engine/varint.h"

namespace arena::engine {
namespace {

constexpr uint16_t kMagic = 0xAB10;
constexpr uint8_t kVersion = 2;
constexpr uint8_t kVersionWithoutHeads = 1;  // each record says all of itself
constexpr uint8_t kFlags = 0;  // reserved: encrypted, compressed, block attributes
constexpr std::size_t kCheckedBytes = 32;
constexpr std::size_t kHeaderBytes = kCheckedBytes + 4;

std::string version_fault(unsigned version, unsigned flags) {
  return "a block has version " + std::to_string(version) + " and flags " + std::to_string(flags) +
         ", which this release cannot read";
}

struct RawHeader {
  BlockHeader header;
  uint8_t version = 0;
  uint32_t body_bytes = 0;
  uint32_t body_checksum = 0;
};

Result<RawHeader> parse_header(std::string_view block) {
  if (block.size() < kHeaderBytes) return fail("a block is cut short inside its header");
  WireReader reader(block.substr(0, kHeaderBytes));
  const auto magic = reader.be<uint16_t>();
  RawHeader raw;
  raw.version = reader.be<uint8_t>();
  const auto flags = reader.be<uint8_t>();
  raw.body_bytes = reader.be<uint32_t>();
  raw.header.base_offset = reader.be<uint64_t>();
  raw.header.count = reader.be<uint32_t>();
  const auto span = reader.be<uint32_t>();
  raw.header.previous_checksum = reader.be<uint32_t>();
  raw.body_checksum = reader.be<uint32_t>();
  raw.header.checksum = reader.be<uint32_t>();
  if (magic != kMagic) return fail("this is not a block");
  if (checksum32(block.substr(0, kCheckedBytes)) != raw.header.checksum) {
    return fail("a block's header does not match its checksum");
  }
  const bool known = raw.version == kVersion || raw.version == kVersionWithoutHeads;
  if (!known || flags != kFlags) return fail_with(version_fault(raw.version, flags));
  if (raw.header.base_offset > UINT64_MAX - span || raw.header.count > span) {
    return fail("a block's header contradicts itself");
  }
  raw.header.end_offset = raw.header.base_offset + span;
  return raw;
}

}  // namespace

BlockWriter::BlockWriter(uint64_t base_offset) {
  header_.base_offset = base_offset;
  header_.end_offset = base_offset;
}

void BlockWriter::add(uint64_t offset, const Message& message) {
  assert(offset >= header_.end_offset && offset - header_.base_offset < UINT32_MAX);
  scratch_.clear();
  append_fields(scratch_, message, before_);
  before_ = &message;
  put_varint(body_, offset - header_.end_offset);
  put_varint(body_, scratch_.size());
  body_.append(scratch_);
  header_.end_offset = offset + 1;
  ++header_.count;
}

std::size_t BlockWriter::bytes() const { return kHeaderBytes + body_.size(); }

std::string BlockWriter::finish(uint32_t previous_checksum) {
  header_.previous_checksum = previous_checksum;
  return seal_block(header_, body_);
}

std::string encode_block(uint64_t base_offset, std::span<const MessageRef> records, uint32_t previous_checksum) {
  BlockWriter writer(base_offset);
  for (const MessageRef& record : records) writer.add(base_offset++, *record);
  return writer.finish(previous_checksum);
}

std::string seal_block(const BlockHeader& header, std::string_view body) {
  std::string out;
  out.reserve(kHeaderBytes + body.size());
  put_be(out, kMagic);
  put_be(out, kVersion);
  put_be(out, kFlags);
  put_be(out, static_cast<uint32_t>(body.size()));
  put_be(out, header.base_offset);
  put_be(out, header.count);
  put_be(out, static_cast<uint32_t>(header.end_offset - header.base_offset));
  put_be(out, header.previous_checksum);
  put_be(out, checksum32(body));
  put_be(out, checksum32(out));
  out.append(body);
  return out;
}

Result<BlockHeader> read_block_header(std::string_view block) {
  const Result<RawHeader> raw = parse_header(block);
  if (!raw.ok()) return fail(raw.error());
  return raw->header;
}

Result<BlockReader> BlockReader::open(std::string_view block) {
  const Result<RawHeader> raw = parse_header(block);
  if (!raw.ok()) return fail(raw.error());
  const std::string_view body = block.substr(kHeaderBytes);
  if (body.size() != raw->body_bytes) return fail("a block's length is not what its header says");
  if (checksum32(body) != raw->body_checksum) return fail("a block's body does not match its checksum");
  return BlockReader(raw->header, body, raw->version != kVersionWithoutHeads);
}

bool BlockReader::next() {
  if (!status_.ok()) return false;
  if (rest_.empty()) return finish();
  if (read_ == header_.count) return stop({"a block holds more records than its header says"});
  VarintReader reader(rest_);
  uint64_t skipped = 0;
  std::string_view fields;
  if (!reader.varint(skipped) || !reader.sized(fields)) return stop({"a record runs past its block"});
  const uint64_t from = read_ == 0 ? header_.base_offset : offset_ + 1;
  if (skipped >= header_.end_offset - from) return stop({"a record's offset is outside its block"});
  offset_ = from + skipped;
  fields_ = fields;
  if (!inherits_) head_ = {};
  if (Status known = head_.advance(fields); !known) return stop(known.error());
  rest_ = reader.rest();
  ++read_;
  return true;
}

bool BlockReader::finish() {
  const bool whole = read_ == header_.count && (read_ == 0 || offset_ + 1 == header_.end_offset);
  return whole ? false : stop({"a block holds fewer records than its header says"});
}

bool BlockReader::stop(Error reason) {
  status_ = fail(std::move(reason));
  return false;
}

}  // namespace arena::engine
