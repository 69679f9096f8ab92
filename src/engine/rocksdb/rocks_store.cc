#include "engine/rocksdb/rocks_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/reading.h"
#include "engine/rocksdb/log_reader.h"
#include "engine/rocksdb/spaces.h"

namespace arena::engine {
namespace {

constexpr std::size_t kFetchesMax = 2;               // of one core; what they bring is decoded in one turn, while all else waits
constexpr std::size_t kFetchBytesMin = 64 << 10;     // at first: mostly enough, as what is stored is smaller than what is asked for
constexpr std::size_t kFetchBytesMax = 1 << 20;      // when little of it was wanted
constexpr int64_t kMarkDelayMs = 100;

}  // namespace

struct RocksStore::Read {
  Read(ReadRequest asked, ReadDone answer, const View& at)
      : request(std::move(asked)),
        done(std::move(answer)),
        log(at.state),
        reading(request, result, at.start, std::min(request.upto, at.end)) {}

  ReadRequest request;
  ReadResult result;
  ReadDone done;
  LogState* log;
  Reading reading;
  std::size_t fetch_bytes = kFetchBytesMin;
  Fetched fetched;  // written off the loop while this waits
  std::optional<uint32_t> link;  // to the blocks fetched before
};

RocksStore::RocksStore(runtime::Loop& loop, std::shared_ptr<RocksDisk> disk)
    : loop_(loop), disk_(std::move(disk)), mark_timer_(&on_mark_timer, this) {}

RocksStore::~RocksStore() = default;

RocksStore::View* RocksStore::view(LogName name) const {
  const auto found = views_.find(name);
  if (found != views_.end()) return &found->second;
  LogState* state = disk_->logs().find(name);
  if (state == nullptr) return nullptr;
  return &views_.emplace(name, View{state, state->start(), state->tail().end}).first->second;
}

LogBounds RocksStore::bounds(PartitionId partition, LogId log) const {
  const View* at = view({partition, log});
  if (at == nullptr) return {};
  return {at->start, at->end, at->state->bytes_at(at->start)};
}

std::vector<OffsetRange> RocksStore::holes(PartitionId partition, LogId log) const {
  const View* at = view({partition, log});
  return at == nullptr ? std::vector<OffsetRange>() : at->state->holes();
}

std::vector<OffsetRange> RocksStore::lost(PartitionId partition, LogId log) const {
  const View* at = view({partition, log});
  return at == nullptr ? std::vector<OffsetRange>() : at->state->lost();
}

LogId RocksStore::newest_log() const {
  LogId newest = LogId::inbox;
  for (const LogState* log : disk_->logs().all()) newest = std::max(newest, log->name().log);
  return newest;
}

uint64_t RocksStore::bytes_from(PartitionId partition, LogId log, uint64_t offset) const {
  const View* at = view({partition, log});
  return at == nullptr ? 0 : at->state->bytes_at(offset);
}

uint64_t RocksStore::offset_behind(PartitionId partition, LogId log, uint64_t offset, uint64_t bytes) const {
  const View* at = view({partition, log});
  if (at == nullptr) return offset;
  return std::min(std::max(offset, at->end), at->state->offset_behind(offset, bytes));
}

uint64_t RocksStore::written_at(PartitionId partition, LogId log, uint64_t offset) const {
  const View* at = view({partition, log});
  return at == nullptr ? 0 : at->state->written_at(offset);
}

uint64_t RocksStore::offset_written_after(PartitionId partition, LogId log, uint64_t written) const {
  const View* at = view({partition, log});
  return at == nullptr ? 0 : std::min(at->end, at->state->offset_written_after(written));
}

// ---- committing ----

void RocksStore::commit(Batch batch, CommitDone done) {
  CommitEntry entry;
  entry.partition = batch.partition;
  for (const Append& append : batch.appends) {
    if (append.records.empty()) continue;
    view({batch.partition, append.log});  // as it is before this commit
    entry.appends.push_back({append.log, append.base_offset, pack_blocks(disk_->secret(), append.base_offset, append.records)});
  }
  entry.operations = std::move(batch.operations);
  entry.done = std::move(done);
  enqueue(std::move(entry));
}

void RocksStore::trim(PartitionId partition, LogId log, uint64_t new_start) {
  View* at = view({partition, log});
  if (at == nullptr) return;
  const uint64_t start = std::min(new_start, at->end);
  if (start <= at->start) return;
  at->start = start;
  CommitEntry entry;
  entry.partition = partition;
  entry.trim = Trim{log, start};
  enqueue(std::move(entry));
}

void RocksStore::enqueue(CommitEntry entry) {
  entry.door = door_;
  outbox_.push_back(std::move(entry));
  if (submitting_) return;
  submitting_ = true;
  loop_.defer([this, alive = Alive(alive_)] {
    if (!alive.expired()) submit();
  });
}

void RocksStore::submit() {
  submitting_ = false;
  const uint64_t ticket = disk_->queue().hand_over(*door_, outbox_);
  auto work = [disk = std::weak_ptr<RocksDisk>(disk_), door = door_, ticket] {
    if (const auto open = disk.lock()) open->commit(*door, ticket);
  };
  auto done = [this, alive = Alive(alive_)] {
    if (!alive.expired()) answer();
  };
  if (loop_.run_blocking(runtime::Lane::commit, std::move(work), std::move(done))) return;
  // The lane is full of jobs, of which the first takes these entries along; a later one brings the answers.
  submitting_ = true;
  loop_.post(loop_.core(), [this, alive = Alive(alive_)] {
    if (!alive.expired()) submit();
  });
}

void RocksStore::answer() {
  const Alive alive(alive_);
  for (CommitEntry& entry : disk_->queue().collect(*door_)) {
    for (const PackedAppend& append : entry.appends) {
      if (entry.status != CommitStatus::committed) break;
      if (View* at = view({entry.partition, append.log})) at->end = append.blocks.back().end;
    }
    if (!entry.done) continue;
    entry.done(entry.status);
    if (alive.expired()) return;
  }
  keep_house();
}

// The mark follows what was acknowledged, off the way of the acknowledgements.
void RocksStore::keep_house() {
  if (!mark_timer_.armed()) loop_.arm(mark_timer_, kMarkDelayMs);
  if (!disk_->wants_cleaning()) return;
  loop_.run_blocking(runtime::Lane::general,
                     [disk = std::weak_ptr<RocksDisk>(disk_)] {
                       if (const auto open = disk.lock()) open->clean();
                     },
                     [] {});
}

void RocksStore::on_mark_timer(void* self) {
  auto& store = *static_cast<RocksStore*>(self);
  const bool taken = store.loop_.run_blocking(runtime::Lane::general,
                                              [disk = std::weak_ptr<RocksDisk>(store.disk_)] {
                                                if (const auto open = disk.lock()) open->mark_high_water();
                                              },
                                              [] {});
  if (!taken) store.loop_.arm(store.mark_timer_, kMarkDelayMs);
}

// ---- reading ----

void RocksStore::read(ReadRequest request, ReadDone done) {
  const View* at = view({request.partition, request.log});
  if (at == nullptr) {
    ReadResult nothing;
    nothing.next = request.from;
    nothing.status = fail("there is no such partition");
    loop_.post(loop_.core(), [nothing = std::move(nothing), done = std::move(done)]() mutable { done(std::move(nothing)); });
    return;
  }
  const auto made = std::make_shared<Read>(std::move(request), std::move(done), *at);
  if (made->reading.done()) {
    loop_.post(loop_.core(), [alive = Alive(alive_), made] {
      if (!alive.expired()) made->done(std::move(made->result));
    });
    return;
  }
  reads_.push_back(made);
  start_reads();
}

void RocksStore::start_reads() {
  while (!reads_.empty() && fetching_ < kFetchesMax) {
    const std::shared_ptr<Read> next = std::move(reads_.front());
    reads_.pop_front();
    ++fetching_;
    fetch(next);
  }
}

void RocksStore::fetch(const std::shared_ptr<Read>& read) {
  const ReadRequest& request = read->request;
  FetchRequest wanted;
  wanted.from = read->reading.next();
  wanted.upto = read->reading.upto();
  wanted.bytes_max = std::min(request.wanted ? request.scan_bytes_max : request.bytes_max, read->fetch_bytes);
  read->fetch_bytes = std::min(2 * read->fetch_bytes, kFetchBytesMax);
  if (!request.topic.empty() && disk_->index_is_whole()) wanted.topic = topic_hash(disk_->secret(), request.topic);
  wanted.link = read->link;
  auto work = [disk = std::weak_ptr<RocksDisk>(disk_), read, wanted] {
    if (const auto open = disk.lock()) read->fetched = fetch_blocks(open->database(), *read->log, wanted);
  };
  auto done = [this, alive = Alive(alive_), read] {
    if (!alive.expired()) take(read);
  };
  if (loop_.run_blocking(runtime::Lane::general, std::move(work), std::move(done))) return;
  loop_.post(loop_.core(), [this, alive = Alive(alive_), read] {  // the lane is full
    if (!alive.expired()) fetch(read);
  });
}

void RocksStore::take(const std::shared_ptr<Read>& read) {
  const Fetched fetched = std::move(read->fetched);
  read->link = fetched.link;
  read->fetched = {};
  for (const FetchedBlock& block : fetched.blocks) {
    if (!read->reading.take_block(block.bytes, block.base, block.behind)) break;
  }
  if (!read->reading.done()) {
    if (fetched.status.ok()) {
      read->reading.skip_to(fetched.next);
    } else {
      read->reading.fail_at(fetched.status.error(), fetched.damaged_from, fetched.next);
    }
  }
  if (!read->result.status.ok()) disk_->note_damage(1);
  if (read->reading.done()) return finish(read);
  fetch(read);
}

void RocksStore::finish(const std::shared_ptr<Read>& read) {
  --fetching_;
  start_reads();
  read->done(std::move(read->result));
}

std::vector<KeyValue> RocksStore::scan(PartitionId partition, Space space, std::string_view first,
                                       std::string_view last, std::size_t limit) const {
  if (partition >= disk_->partitions()) return {};
  SpaceScan found = scan_space(disk_->database(), partition, space, first, last, limit);
  if (found.damaged > 0) disk_->note_damage(found.damaged);
  return std::move(found.found);
}

}  // namespace arena::engine
