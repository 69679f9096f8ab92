#include "engine/rocksdb/index_rebuild.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "engine/block.h"
#include "engine/rocksdb/examination.h"
#include "engine/rocksdb/index_values.h"
#include "engine/rocksdb/recovery.h"

namespace arena::engine {
namespace {

constexpr std::size_t kBatchBytes = 4 << 20;

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class Rebuild {
 public:
  Rebuild(Database& database, const HashKey& secret, LogName name, const LossHints& hints, std::vector<LostOffsets>& lost)
      : database_(database), secret_(secret), name_(name), hints_(hints), lost_(lost), log_(name) {}

  Status run() {
    load();
    bool unreadable = false;
    visit_blocks(database_, name_, start_.start, {[this](uint64_t base, std::string_view block) { take(base, block); },
                                                  [&](const std::string&) { unreadable = true; }});
    if (unreadable) return fail("blocks still cannot be read");
    finish_tail();
    // First: whatever happens to the rest, offsets are not used twice.
    if (start_.start > 0 || tail_.end > end_) put(start_key(name_), encode_start({start_.start, tail_}));
    if (Status written = write(); !written) return written;
    if (Status erased = erase_old(); !erased) return erased;
    return write_new();
  }

 private:
  void load() {
    std::string value;
    const bool found = database_.db().Get({}, database_.index(), start_key(name_), &value).ok();
    const auto start = found ? decode_start(value) : Result<StoredStart>(fail("none"));
    if (start.ok()) start_ = *start;
    start_known_ = start.ok() || !hints_.start_unknown;
    segments_ = stored_segments(database_, name_);
    for (const LostRange& one : stored_losses(database_, name_)) {
      if (one.end > start_.start || one.end - one.base > kLostCountKnownMax) ranges_.push_back(one);
    }
    end_ = start_.start;
    if (start_.start == start_.tail.end) link_ = start_.tail.checksum;
  }

  void take(uint64_t base, std::string_view bytes) {
    auto reader = BlockReader::open(bytes);
    std::set<uint64_t> topics;
    bool whole = reader.ok();
    while (whole && reader->next()) {
      topics.insert(topic_hash(secret_, reader->topic()));
      whole = reader->decode().ok();
    }
    if (!whole || !reader->status().ok()) {
      unreadable_.push_back(base);
      return;
    }
    const BlockHeader& header = reader->header();
    if (header.end_offset <= start_.start) {
      link_ = header.checksum;
      return;
    }
    if (std::exchange(first_, false)) {
      take_first(header);
    } else if (link_ && header.previous_checksum != *link_) {
      lose(end_, base, false);
    }
    link_ = header.checksum;
    end_ = header.end_offset;
    BlockFacts facts{header.base_offset, header.end_offset, bytes.size(), header.checksum, {}, 0};
    facts.topics.assign(topics.begin(), topics.end());
    if (log_.wants_closing()) close_segment();
    log_.append(facts);
  }

  void take_first(const BlockHeader& header) {
    if (!start_known_) {
      start_.start = std::min(header.base_offset, hints_.removed_from.value_or(UINT64_MAX));
      end_ = start_.start;
    }
    const bool by_link = link_ && start_known_ && header.previous_checksum != *link_;
    const bool by_index = !link_ && !segments_.empty() && segments_.front().base < header.base_offset && segments_.front().end > start_.start;
    const bool by_file = hints_.removed_from && *hints_.removed_from < header.base_offset;
    const bool by_reading = !unreadable_.empty();
    if (by_link || by_index || by_file || by_reading) lose(end_, header.base_offset, false);
  }

  void lose(uint64_t from, uint64_t upto, bool bound) {
    if (from >= upto) return;
    for (const OffsetRange& jump : hints_.jumps) {
      if (jump.base >= upto || jump.end <= from) continue;
      lose(from, std::min(upto, jump.base), bound);
      return lose(std::max(from, jump.end), upto, bound);
    }
    for (const LostRange& known : ranges_) {
      if (known.base <= from && known.end >= upto) return;
    }
    std::erase_if(ranges_, [&](const LostRange& one) { return one.base >= from && one.end <= upto; });
    ranges_.push_back({from, upto});
    lost_.push_back({name_, from, upto, bound});
  }

  void finish_tail() {
    uint64_t known_end = std::max(end_, start_.tail.end);
    if (!segments_.empty()) known_end = std::max(known_end, segments_.back().end);
    for (const LostRange& one : ranges_) known_end = std::max(known_end, one.end);
    for (const OffsetRange& jump : hints_.jumps) known_end = std::max(known_end, jump.end);
    std::optional<uint64_t> beyond;  // a block that was there, and not how far it went
    if (hints_.removed_last && *hints_.removed_last >= end_) beyond = hints_.removed_last;
    if (!unreadable_.empty() && unreadable_.back() >= end_) beyond = std::max(beyond.value_or(0), unreadable_.back());
    const bool unknown = hints_.end_unknown || (beyond && *beyond >= known_end);
    tail_ = {unknown ? std::max(known_end, beyond.value_or(0)) + kBlockSpanMax : known_end, link_.value_or(0)};
    if (tail_.end > end_) lose(end_, tail_.end, unknown);
  }

  void close_segment() {
    const Segment segment = log_.open_segment();
    closed_.emplace_back(segment, log_.open_postings());
    log_.close_segment();
  }

  Status erase_old() {
    const std::unique_ptr<rocksdb::Iterator> at(database_.db().NewIterator({}, database_.index()));
    const std::string prefix = log_prefix(name_);
    for (at->Seek(segment_key(name_, 0)); at->Valid() && view(at->key()).starts_with(prefix); at->Next()) {
      if (view(at->key()) >= jump_key(name_, 0)) break;
      batch_.Delete(database_.index(), at->key());
      if (Status written = write_when_large(); !written) return written;
    }
    if (!at->status().ok()) return fail(error_of(at->status()));
    for (const uint64_t base : unreadable_) batch_.Delete(database_.blocks(), block_key(name_, base));
    return write();
  }

  Status write_new() {
    for (const LostRange& one : ranges_) put(lost_key(name_, one.base), encode_segment({one.base, one.end, 0, 0}));
    for (const auto& [segment, postings] : closed_) {
      put(segment_key(name_, segment.base), encode_segment(segment));
      for (const auto& [topic, bases] : postings) put(topic_key(name_, topic, segment.base), encode_bases(segment, bases));
      if (Status written = write_when_large(); !written) return written;
    }
    return write();
  }

  void put(const std::string& key, const std::string& value) { batch_.Put(database_.index(), key, value); }
  Status write_when_large() { return batch_.GetDataSize() < kBatchBytes ? Status(Unit{}) : write(); }
  Status write() {
    if (batch_.Count() == 0) return Unit{};
    Status written = database_.write_synced(batch_);
    batch_.Clear();
    return written;
  }

  Database& database_;
  const HashKey& secret_;
  const LogName name_;
  const LossHints& hints_;
  std::vector<LostOffsets>& lost_;
  LogState log_;
  StoredStart start_;
  bool start_known_ = true;
  std::vector<Segment> segments_;  // by the old index
  std::vector<LostRange> ranges_;
  std::vector<uint64_t> unreadable_;
  std::optional<uint32_t> link_;
  bool first_ = true;
  uint64_t end_ = 0;
  LogTail tail_;
  std::vector<std::pair<Segment, Postings>> closed_;
  rocksdb::WriteBatch batch_;
};

}  // namespace

Status rebuild_index(Database& database, const HashKey& secret, LogName name, const LossHints& hints, std::vector<LostOffsets>& lost) {
  return Rebuild(database, secret, name, hints, lost).run();
}

}  // namespace arena::engine
