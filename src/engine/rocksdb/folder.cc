#include "engine/rocksdb/folder.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <sstream>
#include <utility>

#include "base/hash.h"
#include "base/log.h"

namespace arena::engine {
namespace {

constexpr uint64_t kFormat = 2;  // a folder of an earlier one is marked when it is opened: what is written from then on is of this
constexpr const char* kFormatCopy = "/format.copy";
constexpr const char* kHasFloor = "\nfloor 1\n";

std::string system_reason(int error) { return std::strerror(error); }

Failure<Error> fault(const std::string& what, const std::string& path, int error, const char* way_out) {
  return fail_with(what + " " + path + ": " + system_reason(error) + "; " + way_out);
}

Status sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fault("cannot open", path, errno, "check the folder's permissions");
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  if (result != 0) return fault("cannot sync", path, error, "the disk may be failing");
  return Unit{};
}

Status make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    const std::size_t slash = path.find_last_of('/');
    return sync_folder(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
  }
  if (errno == EEXIST) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return Unit{};
    return fail_with(path + " is no folder; name another one");
  }
  return fault("cannot make the folder", path, errno, "make it, or name another one");
}

bool there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// nullopt: there is no such file.
Result<std::optional<std::string>> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::optional<std::string>();
  if (fd < 0) return fault("cannot read", path, errno, "check its permissions");
  std::string text(4096, '\0');
  const ssize_t size = ::read(fd, text.data(), text.size());
  const int error = errno;
  ::close(fd);
  if (size < 0) return fault("cannot read", path, error, "the disk may be failing");
  text.resize(static_cast<std::size_t>(size));
  return std::optional<std::string>(std::move(text));
}

Status write_whole_file(const std::string& path, std::string_view text) {
  const std::string made = path + ".new";
  const int fd = ::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fault("cannot write", made, errno, "check the folder's permissions");
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!written) return fault("cannot write", made, error, "check that the disk has space");
  if (std::rename(made.c_str(), path.c_str()) != 0) return fault("cannot rename", made, errno, "check the folder's permissions");
  return Unit{};
}

std::string hex(const HashKey& key) {
  std::string out(key.size() * 2 + 1, '\0');
  sodium_bin2hex(out.data(), out.size(), key.data(), key.size());
  out.pop_back();
  return out;
}

// The last line is the checksum of those before it.
std::string with_checksum(std::string text) { return text + "checksum " + std::to_string(checksum32(text)) + "\n"; }

std::string floor_text(const StoreFolder::Floor& floor) {
  return with_checksum("floor " + std::to_string(floor.offset) + "\ncopy " + std::to_string(int{floor.is_copy}) + "\n");
}

std::optional<StoreFolder::Floor> parse_floor(const std::string& text) {
  StoreFolder::Floor floor;
  std::string word;
  std::istringstream lines(text);
  lines >> word >> floor.offset >> word >> floor.is_copy;
  return lines && floor_text(floor) == text ? std::optional(floor) : std::nullopt;
}

}  // namespace

StoreFolder::StoreFolder(StoreFolder&& other) noexcept
    : path_(std::move(other.path_)),
      marks_(std::move(other.marks_)),
      format_fault_(std::move(other.format_fault_)),
      faults_(std::move(other.faults_)),
      floor_(other.floor_),
      secret_(other.secret_),
      partitions_(other.partitions_),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      format_(other.format_),
      has_floor_(other.has_floor_) {}

StoreFolder::~StoreFolder() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Result<StoreFolder> StoreFolder::open(const std::string& path, PartitionId partitions) {
  if (sodium_init() < 0) return fail("libsodium cannot be initialised");
  if (Status made = make_folder(path); !made) return fail(made.error());
  StoreFolder folder(path);
  if (Status locked = folder.take_lock(); !locked) return fail(locked.error());
  if (Status read = folder.load_or_make_format(partitions); !read) return fail(read.error());
  if (Status database = make_folder(folder.database_path()); !database) return fail(database.error());
  if (Status marks = folder.marks_.open(true); !marks) return fail(marks.error());
  folder.load_floor();
  for (const Fault& one : folder.faults_) log::warn("engine", "a file of the store is put in order", {{"file", path + "/" + one.file}, {"reason", one.what}});
  if (Status synced = sync_folder(path); !synced) return fail(synced.error());
  return folder;
}

Result<StoreFolder> StoreFolder::open_existing(const std::string& path) {
  if (sodium_init() < 0) return fail("libsodium cannot be initialised");
  if (!is_store(path)) {
    return fail_with(path + " is no store; name the folder that a broker has as store.data");
  }
  StoreFolder folder(path);
  if (Status locked = folder.take_lock(); !locked) return fail(locked.error());
  const auto text = read_file(path + "/format");
  if (!text.ok()) return fail(text.error());
  Status read = *text ? folder.read_format(**text) : Status(fail_with(path + " has no file \"format\"; restore it from a backup of the folder"));
  if (!read) {
    const auto copy = read_file(path + kFormatCopy);
    if (!copy.ok() || !*copy || !folder.read_format(**copy).ok()) return fail(read.error());
    folder.format_fault_ = read.error().reason;
  } else {
    folder.compare_copy(**text);
  }
  if (Status marks = folder.marks_.open(false); !marks) return fail(marks.error());
  folder.load_floor();
  return folder;
}

// Of the format, which is whole.
void StoreFolder::compare_copy(const std::string& format) {
  const auto copy = read_file(path_ + kFormatCopy);
  if (copy.ok() && *copy && **copy == format) return;
  faults_.push_back({kFormatCopy + 1, !copy.ok() ? copy.error().reason : *copy ? "it is not what \"format\" is" : "it is gone"});
}

// One that cannot be read makes the logs jump once more: that loses nothing.
void StoreFolder::load_floor() {
  const auto text = read_file(path_ + "/floor");
  if (text.ok() && !*text && !has_floor_) return;
  const auto floor = text.ok() && *text ? parse_floor(**text) : std::nullopt;
  floor_ = floor.value_or(Floor{0, true});
  has_floor_ = true;
  if (!floor) faults_.push_back({"floor", !text.ok() ? text.error().reason : *text ? "it is damaged" : "it is gone"});
}

Status StoreFolder::write_format(const std::string& folder) const {
  const std::string text = format_text();
  // The copy first: one of a later version than the format tells of nothing that is begun.
  for (const char* name : {kFormatCopy, "/format"}) {
    const auto now = read_file(folder + name);
    if (now.ok() && *now == text) continue;
    if (Status written = write_whole_file(folder + name, text); !written) return written;
  }
  return sync_folder(folder);
}

Status StoreFolder::write_floor(const Floor& floor, const std::string& folder) { return write_whole_file(folder + "/floor", floor_text(floor)); }

Status StoreFolder::set_floor(const Floor& floor) {
  if (Status written = write_floor(floor, path_); !written) return written;
  floor_ = floor;
  return sync_folder(path_);
}

Status write_copied_floor(const std::string& path, const std::string& target) {
  const auto text = read_file(path + "/floor");
  const auto floor = text.ok() && *text ? parse_floor(**text) : std::nullopt;
  return StoreFolder::write_floor({floor ? floor->offset : 0, true}, target);
}

Result<std::string> StoreFolder::copied_format(const std::string& path) {
  StoreFolder folder(path);
  std::optional<Error> why;
  for (const char* name : {"/format", kFormatCopy}) {
    const auto text = read_file(path + name);
    if (!text.ok()) return fail(text.error());
    if (!*text) continue;
    Status read = folder.read_format(**text);
    if (read.ok()) {
      folder.has_floor_ = true;
      return folder.format_text();
    }
    if (!why) why = read.error();
  }
  if (why) return fail(*why);
  return fail_with(path + " is no store: it has no file \"format\"");
}

Status StoreFolder::write_copied_format(const std::string& text, const std::string& target) {
  if (Status written = write_whole_file(target + kFormatCopy, text); !written) return written;
  if (Status written = write_whole_file(target + "/format", text); !written) return written;
  return sync_folder(target);
}

std::string StoreFolder::no_mark(const HighWater::Mark& mark) const {
  return path_ + "/high-water: " + mark.fault + ", so it is not known whether all that was acknowledged is there";
}

Status StoreFolder::reset_high_water(uint64_t sequence) {
  if (Status written = marks_.reset(sequence); !written) return written;
  return sync_folder(path_);
}

Status StoreFolder::take_lock() {
  const std::string path = path_ + "/lock";
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) return fault("cannot open", path, errno, "check the folder's permissions");
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fault("cannot lock", path, errno, "is the folder on a file system with locks?");
    const auto owner = read_file(path);
    const std::string who = owner.ok() && *owner ? **owner : "?";
    return fail_with("the folder " + path_ + " is in use by process " + who + "; stop that one, or name another folder");
  }
  // In place, and then cut: so a full disk takes it. Where it does not, it is only not known whose the lock is.
  const std::string pid = std::to_string(::getpid());
  const bool written = ::pwrite(lock_fd_, pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size());
  if (!written && errno != ENOSPC && errno != EDQUOT) return fault("cannot write", path, errno, "check the folder's permissions");
  if (::ftruncate(lock_fd_, written ? static_cast<off_t>(pid.size()) : 0) != 0) return fault("cannot write", path, errno, "check the folder's permissions");
  return Unit{};
}

namespace {

std::string no_format(const std::string& path) {
  return path + " holds a database but no file \"format\", so its version is not known; take its copy by: arena store check --quarantine " +
         path + ", restore the folder from a backup, or name another one";
}

std::string damaged_format(const std::string& path) {
  return path + "/format is damaged; take its copy by: arena store check --quarantine " + path + ", or restore it from a backup of the folder";
}

}  // namespace

Result<uint64_t> StoreFolder::format_of(const std::string& path) {
  StoreFolder folder(path);
  const auto text = read_file(path + "/format");
  if (!text.ok()) return fail(text.error());
  if (!*text) return there(folder.database_path()) ? Result<uint64_t>(fail_with(no_format(path))) : Result<uint64_t>(0);
  if (Status read = folder.read_format(**text); !read) return fail(read.error());
  return folder.format_;
}

Status StoreFolder::load_or_make_format(PartitionId partitions) {
  const auto text = read_file(path_ + "/format");
  if (!text.ok()) return fail(text.error());
  if (*text) {
    if (Status read = read_format(**text); !read) return copy_is_whole() ? fail_with(contradicted(read.error().reason)) : read;
    if (partitions_ == partitions) {
      compare_copy(**text);
      has_floor_ = has_floor_ || there(path_ + "/floor");
      if (Status kept = write_format(); !kept) log::warn("engine", "there is no copy of the store's format", {{"reason", kept.error().reason}});
      return Unit{};
    }
    return fail_with(path_ + " has " + std::to_string(partitions_) + " partitions, and this broker " + std::to_string(partitions) +
                     "; name another folder");
  }
  if (there(database_path())) {
    return fail_with(no_format(path_));
  }
  return make_format(partitions);
}

// A format that cannot be read, beside a copy that can.
std::string StoreFolder::contradicted(const std::string& reason) const {
  if (format_ <= kFormat) return damaged_format(path_);
  return reason + "; if none has been here, " + damaged_format(path_);
}

bool StoreFolder::copy_is_whole() const {
  const auto copy = read_file(path_ + kFormatCopy);
  return copy.ok() && *copy && StoreFolder(path_).read_format(**copy).ok();
}

Status StoreFolder::make_format(PartitionId partitions) {
  randombytes_buf(secret_.data(), secret_.size());
  partitions_ = partitions;
  format_ = kFormat;
  return write_format();
}

std::string StoreFolder::format_text() const {
  return with_checksum("arena-store " + std::to_string(kFormat) + "\npartitions " + std::to_string(partitions_) + "\nsecret " + hex(secret_) + (has_floor_ ? kHasFloor : "\n"));
}

Status StoreFolder::read_format(const std::string& text) {
  std::istringstream lines(text);
  std::string word, secret;
  uint64_t version = 0, count = 0;
  lines >> word >> version;
  if (!lines || word != "arena-store") {
    return fail_with(path_ + "/format is not the format of a store; name another folder");
  }
  format_ = version;
  // Before the rest is looked at: a later version may write it otherwise.
  if (version > kFormat) {
    return fail_with(path_ + " was written by a later release (format " + std::to_string(version) + ", this one knows " +
                     std::to_string(kFormat) + "); start that release, or name another folder");
  }
  lines >> word >> count >> word >> secret;
  const std::size_t end = text.rfind("checksum ");
  const bool whole = lines && end != std::string::npos && with_checksum(text.substr(0, end)) == text;
  std::size_t bytes = 0;
  if (!whole || sodium_hex2bin(secret_.data(), secret_.size(), secret.data(), secret.size(), nullptr, &bytes, nullptr) != 0 ||
      bytes != secret_.size() || count > UINT16_MAX) {
    return fail_with(damaged_format(path_));
  }
  partitions_ = static_cast<PartitionId>(count);
  has_floor_ = text.find(kHasFloor) != std::string::npos;
  return Unit{};
}

bool is_store(const std::string& path) { return there(path + "/format") || there(path + "/rocksdb"); }

bool store_is_in_use(const std::string& path) {
  const int fd = ::open((path + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return held;
}

}  // namespace arena::engine
