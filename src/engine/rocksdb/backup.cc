#include "engine/rocksdb/backup.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/utilities/checkpoint.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "engine/rocksdb/examination.h"
#include "engine/rocksdb/file_copy.h"
#include "engine/rocksdb/folder.h"
#include "engine/rocksdb/successor.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

Failure<Error> fault(const std::string& what, const std::string& path, const std::error_code& error) {
  return fail_with(what + " " + path + ": " + error.message());
}

Status sync_path(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const std::error_code error(errno, std::generic_category());
  if (fd >= 0) ::close(fd);
  if (!synced) return fault("cannot sync", path, error);
  return Unit{};
}

Status copy_and_sync(const std::string& from, const std::string& to) {
  if (Status copied = copy_file(from, to); !copied) return copied;
  return sync_path(to);
}

Status make_empty(const std::string& target) {
  std::error_code error;
  if (fs::exists(target, error)) {
    if (!fs::is_directory(target, error)) return fail_with(target + " is no folder; name another one");
    if (!fs::is_empty(target, error) || error) return fail_with(target + " is not empty; name a folder that is empty or not there");
  } else if (!fs::create_directories(target, error) || error) {
    return fault("cannot make the folder", target, error);
  }
  fs::permissions(target, fs::perms::owner_all, error);
  return Unit{};
}

// RocksDB's notes are for people, and its lock for processes.
bool is_copied(const std::string& name) { return name != "LOCK" && name != "LOG" && !name.starts_with("LOG."); }

Status copy_database(const std::string& from, const std::string& to) {
  std::error_code error;
  if (!fs::create_directory(to, error)) return fault("cannot make the folder", to, error);
  for (const auto& entry : fs::directory_iterator(from, error)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(error) || !is_copied(name)) continue;
    if (Status copied = copy_and_sync(entry.path().string(), to + "/" + name); !copied) return copied;
  }
  if (error) return fault("cannot read", from, error);
  return sync_path(to);
}

}  // namespace

Status copy_store(const std::string& path, const std::string& target) {
  const auto format = StoreFolder::copied_format(path);
  if (!format.ok()) return fail(format.error());
  if (Status made = make_empty(target); !made) return made;
  if (Status copied = copy_database(path + "/rocksdb", target + "/rocksdb"); !copied) return copied;
  if (Status written = write_copied_mark(path, target); !written) return written;
  if (Status written = write_copied_floor(path, target); !written) return written;
  return StoreFolder::write_copied_format(*format, target);
}

bool is_within(const std::string& path, const std::string& target) {
  std::error_code error;
  const fs::path outer = fs::weakly_canonical(fs::absolute(path, error), error);
  const fs::path inner = fs::weakly_canonical(fs::absolute(target, error), error);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

Status copy_stopped_store(const std::string& path, const std::string& target) {
  const auto folder = StoreFolder::open_existing(path);
  if (!folder.ok()) return fail(folder.error());
  return copy_store(path, target);
}

Status make_checkpoint(Database& database, const std::string& path, const std::string& name) {
  const std::string target = fs::absolute(path).string() + "/" + name;
  if (Status made = make_empty(target); !made) return made;
  // The mark first: it must not be ahead of the rest.
  if (Status copied = write_copied_mark(path, target); !copied) return copied;
  std::error_code error;
  if (fs::exists(path + "/floor", error)) {
    if (Status copied = copy_and_sync(path + "/floor", target + "/floor"); !copied) return copied;
  }
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(&database.db(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(target + "/rocksdb", UINT64_MAX);
  if (!status.ok()) return fail(error_of(status));
  return copy_and_sync(path + "/format", target + "/format");
}

void remove_checkpoints(const std::string& path) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kCheckpointPrefix) || name == kScratchName || name == kSuccessorName) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace arena::engine
