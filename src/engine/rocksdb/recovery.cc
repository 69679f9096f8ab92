#include "engine/rocksdb/recovery.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/log.h"
#include "engine/block.h"
#include "engine/rocksdb/index_values.h"
#include "engine/rocksdb/jumps.h"

namespace arena::engine {
namespace {

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::unique_ptr<rocksdb::Iterator> iterate(Database& database, rocksdb::ColumnFamilyHandle* family) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(database.db().NewIterator(options, family));
}

// Walks from one log's first key to the next log's. A log that is not seen would give out its offsets again.
Status collect_names(Database& database, rocksdb::ColumnFamilyHandle* family, std::set<LogName>& names) {
  const auto at = iterate(database, family);
  for (at->SeekToFirst(); at->Valid();) {
    LogName name;
    read_log_name(view(at->key()), name);
    names.insert(name);
    at->Seek(log_prefix(name) + std::string(17, '\xff'));
  }
  if (at->status().ok()) return Unit{};
  return fail_with("it cannot be told which logs there are: " + at->status().ToString());
}

class LogRecovery {
 public:
  LogRecovery(Database& database, const HashKey& secret, uint64_t floor, LogState& log, Recovered& recovered)
      : database_(database), secret_(secret), log_(log), recovered_(recovered) {
    log_.set_jumps(stored_jumps(database, log.name(), floor));
  }

  Status run() {
    if (Status read = load_start(); !read) return read;
    load_segments();
    load_lost();
    uint64_t from = start_.start;
    if (!closed_.empty()) {
      from = closed_.back().end;
      link_ = closed_.back().checksum;
    } else if (from == start_.tail.end) {
      link_ = start_.tail.checksum;
    }
    log_.restore(start_.start, std::move(closed_));
    if (Status read = read_blocks(from); !read) return read;
    if (log_.tail().end < start_.tail.end) {
      const bool known = log_.lost_above(start_.tail.end - 1) || log_.is_jump_end(start_.tail.end);
      if (start_.start < start_.tail.end && !known) damage("the end of a log is missing", std::to_string(start_.tail.end));
      log_.raise_tail(start_.tail);
    }
    log_.raise_over_jumps();
    log_.set_clean_base(find_clean_base());
    database_.clean_starts().set(log_.name(), log_.clean_base());
    return Unit{};
  }

 private:
  void damage(const char* what, const std::string& reason) {
    ++recovered_.damaged;
    log::error("engine", what, {{"partition", unsigned{log_.name().partition}}, {"log", static_cast<unsigned>(log_.name().log)}, {"reason", reason}});
  }

  // What was deleted is not to come back because nobody can tell any more where the log begins.
  Status load_start() {
    std::string value;
    const auto status = database_.db().Get({}, database_.index(), start_key(log_.name()), &value);
    if (status.IsNotFound()) return Unit{};
    const auto start = status.ok() ? decode_start(value) : Result<StoredStart>(fail(error_of(status)));
    if (!start.ok()) return fail_with("it cannot be told where a log begins: " + start.error().reason);
    start_ = *start;
    return Unit{};
  }

  void load_segments() {
    const auto at = iterate(database_, database_.index());
    const std::string end = topic_key(log_.name(), 0, 0);
    for (at->Seek(segment_key(log_.name(), 0)); at->Valid() && view(at->key()) < end; at->Next()) {
      const auto segment = decode_segment(view(at->value()));
      if (!segment.ok()) {
        damage("a segment of a log cannot be read", segment.error().reason);
      } else if (segment->end > start_.start) {
        closed_.push_back(*segment);
      }
    }
    if (!at->status().ok()) damage("the segments of a log cannot be read", at->status().ToString());
  }

  void load_lost() {
    const auto at = iterate(database_, database_.index());
    const std::string end = jump_key(log_.name(), 0);
    std::vector<LostRange> lost;
    for (at->Seek(lost_key(log_.name(), 0)); at->Valid() && view(at->key()) < end; at->Next()) {
      const auto range = decode_segment(view(at->value()));
      if (range.ok()) {
        lost.push_back({range->base, range->end});
      } else {
        damage("what was lost cannot be read", range.error().reason);
      }
    }
    log_.set_lost(std::move(lost));
  }

  // As LogState::clean_base() says; 0 when blocks cannot be read, as that is not the time to drop any.
  uint64_t find_clean_base() {
    if (start_.start == start_.tail.end) return start_.start;
    const auto at = iterate(database_, database_.blocks());
    uint64_t base = 0;
    at->SeekForPrev(block_key(log_.name(), start_.start));
    for (int blocks = 0; blocks < 2 && at->Valid() && view(at->key()).starts_with(log_prefix(log_.name())); ++blocks) {
      LogName name;
      read_block_key(view(at->key()), name, base);
      at->Prev();
    }
    return at->status().ok() ? base : 0;
  }

  // The blocks that the index does not know yet.
  Status read_blocks(uint64_t from) {
    const auto at = iterate(database_, database_.blocks());
    const std::string prefix = log_prefix(log_.name());
    const auto mine = [&] { return at->Valid() && view(at->key()).starts_with(prefix); };
    at->SeekForPrev(block_key(log_.name(), from));
    if (!mine() && at->status().ok()) at->Seek(block_key(log_.name(), from));
    uint64_t unreadable = UINT64_MAX;  // base of the block before, if it could not be read
    while (mine()) {
      LogName name;
      uint64_t base = 0;
      read_block_key(view(at->key()), name, base);
      ++recovered_.blocks_read;
      unreadable = take_block(base, view(at->value()), from) ? UINT64_MAX : base;
      at->Next();
    }
    if (!at->status().ok()) return find_end(at->status());
    if (unreadable != UINT64_MAX) jump_over(unreadable);
    return check_end();
  }

  // False if not even its header can be read.
  bool take_block(uint64_t base, std::string_view bytes, uint64_t from) {
    auto reader = BlockReader::open(bytes);
    if (!reader.ok()) {
      damage("a block cannot be read", reader.error().reason + ", at offset " + std::to_string(base));
    }
    const auto header_read = read_block_header(bytes);
    if (!header_read.ok()) {
      link_ = std::nullopt;
      return false;
    }
    const BlockHeader& header = *header_read;
    if (header.end_offset <= from) return true;
    const auto lost = log_.lost_above(header.base_offset == 0 ? 0 : header.base_offset - 1);
    const bool known = lost && lost->base < header.base_offset && lost->end >= header.base_offset;
    if (link_ && !known && header.previous_checksum != *link_) {
      damage("a block does not follow the one before it", "at offset " + std::to_string(base));
    }
    link_ = header.checksum;
    BlockFacts facts{header.base_offset, header.end_offset, bytes.size(), header.checksum, {}, 0};
    std::set<uint64_t> topics;
    while (reader.ok() && reader->next()) topics.insert(topic_hash(secret_, reader->topic()));
    facts.topics.assign(topics.begin(), topics.end());
    log_.append(facts);
    return true;
  }

  // Offsets are never used twice, so the log goes on above everything that may have been there.
  void jump_over(uint64_t base) {
    log_.append({base, base + kBlockSpanMax, 1, 0, {}, 0});
  }

  // A walk forward may have passed over a damaged file without a word, from the other side there is a block.
  Status check_end() {
    const auto at = iterate(database_, database_.blocks());
    at->SeekForPrev(block_key(log_.name(), UINT64_MAX));
    LogName name;
    uint64_t base = 0;
    if (!at->status().ok()) return find_end(at->status());
    if (!at->Valid() || !read_block_key(view(at->key()), name, base) || name != log_.name()) return Unit{};
    const bool known = base < log_.tail().end || base < start_.start;
    return known ? Status(Unit{}) : find_end(rocksdb::Status::Corruption("a file was passed over"));
  }

  // RocksDB cannot read a part of a file. The last block says where the log ends. Where that cannot be read either, a jump would not do:
  // what is stored behind it may not be found by the next start, which would give its offsets out again.
  Status find_end(const rocksdb::Status& status) {
    damage("a part of a log cannot be read", status.ToString());
    const auto at = iterate(database_, database_.blocks());
    at->SeekForPrev(block_key(log_.name(), UINT64_MAX));
    LogName name;
    uint64_t base = 0;
    if (!at->status().ok() || !at->Valid() || !read_block_key(view(at->key()), name, base) || name != log_.name()) {
      return fail_with("it cannot be told where the log of partition " + std::to_string(log_.name().partition) +
                       " ends: " + status.ToString());
    }
    const auto header = read_block_header(view(at->value()));
    if (!header.ok()) {
      jump_over(base);
    } else if (header->end_offset > log_.tail().end) {
      log_.append({base, header->end_offset, at->value().size(), header->checksum, {}, 0});
    }
    return Unit{};
  }

  Database& database_;
  const HashKey& secret_;
  LogState& log_;
  Recovered& recovered_;
  StoredStart start_;
  std::deque<Segment> closed_;
  std::optional<uint32_t> link_;  // checksum of the block before, where it is known
};

}  // namespace

Status read_log_names(Database& database, std::set<LogName>& names) {
  for (rocksdb::ColumnFamilyHandle* family : {database.blocks(), database.index()}) {
    if (Status read = collect_names(database, family, names); !read) return read;
  }
  return Unit{};
}

Result<Recovered> recover_logs(Database& database, LogTable& logs, const HashKey& secret, uint64_t floor) {
  std::set<LogName> names;
  for (PartitionId partition = 0; partition < logs.partitions(); ++partition) names.insert({partition, LogId::inbox});
  if (Status read = read_log_names(database, names); !read) return fail(read.error());
  Recovered recovered;
  for (const LogName& name : names) {
    LogState* log = logs.find(name);
    if (log == nullptr) return fail("the store holds a partition that this broker does not have");
    ++recovered.logs;
    if (Status read = LogRecovery(database, secret, floor, *log, recovered).run(); !read) return fail(read.error());
  }
  return recovered;
}

}  // namespace arena::engine
