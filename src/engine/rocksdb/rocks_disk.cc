#include "engine/rocksdb/rocks_disk.h"

#include <rocksdb/db.h>
#include <sys/statvfs.h>

#include <utility>

#include "base/log.h"
#include "engine/block.h"
#include "engine/rocksdb/backup.h"
#include "engine/rocksdb/full_disk.h"
#include "engine/rocksdb/jumps.h"
#include "engine/rocksdb/recovery.h"

namespace arena::engine {
namespace {
constexpr uint64_t kCleanEveryBytes = 4 << 20;
// So much has been trimmed and not cleaned up when the commit thread does it itself: what writes and trims waits for the disk to be
// tidied, and is not ahead of it by more.
constexpr uint64_t kCleanAtOnceBytes = 8 << 20;
}  // namespace

Result<std::shared_ptr<RocksDisk>> RocksDisk::open(RocksOptions options) {
  Result<StoreFolder> folder = StoreFolder::open(options.path, options.partitions);
  if (!folder.ok()) return fail(folder.error());
  const std::string path = options.path;
  remove_checkpoints(path);  // they take space
  std::shared_ptr<RocksDisk> disk(new RocksDisk(std::move(*folder), std::move(options)));
  Status opened = disk->open_database();
  if (!opened.ok() && is_full_disk(opened.error())) return fail(full_disk(path, "a start", log_bytes(path), opened.error()));
  if (!opened.ok()) return fail_with(opened.error().reason + disk->way_out());
  return disk;
}

RocksDisk::RocksDisk(StoreFolder folder, RocksOptions options)
    : folder_(std::move(folder)), options_(std::move(options)), logs_(options_.partitions, folder_.floor().offset) {}

RocksDisk::~RocksDisk() {
  if (writer_) mark_high_water();
}

std::string RocksDisk::way_out() const {
  return "; restore the folder from a backup, or, to serve what is left: arena store check --quarantine " + folder_.path();
}

Status RocksDisk::open_database() {
  auto database = Database::open(folder_.database_path(), {options_.env, options_.write_buffer_bytes});
  if (!database.ok()) {
    return fail_with("cannot open " + folder_.database_path() + ": " + database.error().reason);
  }
  database_ = std::move(*database);
  if (Status checked = check_high_water(); !checked) return checked;
  const Database::DamagedFiles damaged_files = database_->check_files();
  index_is_whole_ = damaged_files.index == 0;
  // Streams, sessions and last values that are not seen would be served as if they had never been.
  if (damaged_files.spaces != 0) {
    return fail_with("cannot open " + folder_.path() + ": " + kDamagedKeys);
  }
  const auto recovered = recover_logs(*database_, logs_, folder_.secret(), folder_.floor().offset);
  if (!recovered.ok()) {
    return fail_with("cannot recover " + folder_.path() + ": " + recovered.error().reason);
  }
  if (folder_.floor().is_copy) {
    if (Status jumped = jump_over_what_may_have_been(*database_, logs_, folder_); !jumped) return jumped;
  }
  damaged_ = recovered->damaged + damaged_files.index;
  writer_ = std::make_unique<GroupWriter>(*database_, logs_, folder_.secret(), [this] { return room(); });
  mark_high_water();  // what was recovered is in synced files now; who is killed soon again and again must not stay behind
  log::info("engine", "the store is open", {{"path", folder_.path()}, {"logs", recovered->logs}, {"blocks_read", recovered->blocks_read}, {"damaged", damaged()}});
  return Unit{};
}

// RocksDB takes a log that ends early for one that was cut by a crash. What was acknowledged must be there.
Status RocksDisk::check_high_water() {
  const auto mark = folder_.high_water();
  if (!mark.ok()) return fail(mark.error());
  if (!mark->sequence && (!mark->is_blank || database_->sequence() != 0)) return fail_with(folder_.no_mark(*mark));
  marked_ = mark->sequence.value_or(0);
  if (database_->sequence() < marked_) {
    return fail_with(folder_.path() + " lacks the end of what was acknowledged (it goes to " + std::to_string(database_->sequence()) + ", and went to " +
                     std::to_string(marked_) + ")");
  }
  if (mark->fault.empty()) return Unit{};
  // Before anything is acknowledged: a store that has no mark later on has lost it.
  if (Status written = folder_.reset_high_water(marked_); !written) return mark->sequence ? Status(Unit{}) : written;
  if (mark->sequence) log::warn("engine", "a file of the store is put in order", {{"file", folder_.path() + "/high-water"}, {"reason", mark->fault}});
  return Unit{};
}

Room RocksDisk::room() {
  uint64_t free = UINT64_MAX;  // if it cannot be told, the write will
  struct statvfs info {};
  if (options_.free_bytes) {
    free = options_.free_bytes();
  } else if (::statvfs(options_.path.c_str(), &info) == 0) {
    free = uint64_t{info.f_bavail} * info.f_frsize;
  }
  if (free >= options_.reserve_bytes) return Room::all;
  return free >= options_.reserve_bytes / 2 ? Room::bookkeeping : Room::none;
}

void RocksDisk::commit(CommitDoor& door, uint64_t ticket) {
  if (!queue_.waits(door, ticket)) return;  // the answers only are to be brought home
  // While nothing that has been synced waits to be answered; what comes meanwhile is in the group.
  if (writer_->trimmed_bytes() >= kCleanAtOnceBytes) clean();
  std::vector<CommitEntry> group = queue_.take();
  writer_->write(group);
  database_->suit(writer_->stored_weight());
  queue_.finish(std::move(group));
}

bool RocksDisk::wants_cleaning() { return writer_->trimmed_bytes() >= kCleanEveryBytes && !cleaning_.exchange(true); }

void RocksDisk::clean() {
  cleaning_ = false;
  writer_->forget_trimmed_bytes();
  database_->drop_files();
}

void RocksDisk::mark_high_water() {
  const std::lock_guard lock(mark_mutex_);
  const uint64_t sequence = writer_->acknowledged();
  if (sequence <= marked_) return;
  if (Status written = folder_.set_high_water(sequence); !written) {
    log::warn("engine", "the high-water mark cannot be written", {{"reason", written.error().reason}});
    return;
  }
  marked_ = sequence;
}

bool RocksDisk::corrupt(LogName name, uint64_t offset, bool in_header) {
  const std::unique_ptr<rocksdb::Iterator> at(database_->db().NewIterator({}, database_->blocks()));
  at->SeekForPrev(block_key(name, offset));
  if (!at->Valid()) return false;
  std::string bytes = at->value().ToString();
  const auto header = read_block_header(bytes);
  if (!header.ok() || header->end_offset <= offset) return false;
  char& damaged = in_header ? bytes[8] : bytes.back();
  damaged = static_cast<char>(damaged ^ 1);
  return database_->db().Put({}, database_->blocks(), at->key(), bytes).ok();
}

}  // namespace arena::engine
