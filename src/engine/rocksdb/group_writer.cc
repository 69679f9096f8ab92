#include "engine/rocksdb/group_writer.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "engine/rocksdb/index_values.h"
#include "engine/rocksdb/spaces.h"

namespace arena::engine {

struct GroupWriter::Draft {
  LogState* state = nullptr;
  LogTail tail;
  uint64_t start = 0;
  bool closes = false;  // its open segment is closed by this batch
  std::vector<BlockFacts> blocks;
};

struct GroupWriter::Pending {
  rocksdb::WriteBatch batch;
  std::vector<CommitEntry*> entries;
  std::map<LogName, Draft> drafts;
};

namespace {

// The room that the entry needs.
Room needs(const CommitEntry& entry) {
  Room needed = Room::none;
  if (!entry.appends.empty()) return Room::all;
  for (const Operation& one : entry.operations) {
    if (one.kind != Operation::Kind::put) continue;
    if (one.space == Space::retained) return Room::all;
    needed = Room::bookkeeping;
  }
  return needed;
}

// What waits for sessions is read by many, and costs more while it is not merged.
uint64_t weigh(LogName name, uint64_t bytes) { return name.log == LogId::inbox ? 3 * bytes : bytes; }

}  // namespace

GroupWriter::GroupWriter(Database& database, LogTable& logs, const HashKey& secret, UniqueFunction<Room()> room)
    : database_(database),
      logs_(logs),
      secret_(secret),
      ask_room_(std::move(room)),
      pending_(std::make_unique<Pending>()),
      acknowledged_(database.sequence()) {
  for (const LogState* log : logs.all()) {
    const uint64_t bytes = log->bytes_at(log->start());
    stored_weight_ += weigh(log->name(), bytes);
    written_bytes_ += bytes;
  }
  for (LogState* log : logs.all()) log->spread(written_bytes_);
}

GroupWriter::~GroupWriter() = default;

void GroupWriter::write(std::vector<CommitEntry>& group) {
  note_room(ask_room_());
  if (database_.background_failed()) failed_ = true;
  for (CommitEntry& entry : group) add(entry);
  flush();
}

void GroupWriter::note_room(Room room) {
  if (room == room_) return;
  room_ = room;
  switch (room) {
    case Room::all: return log::info("engine", "the disk has space again");
    case Room::bookkeeping: return log::error("engine", "the disk is almost full: no more messages are stored until there is space");
    case Room::none: return log::error("engine", "the disk is full: nothing is stored until there is space");
  }
}

CommitStatus GroupWriter::judge(const CommitEntry& entry) {
  if (failed_) return CommitStatus::failed;
  if (entry.partition >= logs_.partitions()) return CommitStatus::refused;
  for (const PackedAppend& append : entry.appends) {
    if (append.base_offset < draft({entry.partition, append.log}).tail.end) return CommitStatus::refused;
  }
  return needs(entry) < room_ ? CommitStatus::full : CommitStatus::committed;
}

void GroupWriter::add(CommitEntry& entry) {
  const bool ranged = has_range(entry.operations);
  if (ranged) flush();  // it looks at what is stored
  entry.status = judge(entry);
  if (entry.status != CommitStatus::committed) return;
  pending_->entries.push_back(&entry);
  if (entry.trim) add_trim({entry.partition, entry.trim->log}, entry.trim->to);
  for (PackedAppend& append : entry.appends) add_blocks({entry.partition, append.log}, append.blocks);
  add_operations(database_, secret_, entry.partition, entry.operations, pending_->batch);
  if (ranged) flush();
}

GroupWriter::Draft& GroupWriter::draft(LogName name) {
  const auto [at, made] = pending_->drafts.try_emplace(name);
  Draft& draft = at->second;
  if (made) {
    draft.state = logs_.find(name);
    draft.tail = draft.state->tail();
    draft.start = draft.state->start();
  }
  return draft;
}

void GroupWriter::add_blocks(LogName name, std::vector<PackedBlock>& blocks) {
  Draft& log = draft(name);
  if (log.blocks.empty() && log.state->wants_closing()) {
    log.closes = true;
    add_closing(*log.state);
  }
  for (PackedBlock& block : blocks) {
    const std::string bytes = block.writer.finish(log.tail.checksum);
    log.tail = {block.end, read_block_header(bytes)->checksum};
    pending_->batch.Put(database_.blocks(), block_key(name, block.base), bytes);
    written_bytes_ += bytes.size();
    log.blocks.push_back({block.base, block.end, bytes.size(), log.tail.checksum, std::move(block.topics), written_bytes_});
  }
}

// The index is behind the blocks by up to a segment; after a crash it is made again from them.
void GroupWriter::add_closing(LogState& log) {
  const Segment segment = log.open_segment();
  pending_->batch.Put(database_.index(), segment_key(log.name(), segment.base), encode_segment(segment));
  for (const auto& [topic, bases] : log.open_postings()) {
    pending_->batch.Put(database_.index(), topic_key(log.name(), topic, segment.base), encode_bases(segment, bases));
  }
}

void GroupWriter::add_trim(LogName name, uint64_t to) {
  Draft& log = draft(name);
  const uint64_t start = std::min(to, log.tail.end);
  if (start <= log.start) return;
  log.start = start;
  pending_->batch.Put(database_.index(), start_key(name), encode_start({start, log.tail}));
}

void GroupWriter::flush() {
  Pending& pending = *pending_;
  if (pending.batch.Count() != 0) {
    if (Status written = database_.write_synced(pending.batch); !written) {
      failed_ = true;
      log::error("engine", "a commit could not be written; nothing more will be", {{"reason", written.error().reason}});
    }
  }
  if (failed_) {
    for (CommitEntry* entry : pending.entries) entry->status = CommitStatus::failed;
  } else {
    apply();
  }
  pending.batch.Clear();
  pending.entries.clear();
  pending.drafts.clear();
}

void GroupWriter::apply() {
  for (auto& [name, draft] : pending_->drafts) {
    if (draft.closes) draft.state->close_segment();
    for (const BlockFacts& block : draft.blocks) {
      draft.state->append(block);
      stored_weight_ += weigh(name, block.bytes);
    }
    if (draft.start == draft.state->start()) continue;
    const uint64_t before = draft.state->bytes_at(draft.state->start());
    draft.state->trim(draft.start);
    const uint64_t trimmed = before - draft.state->bytes_at(draft.start);
    trimmed_bytes_ += trimmed;
    stored_weight_ -= std::min(stored_weight_, weigh(name, trimmed));
    database_.clean_starts().set(name, draft.state->clean_base());
  }
  acknowledged_ = database_.sequence();
}

}  // namespace arena::engine
