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
#include "base/wire.h"

namespace arena::engine {
namespace {

constexpr uint64_t kFormat = 2;  // a folder of an earlier one is marked when it is opened: what is written from then on is of this
constexpr const char* kFormatCopy = "/format.copy";
constexpr std::size_t kMarkBytes = 20;  // count, sequence, checksum
constexpr off_t kMarkSpacing = 512;     // two marks in turn, each in a sector of its own: one is always whole

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

// One that cannot be read makes the logs jump once more: that loses nothing.
StoreFolder::Floor read_floor(const std::string& path) {
  const auto text = read_file(path + "/floor");
  if (text.ok() && !*text) return {};
  StoreFolder::Floor floor;
  std::string word;
  std::istringstream lines(text.ok() ? **text : "");
  lines >> word >> floor.offset >> word >> floor.is_copy;
  if (text.ok() && lines && floor_text(floor) == **text) return floor;
  log::warn("engine", "the file \"floor\" of the store is damaged; its logs go on above all that they have", {{"path", path}});
  return {0, true};
}

}  // namespace

StoreFolder::StoreFolder(StoreFolder&& other) noexcept
    : path_(std::move(other.path_)),
      format_fault_(std::move(other.format_fault_)),
      floor_(other.floor_),
      secret_(other.secret_),
      partitions_(other.partitions_),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      mark_fd_(std::exchange(other.mark_fd_, -1)),
      marks_(other.marks_),
      format_(other.format_) {}

StoreFolder::~StoreFolder() {
  if (mark_fd_ >= 0) ::close(mark_fd_);
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Result<StoreFolder> StoreFolder::open(const std::string& path, PartitionId partitions) {
  if (sodium_init() < 0) return fail("libsodium cannot be initialised");
  if (Status made = make_folder(path); !made) return fail(made.error());
  StoreFolder folder(path);
  if (Status locked = folder.take_lock(); !locked) return fail(locked.error());
  if (Status read = folder.load_or_make_format(partitions); !read) return fail(read.error());
  if (Status database = make_folder(folder.database_path()); !database) return fail(database.error());
  if (Status marks = folder.open_marks(O_CREAT); !marks) return fail(marks.error());
  folder.floor_ = read_floor(path);
  if (Status synced = sync_folder(path); !synced) return fail(synced.error());
  return folder;
}

Result<StoreFolder> StoreFolder::open_existing(const std::string& path) {
  if (sodium_init() < 0) return fail("libsodium cannot be initialised");
  if (!there(path + "/format") && !there(path + "/rocksdb")) {
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
  }
  if (Status marks = folder.open_marks(0); !marks) return fail(marks.error());
  folder.floor_ = read_floor(path);
  return folder;
}

Status StoreFolder::write_format() {
  const std::string text = format_text();
  for (const char* name : {"/format", kFormatCopy}) {
    const auto now = read_file(path_ + name);
    if (now.ok() && *now == text) continue;
    if (Status written = write_whole_file(path_ + name, text); !written) return written;
  }
  return sync_folder(path_);
}

Status StoreFolder::set_floor(const Floor& floor) {
  if (Status written = write_whole_file(path_ + "/floor", floor_text(floor)); !written) return written;
  floor_ = floor;
  return sync_folder(path_);
}

Status write_copied_floor(const std::string& path, const std::string& target) {
  return write_whole_file(target + "/floor", floor_text({read_floor(path).offset, true}));
}

// Without O_CREAT among the flags the file may be missing.
Status StoreFolder::open_marks(int flags) {
  const std::string path = path_ + "/high-water";
  mark_fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (mark_fd_ < 0 && (errno != ENOENT || flags != 0)) return fault("cannot open", path, errno, "check its permissions");
  return Unit{};
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
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock_fd_, 0) != 0 || ::pwrite(lock_fd_, pid.data(), pid.size(), 0) < 0) {
    return fault("cannot write", path, errno, "check that the disk has space");
  }
  return Unit{};
}

namespace {

std::string no_format(const std::string& path) {
  return path + " holds a database but no file \"format\", so its version is not known; take its copy by: arena store check --quarantine " +
         path + ", restore the folder from a backup, or name another one";
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
    if (Status read = read_format(**text); !read) return read;
    if (partitions_ == partitions) {
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

Status StoreFolder::make_format(PartitionId partitions) {
  randombytes_buf(secret_.data(), secret_.size());
  partitions_ = partitions;
  format_ = kFormat;
  return write_format();
}

std::string StoreFolder::format_text() const {
  return with_checksum("arena-store " + std::to_string(kFormat) + "\npartitions " + std::to_string(partitions_) + "\nsecret " + hex(secret_) + "\n");
}

Status StoreFolder::read_format(const std::string& text) {
  std::istringstream lines(text);
  std::string word, secret;
  uint64_t version = 0, count = 0;
  lines >> word >> version;
  if (!lines || word != "arena-store") {
    return fail_with(path_ + "/format is not the format of a store; name another folder");
  }
  // Before the rest is looked at: a later version may write it otherwise.
  if (version > kFormat) {
    return fail_with(path_ + " was written by a later release (format " + std::to_string(version) + ", this one knows " +
                     std::to_string(kFormat) + "); start that release, or name another folder");
  }
  format_ = version;
  lines >> word >> count >> word >> secret;
  const std::size_t end = text.rfind("checksum ");
  const bool whole = lines && end != std::string::npos && with_checksum(text.substr(0, end)) == text;
  std::size_t bytes = 0;
  if (!whole || sodium_hex2bin(secret_.data(), secret_.size(), secret.data(), secret.size(), nullptr, &bytes, nullptr) != 0 ||
      bytes != secret_.size() || count > UINT16_MAX) {
    return fail_with(path_ + "/format is damaged; take its copy by: arena store check --quarantine " + path_ +
                     ", or restore it from a backup of the folder");
  }
  partitions_ = static_cast<PartitionId>(count);
  return Unit{};
}

Result<uint64_t> StoreFolder::high_water() const {
  if (mark_fd_ < 0) return uint64_t{0};
  uint64_t newest = 0, sequence = 0;
  bool empty = true;
  for (off_t slot = 0; slot < 2; ++slot) {
    char bytes[kMarkBytes] = {};
    const ssize_t size = ::pread(mark_fd_, bytes, sizeof bytes, slot * kMarkSpacing);
    if (size < 0) return fault("cannot read", path_ + "/high-water", errno, "the disk may be failing");
    if (size == 0) continue;
    const std::string_view mark(bytes, static_cast<std::size_t>(size));
    WireReader reader(mark);
    const auto count = reader.be<uint64_t>();
    const auto at = reader.be<uint64_t>();
    const auto checksum = reader.be<uint32_t>();
    if (mark.find_first_not_of('\0') != std::string_view::npos) empty = false;
    if (reader.failed() || count <= newest || checksum != checksum32(mark.substr(0, 16))) continue;
    newest = count;
    sequence = at;
  }
  if (newest == 0 && !empty) {
    return fail_with(path_ + "/high-water is damaged, so it is not known whether all that was acknowledged is there; restore "
                     "a backup, or, to serve what is there: arena store check --quarantine " + path_);
  }
  return sequence;
}

Status StoreFolder::set_high_water(uint64_t sequence) {
  if (mark_fd_ < 0) {
    if (Status opened = open_marks(O_CREAT); !opened) return opened;
  }
  if (marks_ == 0) {
    // Goes on counting from what is there, so that the older mark is overwritten.
    for (off_t slot = 0; slot < 2; ++slot) {
      char bytes[8] = {};
      if (::pread(mark_fd_, bytes, sizeof bytes, slot * kMarkSpacing) == 8) {
        marks_ = std::max(marks_, WireReader(std::string_view(bytes, 8)).be<uint64_t>());
      }
    }
  }
  std::string mark;
  put_be(mark, ++marks_);
  put_be(mark, sequence);
  put_be(mark, checksum32(mark));
  const off_t at = static_cast<off_t>(marks_ % 2) * kMarkSpacing;
  if (::pwrite(mark_fd_, mark.data(), mark.size(), at) != static_cast<ssize_t>(mark.size()) || ::fdatasync(mark_fd_) != 0) {
    return fault("cannot write", path_ + "/high-water", errno, "check the disk");
  }
  return Unit{};
}

Status StoreFolder::reset_high_water(uint64_t sequence) {
  if (mark_fd_ >= 0) ::close(std::exchange(mark_fd_, -1));
  marks_ = 0;
  const std::string path = path_ + "/high-water";
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fault("cannot remove", path, errno, "check the folder's permissions");
  if (Status written = set_high_water(sequence); !written) return written;
  return sync_folder(path_);
}

bool store_is_in_use(const std::string& path) {
  const int fd = ::open((path + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return held;
}

}  // namespace arena::engine
