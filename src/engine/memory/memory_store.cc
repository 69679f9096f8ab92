#include "engine/memory/memory_store.h"

#include <utility>

namespace arena::engine {
namespace {

using Partition = MemoryDisk::Partition;
using SpaceMap = MemoryDisk::SpaceMap;

std::size_t key_value_bytes(std::string_view key, std::string_view value) { return key.size() + value.size() + 64; }

// [first, last); empty `last` means to the end.
std::pair<SpaceMap::const_iterator, SpaceMap::const_iterator> range_of(const SpaceMap& map, std::string_view first,
                                                                       std::string_view last) {
  const auto begin = map.lower_bound(first);
  if (last.empty()) return {begin, map.end()};
  return {begin, first < last ? map.lower_bound(last) : begin};
}

// An upper bound of what the batch adds. Zero for one that only erases: a full disk must take that.
std::size_t added_bytes(const Batch& batch) {
  std::size_t bytes = 0;
  for (const Append& append : batch.appends) {
    for (const MessageRef& record : append.records) bytes += record->accounted_bytes();
  }
  for (const Operation& operation : batch.operations) {
    if (operation.kind == Operation::Kind::put) bytes += key_value_bytes(operation.key, operation.value);
  }
  return bytes;
}

void put(MemoryDisk& disk, SpaceMap& map, Operation& operation) {
  disk.account(key_value_bytes(operation.key, operation.value), 0);
  const auto [at, inserted] = map.try_emplace(std::move(operation.key));
  if (!inserted) disk.account(0, key_value_bytes(at->first, at->second));
  at->second = std::move(operation.value);
}

void erase(MemoryDisk& disk, SpaceMap& map, SpaceMap::const_iterator from, SpaceMap::const_iterator to) {
  for (auto at = from; at != to; ++at) disk.account(0, key_value_bytes(at->first, at->second));
  map.erase(from, to);
}

void apply_operation(MemoryDisk& disk, SpaceMap& map, Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::put: return put(disk, map, operation);
    case Operation::Kind::erase: {
      const auto at = map.find(operation.key);
      return at == map.end() ? void() : erase(disk, map, at, std::next(at));
    }
    case Operation::Kind::erase_range: {
      const auto [from, to] = range_of(map, operation.key, operation.value);
      return erase(disk, map, from, to);
    }
  }
}

CommitStatus apply(MemoryDisk& disk, Batch& batch) {
  if (disk.failed()) return CommitStatus::failed;
  Partition* partition = disk.partition(batch.partition);
  if (partition == nullptr) return CommitStatus::refused;
  for (const Append& append : batch.appends) {
    if (!append.records.empty() && append.base_offset < partition->logs[append.log].end()) return CommitStatus::refused;
  }
  const std::size_t added = added_bytes(batch);
  if (added > 0 && !disk.has_room(added)) return CommitStatus::full;

  disk.count_commit();
  for (const Append& append : batch.appends) {
    MemoryLog& log = partition->logs[append.log];
    const uint64_t before = log.bounds().bytes;
    log.append(append.base_offset, append.records, disk.written_bytes());
    const uint64_t more = log.bounds().bytes - before;
    disk.account(static_cast<std::size_t>(more), 0);
    disk.count_written(more);
  }
  for (Operation& operation : batch.operations) apply_operation(disk, partition->spaces[operation.space], operation);
  return CommitStatus::committed;
}

ReadResult read_from(MemoryDisk& disk, ReadRequest& request) {
  ReadResult result;
  result.next = request.from;
  const Partition* partition = disk.partition(request.partition);
  if (partition == nullptr) {
    result.status = fail("there is no such partition");
    return result;
  }
  const auto log = partition->logs.find(request.log);
  return log == partition->logs.end() ? std::move(result) : log->second.read(request);
}

}  // namespace

// What waits, in the order of the calls.
struct MemoryStore::Queue : std::enable_shared_from_this<MemoryStore::Queue> {
  // Stops as soon as a callback has destroyed the store.
  static void run(const std::weak_ptr<Queue>& weak, std::vector<Task> Queue::*which) {
    std::vector<Task> waiting;
    if (const auto queue = weak.lock()) waiting.swap((*queue).*which);
    for (Task& task : waiting) {
      if (weak.expired()) return;
      task();
    }
  }
  static void on_slow(void* self) { run(static_cast<Queue*>(self)->weak_from_this(), &Queue::slow); }

  std::vector<Task> tasks;  // for the loop's next turn
  std::vector<Task> slow;   // commits, for when the disk has them
  runtime::Timer timer{&Queue::on_slow, this};
};

MemoryStore::MemoryStore(runtime::Loop& loop, MemoryDisk& disk)
    : disk_(disk), loop_(loop), queue_(std::make_shared<Queue>()) {}
MemoryStore::~MemoryStore() = default;

// One post to the loop for all that is asked in a turn.
void MemoryStore::enqueue(Task task) {
  if (queue_->tasks.empty()) {
    loop_.post(loop_.core(), [weak = std::weak_ptr<Queue>(queue_)] { Queue::run(weak, &Queue::tasks); });
  }
  queue_->tasks.push_back(std::move(task));
}

void MemoryStore::commit(Batch batch, CommitDone done) {
  Task task = [&disk = disk_, batch = std::move(batch), done = std::move(done)]() mutable { done(apply(disk, batch)); };
  const int64_t delay_ms = disk_.commit_delay_ms();
  if (delay_ms == 0 && queue_->slow.empty()) return enqueue(std::move(task));
  if (queue_->slow.empty()) loop_.arm(queue_->timer, delay_ms);
  queue_->slow.push_back(std::move(task));
}

void MemoryStore::read(ReadRequest request, ReadDone done) {
  enqueue([&disk = disk_, request = std::move(request), done = std::move(done)]() mutable {
    done(read_from(disk, request));
  });
}

const MemoryLog* MemoryStore::find(PartitionId partition, LogId log) const {
  const Partition* at = disk_.partition(partition);
  if (at == nullptr) return nullptr;
  const auto found = at->logs.find(log);
  return found == at->logs.end() ? nullptr : &found->second;
}

std::vector<OffsetRange> MemoryStore::lost(PartitionId partition, LogId log) const {
  const MemoryLog* at = find(partition, log);
  return at == nullptr ? std::vector<OffsetRange>() : at->lost();
}

LogId MemoryStore::newest_log() const {
  LogId newest = LogId::inbox;
  for (PartitionId id = 0; id < disk_.partitions(); ++id) {
    const auto& logs = disk_.partition(id)->logs;
    if (!logs.empty()) newest = std::max(newest, logs.rbegin()->first);
  }
  return newest;
}

LogBounds MemoryStore::bounds(PartitionId partition, LogId log) const {
  const MemoryLog* at = find(partition, log);
  return at == nullptr ? LogBounds{} : at->bounds();
}

uint64_t MemoryStore::bytes_from(PartitionId partition, LogId log, uint64_t offset) const {
  const MemoryLog* at = find(partition, log);
  return at == nullptr ? 0 : at->extents().bytes_from(offset);
}

uint64_t MemoryStore::offset_behind(PartitionId partition, LogId log, uint64_t offset, uint64_t bytes) const {
  const MemoryLog* at = find(partition, log);
  return at == nullptr ? offset : at->extents().offset_behind(offset, bytes);
}

uint64_t MemoryStore::written_at(PartitionId partition, LogId log, uint64_t offset) const {
  const MemoryLog* at = find(partition, log);
  return at == nullptr ? 0 : at->extents().written_at(offset).value_or(0);
}

uint64_t MemoryStore::offset_written_after(PartitionId partition, LogId log, uint64_t written) const {
  const MemoryLog* at = find(partition, log);
  return at == nullptr ? 0 : at->extents().offset_written_after(written);
}

std::vector<KeyValue> MemoryStore::scan(PartitionId partition, Space space, std::string_view first,
                                        std::string_view last, std::size_t limit) const {
  std::vector<KeyValue> out;
  const Partition* at = disk_.partition(partition);
  if (at == nullptr) return out;
  const auto map = at->spaces.find(space);
  if (map == at->spaces.end()) return out;
  auto [from, to] = range_of(map->second, first, last);
  for (; from != to && out.size() < limit; ++from) out.push_back({from->first, from->second});
  return out;
}

void MemoryStore::trim(PartitionId partition, LogId log, uint64_t new_start) {
  Partition* at = disk_.partition(partition);
  if (at == nullptr) return;
  const auto found = at->logs.find(log);
  if (found == at->logs.end()) return;
  const uint64_t before = found->second.bounds().bytes;
  found->second.trim(new_start);
  disk_.account(0, static_cast<std::size_t>(before - found->second.bounds().bytes));
}

}  // namespace arena::engine
