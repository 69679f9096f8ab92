#include "engine/rocksdb/log_reader.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/wire.h"
#include "engine/block.h"
#include "engine/rocksdb/index_values.h"

namespace arena::engine {
namespace {

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Walks the blocks of one log.
class BlockWalk {
 public:
  BlockWalk(Database& database, const LogState& log, uint64_t upto)
      : log_(log), lower_(log_prefix(log.name())), upper_(block_key(log.name(), upto)) {
    lower_slice_ = lower_;
    upper_slice_ = upper_;
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower_slice_;
    options.iterate_upper_bound = &upper_slice_;
    at_.reset(database.db().NewIterator(options, database.blocks()));
  }

  // To the block that holds `offset`, or the first above it; then `link` is of the one before, where there is one.
  void seek_holding(uint64_t offset, std::optional<uint32_t>& link) {
    at_->SeekForPrev(block_key(log_.name(), offset));
    if (!at_->Valid() && at_->status().ok()) {
      at_->SeekToFirst();
      return;
    }
    const auto before = header();
    if (!before.ok() || before->end_offset > offset) return;
    link = before->checksum;
    at_->Next();
  }
  Result<BlockHeader> header() const {
    return at_->Valid() ? read_block_header(view(at_->value())) : Result<BlockHeader>(fail("no block"));
  }
  void seek(uint64_t base) { at_->Seek(block_key(log_.name(), base)); }
  bool valid() const { return at_->Valid(); }
  void next() { at_->Next(); }
  uint64_t base() const {
    LogName name;
    uint64_t base = 0;
    read_block_key(view(at_->key()), name, base);
    return base;
  }
  std::string bytes() const { return std::string(view(at_->value())); }
  rocksdb::Status status() const { return at_->status(); }

 private:
  const LogState& log_;
  const std::string lower_;
  const std::string upper_;
  rocksdb::Slice lower_slice_;
  rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> at_;
};

Fetched unreadable_from(Fetched out, const LogState& log, const FetchRequest& request, uint64_t at,
                        const rocksdb::Status& status) {
  out.status = fail(error_of(status));
  out.damaged_from = at;
  out.next = std::min(request.upto, std::max(at + 1, log.boundary_above(at)));
  return out;
}

Fetched fetch_range(Database& database, const LogState& log, const FetchRequest& request) {
  Fetched out;
  BlockWalk walk(database, log, request.upto);
  out.link = request.link;
  std::optional<uint32_t> before;
  walk.seek_holding(request.from, before);
  if (!out.link) out.link = before;
  std::size_t bytes = 0;
  uint64_t at = request.from;
  while (walk.valid() && bytes <= request.bytes_max) {
    const auto header = walk.header();
    // RocksDB may pass over a file that it cannot read; the chain does not.
    if (header.ok() && out.link && header->previous_checksum != *out.link) {
      out.status = fail("blocks are missing");
      out.next = walk.base();
      return out;
    }
    out.link = header.ok() ? std::optional(header->checksum) : std::nullopt;
    out.blocks.push_back({walk.bytes(), walk.base(), request.upto});
    bytes += out.blocks.back().bytes.size();
    at = std::max(at, walk.base());
    walk.next();
    if (walk.valid()) out.blocks.back().behind = at = walk.base();
  }
  if (!walk.valid() && !walk.status().ok()) return unreadable_from(std::move(out), log, request, at, walk.status());
  out.next = walk.valid() ? walk.base() : request.upto;
  return out;
}

struct TopicBases {
  std::vector<uint64_t> bases;  // of blocks that have the topic; the first may end below what is wanted
  uint64_t covered = 0;         // all below it
};

// Fails when the index cannot be read.
Result<TopicBases> bases_of(Database& database, const LogState& log, const FetchRequest& request) {
  uint64_t open_base = 0;
  const std::vector<uint64_t> open = log.open_bases(*request.topic, open_base);  // before the index is looked at
  TopicBases out{{}, request.upto};
  std::vector<uint64_t>& bases = out.bases;
  const std::string upper = topic_key(log.name(), *request.topic, std::min(open_base, request.upto));
  const rocksdb::Slice upper_bound(upper);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper_bound;
  const std::unique_ptr<rocksdb::Iterator> at(database.db().NewIterator(options, database.index()));
  const std::size_t enough = 16 + request.bytes_max / 1024;
  for (at->Seek(topic_key(log.name(), *request.topic, log.segment_base(request.from)));
       at->Valid() && bases.size() < enough; at->Next()) {
    auto more = decode_bases(view(at->value()));
    if (!more.ok()) return fail(more.error());
    bases.insert(bases.end(), more->begin(), more->end());
  }
  if (!at->status().ok()) return fail(error_of(at->status()));
  if (at->Valid()) {
    const std::string_view key = view(at->key());
    out.covered = WireReader(key.substr(key.size() - sizeof(uint64_t))).be<uint64_t>();
  } else {
    bases.insert(bases.end(), open.begin(), open.end());
  }
  // Of those at or below `from` the last one alone can hold it.
  const auto above = std::upper_bound(bases.begin(), bases.end(), request.from);
  if (above != bases.begin()) bases.erase(bases.begin(), above - 1);
  return out;
}

Fetched fetch_topic(Database& database, const LogState& log, const FetchRequest& request) {
  const auto topic = bases_of(database, log, request);
  if (!topic.ok()) return fetch_range(database, log, request);  // a damaged index costs time, not messages
  Fetched out;
  BlockWalk walk(database, log, UINT64_MAX);
  std::size_t bytes = 0;
  for (const uint64_t base : topic->bases) {
    if (base >= request.upto) break;
    if (bytes > request.bytes_max) {
      out.next = base;
      return out;
    }
    walk.seek(base);
    if (!walk.status().ok()) return unreadable_from(std::move(out), log, request, std::max(base, request.from), walk.status());
    if (!walk.valid() || walk.base() != base) {
      if (base < log.start()) continue;  // trimmed meanwhile
      out.status = fail("a block is missing");
      out.damaged_from = base;
      out.next = std::min(request.upto, walk.valid() ? walk.base() : log.boundary_above(base));
      return out;
    }
    out.blocks.push_back({walk.bytes(), base, request.upto});
    bytes += out.blocks.back().bytes.size();
    walk.next();
    if (walk.valid()) out.blocks.back().behind = std::min(request.upto, walk.base());
  }
  out.next = topic->covered;
  return out;
}

}  // namespace

Fetched fetch_blocks(Database& database, const LogState& log, const FetchRequest& request) {
  FetchRequest readable = request;
  if (const auto lost = log.lost_above(request.from)) {
    if (lost->base <= request.from) {
      Fetched out;
      out.next = std::min(request.upto, lost->end);
      out.status = fail("lost to damage");
      out.damaged_from = lost->base;
      return out;
    }
    readable.upto = std::min(request.upto, lost->base);
  }
  return readable.topic ? fetch_topic(database, log, readable) : fetch_range(database, log, readable);
}

}  // namespace arena::engine
