#include "engine/rocksdb/high_water.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/hash.h"
#include "base/wire.h"
#include "engine/rocksdb/file_copy.h"

namespace arena::engine {
namespace {

constexpr std::size_t kMarkBytes = 20;  // count, sequence, checksum
constexpr std::size_t kSpacing = 512;   // of the two marks: the odd counts are in the second
constexpr std::size_t kBytesMax = kSpacing + kMarkBytes;

struct OneMark {
  uint64_t count = 0;  // 0: it is not whole
  uint64_t sequence = 0;
};

OneMark decode(std::string_view bytes) {
  WireReader reader(bytes.substr(0, kMarkBytes));
  OneMark mark{reader.be<uint64_t>(), reader.be<uint64_t>()};
  const auto checksum = reader.be<uint32_t>();
  if (reader.failed() || checksum != checksum32(bytes.substr(0, kMarkBytes - sizeof checksum))) return {};
  return mark;
}

std::string encode(const OneMark& mark) {
  std::string out;
  put_be(out, mark.count);
  put_be(out, mark.sequence);
  put_be(out, checksum32(out));
  return out;
}

using Marks = std::array<OneMark, 2>;

Marks decode_both(std::string_view file) {
  return {decode(file), file.size() > kSpacing ? decode(file.substr(kSpacing)) : OneMark{}};
}

// The file as it is after marks were written: not a byte of it is left to chance.
std::string encode_both(const Marks& marks) {
  std::string out(kBytesMax, '\0');
  for (std::size_t slot = 0; slot < marks.size(); ++slot) {
    if (marks[slot].count != 0) out.replace(slot * kSpacing, kMarkBytes, encode(marks[slot]));
  }
  return out;
}

Failure<Error> fault(const std::string& what, const std::string& path, const char* way_out) {
  return fail_with(what + " " + path + ": " + std::strerror(errno) + "; " + way_out);
}

}  // namespace

HighWater::HighWater(HighWater&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), count_(other.count_) {}

HighWater::~HighWater() {
  if (fd_ >= 0) ::close(fd_);
}

Status HighWater::open(bool made) {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | (made ? O_CREAT : 0), 0600);
  if (fd_ < 0 && (made || errno != ENOENT)) return fault("cannot open", path_, "check its permissions");
  return Unit{};
}

Result<HighWater::Mark> HighWater::read() const {
  if (fd_ < 0) return Mark{std::nullopt, true, "it is gone"};
  std::string file(kBytesMax + 1, '\0');
  const ssize_t size = ::pread(fd_, file.data(), file.size(), 0);
  if (size < 0) return fault("cannot read", path_, "the disk may be failing");
  file.resize(static_cast<std::size_t>(size));
  const Marks marks = decode_both(file);
  const OneMark& newest = marks[0].count > marks[1].count ? marks[0] : marks[1];
  const OneMark& other = marks[0].count > marks[1].count ? marks[1] : marks[0];
  if (newest.count == 0) {
    const bool blank = file.find_first_not_of('\0') == std::string::npos;
    return Mark{std::nullopt, blank, blank ? "it is empty" : "it is damaged"};
  }
  const bool both = other.count + 1 == newest.count;
  const bool whole = both && file == encode_both(marks);
  return Mark{newest.sequence, false, whole ? "" : both ? "what stands beside its marks is changed" : "one of its two marks is damaged; the other one may be a moment older"};
}

Status HighWater::set(uint64_t sequence) {
  if (fd_ < 0) {
    if (Status opened = open(true); !opened) return opened;
  }
  if (count_ == 0) {
    // Goes on counting from what is whole, so that the older mark is overwritten, or the one that is damaged.
    std::string file(kBytesMax, '\0');
    const ssize_t size = ::pread(fd_, file.data(), file.size(), 0);
    file.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    const Marks marks = decode_both(file);
    count_ = std::max(marks[0].count, marks[1].count);
  }
  ++count_;
  const std::string mark = encode({count_, sequence});
  const auto at = static_cast<off_t>(count_ % 2 * kSpacing);
  if (::pwrite(fd_, mark.data(), mark.size(), at) != static_cast<ssize_t>(mark.size()) || ::fdatasync(fd_) != 0) {
    return fault("cannot write", path_, "check the disk");
  }
  return Unit{};
}

Status HighWater::reset(uint64_t sequence) {
  HighWater made(path_ + ".new");
  if (::unlink(made.path_.c_str()) != 0 && errno != ENOENT) return fault("cannot remove", made.path_, "check the folder's permissions");
  if (Status written = made.set(sequence); !written) return written;
  if (::rename(made.path_.c_str(), path_.c_str()) != 0) return fault("cannot rename", made.path_, "check the folder's permissions");
  std::swap(fd_, made.fd_);
  count_ = made.count_;
  return Unit{};
}

Status write_copied_mark(const std::string& path, const std::string& target) {
  const std::string from = path + "/high-water", to = target + "/high-water";
  HighWater source(from);
  if (Status opened = source.open(false); !opened) return opened;
  const auto mark = source.read();
  if (!mark.ok()) return fail(mark.error());
  if (mark->sequence) return HighWater(to).reset(*mark->sequence);
  return ::access(from.c_str(), F_OK) == 0 ? copy_file(from, to) : Status(Unit{});
}

}  // namespace arena::engine
