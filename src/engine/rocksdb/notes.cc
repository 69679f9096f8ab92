#include "engine/rocksdb/notes.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <utility>

#include "runtime/clock.h"

namespace arena::engine {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr int kOldFiles = 4;
constexpr std::size_t kLineBytesMax = 4096;

class Notes final : public rocksdb::Logger {
 public:
  explicit Notes(std::string folder) : path_(std::move(folder) + "/LOG") { turn_over(); }
  ~Notes() override { close(); }
  Notes(const Notes&) = delete;
  Notes& operator=(const Notes&) = delete;

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, kLineBytesMax> line{};
    const int64_t now = runtime::unix_ms();
    const std::time_t seconds = now / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::size_t size = std::strftime(line.data(), line.size(), "%Y/%m/%d-%H:%M:%S", &parts);
    size += static_cast<std::size_t>(std::snprintf(line.data() + size, line.size() - size, ".%03d ", static_cast<int>(now % 1000)));
    const int more = std::vsnprintf(line.data() + size, line.size() - size - 1, format, arguments);
    size = std::min(size + static_cast<std::size_t>(std::max(more, 0)), line.size() - 2);
    line[size++] = '\n';
    const std::lock_guard lock(mutex_);
    if (bytes_ + size > kFileBytesMax) turn_over();
    if (fd_ >= 0 && ::write(fd_, line.data(), size) > 0) bytes_ += size;
  }

 private:
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  std::string old(int number) const { return path_ + ".old." + std::to_string(number); }
  void turn_over() {
    close();
    for (int number = kOldFiles; number > 1; --number) std::rename(old(number - 1).c_str(), old(number).c_str());
    std::rename(path_.c_str(), old(1).c_str());
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    bytes_ = 0;
  }

  const std::string path_;
  std::mutex mutex_;
  int fd_ = -1;
  std::size_t bytes_ = 0;
};

class NoNotes final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

std::shared_ptr<rocksdb::Logger> open_notes(const std::string& folder) {
  ::mkdir(folder.c_str(), 0700);
  return std::make_shared<Notes>(folder);
}

std::shared_ptr<rocksdb::Logger> no_notes() { return std::make_shared<NoNotes>(); }

}  // namespace arena::engine
