#include "engine/rocksdb/successor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

Failure<Error> fault(const std::string& what, const std::string& path) { return fail_with(what + " " + path + ": " + std::strerror(errno)); }

Status sync_path(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fault("cannot open", path);
  const bool synced = ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  if (!synced) return fault("cannot sync", path);
  return Unit{};
}

// What is linked is on disk already.
Status sync_folder(const std::string& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (!entry.is_regular_file(error) || entry.hard_link_count(error) != 1) continue;
    if (Status synced = sync_path(entry.path().string()); !synced) return synced;
  }
  if (error) return fail_with("cannot read " + path + ": " + error.message());
  return sync_path(path);
}

Status move(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return fault("cannot move", from);
  return Unit{};
}

}  // namespace

Result<Successor> Successor::make(const std::string& store) {
  Successor made(store);
  std::error_code error;
  fs::remove_all(made.path_, error);
  if (::mkdir(made.path_.c_str(), 0700) != 0) return fault("cannot make", made.path_);
  return made;
}

Successor::~Successor() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Status Successor::copy_database() {
  auto files = Scratch::make(store_ + "/rocksdb", true, database());
  if (!files.ok()) return fail(files.error());
  files_ = std::move(*files);
  if (::chmod(database().c_str(), 0700) != 0) return fault("cannot make", database());
  return Unit{};
}

Status Successor::take_place(const std::string& aside) {
  if (Status synced = sync_path(aside); !synced) return synced;
  if (!files_.path().empty()) {
    if (Status synced = sync_folder(database()); !synced) return synced;
    if (Status synced = sync_path(path_); !synced) return synced;
    if (Status exchanged = exchange(aside); !exchanged) return exchanged;
  }
  took_place_ = true;
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (entry.is_regular_file(error)) names.push_back("/" + entry.path().filename().string());
  }
  if (error) return fail_with("cannot read " + path_ + ": " + error.message());
  for (const std::string& name : names) {
    if (Status moved = move(path_ + name, store_ + name); !moved) return moved;
  }
  return sync_path(store_);
}

Status Successor::exchange(const std::string& aside) {
  const std::string now = store_ + "/rocksdb";
  if (::renameat2(AT_FDCWD, database().c_str(), AT_FDCWD, now.c_str(), RENAME_EXCHANGE) == 0) return Unit{};
  if (errno != EINVAL && errno != ENOSYS) return fault("cannot move", database());
  const std::string kept = aside + "/rocksdb";
  if (Status moved = move(now, kept); !moved) return moved;
  if (Status moved = move(database(), now); !moved) {
    std::rename(kept.c_str(), now.c_str());
    return moved;
  }
  std::error_code ignored;
  fs::remove_all(kept, ignored);
  return Unit{};
}

}  // namespace arena::engine
