#include "crash/power_loss_files.h"

#include <rocksdb/system_clock.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace arena::crash {
namespace {

namespace fs = std::filesystem;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr uint64_t kSectorBytes = 512;

std::string folder_of(const std::string& path) { return fs::path(path).parent_path().string(); }

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

// What the disk has for certain, and what it may have. Any thread.
class Power {
 public:
  explicit Power(std::string graves) : graves_(std::move(graves)) {}

  // Counts a call that changes something; false if it must fail.
  bool allow() {
    ++calls_;
    if (left_ > 0 && left_.fetch_sub(1) == 1) {
      (only_one_ ? failing_once_ : cut_).store(true);
    }
    if (failing_once_.exchange(false)) return false;
    return !cut_;
  }
  uint64_t calls() const { return calls_; }
  void arm(uint64_t calls, bool only_one) {
    only_one_ = only_one;
    left_ = static_cast<int64_t>(calls) + 1;
  }
  bool is_cut() const { return cut_; }

  void created(const std::string& name) {
    const std::lock_guard lock(mutex_);
    files_[name] = {};
    changes_.push_back({Change::created, name, {}, {}});
  }
  void written(const std::string& name, uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    files_[name].written += bytes;
  }
  uint64_t written_bytes(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return files_[name].written;
  }
  // `upto`: what had been written when the sync began.
  void synced(const std::string& name, uint64_t upto) {
    const std::lock_guard lock(mutex_);
    File& file = files_[name];
    file.synced = std::max(file.synced, upto);
  }
  void truncated(const std::string& name, uint64_t size) {
    const std::lock_guard lock(mutex_);
    File& file = files_[name];
    file.written = size;
    file.synced = std::min(file.synced, size);
  }
  // Before the rename is done.
  void renames(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    std::optional<std::string> before;
    if (fs::exists(to)) before = content_of(to);
    changes_.push_back({Change::renamed, from, to, std::move(before)});
    files_[to] = files_[from];
    files_.erase(from);
  }
  // Instead of removing the file.
  bool bury(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const std::string grave = graves_ + "/" + std::to_string(++buried_);
    std::error_code error;
    fs::rename(name, grave, error);
    if (error) return false;
    changes_.push_back({Change::removed, name, grave, {}});
    return true;
  }
  // `upto`: changes() when the sync began.
  void folder_synced(const std::string& folder, std::size_t upto) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < std::min(upto, changes_.size()); ++i) {
      Change& change = changes_[i];
      if (change.kind == Change::durable || folder_of(change.name) != folder) continue;
      if (change.kind == Change::removed) fs::remove(change.other);
      change.kind = Change::durable;
    }
  }
  std::size_t changes() {
    const std::lock_guard lock(mutex_);
    return changes_.size();
  }

  void lose(uint64_t seed) {
    const std::lock_guard lock(mutex_);
    random_ = seed * 0x9E3779B97F4A7C15ull + 1;
    for (auto& [name, file] : files_) lose_tail(name, file);
    // From some point on, the folder's changes are lost.
    std::size_t kept = changes_.size();
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (changes_[i].kind != Change::durable && chance(3)) {
        kept = i;
        break;
      }
    }
    for (std::size_t i = changes_.size(); i-- > kept;) undo(changes_[i]);
    forget();
  }
  void restore() {
    const std::lock_guard lock(mutex_);
    forget();
  }

 private:
  struct File {
    uint64_t written = 0;
    uint64_t synced = 0;
  };
  struct Change {
    enum Kind { created, renamed, removed, durable } kind;
    std::string name;
    std::string other;                  // renamed: to where; removed: its grave
    std::optional<std::string> before;  // renamed: what was there
  };

  uint64_t next() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    return random_ ^= random_ << 17;
  }
  bool chance(uint64_t one_in) { return next() % one_in == 0; }

  void lose_tail(const std::string& name, File& file) {
    if (!fs::exists(name) || file.written <= file.synced) return;
    std::string content = content_of(name);
    content.resize(std::min<std::size_t>(content.size(), file.written));
    if (content.size() <= file.synced) return;
    const uint64_t more = content.size() - file.synced;
    content.resize(file.synced + (chance(4) ? more : next() % (more + 1)));
    // Later sectors may have come to the disk without earlier ones. RocksDB does not open with a manifest that has
    // such a hole, and file systems that write data before sizes do not make any: decision 0011.
    const bool holes = name.ends_with(".log");
    for (uint64_t at = file.synced; holes && at < content.size();) {
      const uint64_t end = std::min<uint64_t>((at / kSectorBytes + 1) * kSectorBytes, content.size());
      if (chance(4)) std::fill(content.begin() + static_cast<std::ptrdiff_t>(at), content.begin() + static_cast<std::ptrdiff_t>(end), '\0');
      at = end;
    }
    std::ofstream(name, std::ios::binary | std::ios::trunc) << content;
  }

  void undo(const Change& change) {
    switch (change.kind) {
      case Change::created: fs::remove(change.name); break;
      case Change::removed: fs::rename(change.other, change.name); break;
      case Change::renamed:
        if (fs::exists(change.other)) fs::rename(change.other, change.name);
        if (change.before) std::ofstream(change.other, std::ios::binary) << *change.before;
        break;
      case Change::durable: break;
    }
  }

  void forget() {
    for (const Change& change : changes_) {
      if (change.kind == Change::removed) fs::remove(change.other);
    }
    changes_.clear();
    files_.clear();
    cut_ = false;
    failing_once_ = false;
    left_ = 0;
  }

  const std::string graves_;
  std::atomic<uint64_t> calls_{0};
  std::atomic<int64_t> left_{0};
  std::atomic<bool> only_one_{false};
  std::atomic<bool> failing_once_{false};
  std::atomic<bool> cut_{false};
  std::mutex mutex_;
  std::map<std::string, File> files_;
  std::vector<Change> changes_;
  uint64_t buried_ = 0;
  uint64_t random_ = 1;
};

namespace {

using PowerRef = std::shared_ptr<Power>;

IOStatus no_power() { return IOStatus::IOError("made to fail"); }

class File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile> file, std::string name, PowerRef power)
      : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), power_(std::move(power)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* context) override {
    if (!power_->allow()) return no_power();
    const IOStatus status = FSWritableFileOwnerWrapper::Append(data, options, context);
    if (status.ok()) power_->written(name_, data.size());
    return status;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* context) override {
    return Append(data, options, context);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* context) override {
    if (!power_->allow()) return no_power();
    power_->truncated(name_, size);
    return FSWritableFileOwnerWrapper::Truncate(size, options, context);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    return sync([&] { return FSWritableFileOwnerWrapper::Flush(options, context); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return sync([&] { return FSWritableFileOwnerWrapper::Flush(options, context); });
  }
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  // The real disk need not be waited for: what is durable is decided here.
  template <typename Flush>
  IOStatus sync(Flush flush) {
    const uint64_t upto = power_->written_bytes(name_);
    if (!power_->allow()) return no_power();
    const IOStatus status = flush();
    if (status.ok()) power_->synced(name_, upto);
    return status;
  }

  std::string name_;
  PowerRef power_;
};

class Folder final : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(std::unique_ptr<rocksdb::FSDirectory> folder, std::string name, PowerRef power)
      : FSDirectoryWrapper(std::move(folder)), name_(std::move(name)), power_(std::move(power)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return sync(); }
  IOStatus FsyncWithDirOptions(const IOOptions&, IODebugContext*, const rocksdb::DirFsyncOptions&) override { return sync(); }

 private:
  IOStatus sync() {
    const std::size_t upto = power_->changes();
    if (!power_->allow()) return no_power();
    power_->folder_synced(name_, upto);
    return IOStatus::OK();
  }

  std::string name_;
  PowerRef power_;
};

class Files final : public rocksdb::FileSystemWrapper {
 public:
  explicit Files(PowerRef power) : FileSystemWrapper(rocksdb::FileSystem::Default()), power_(std::move(power)) {}
  const char* Name() const override { return "arena.power-loss"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* context) override {
    if (!power_->allow()) return no_power();
    const IOStatus status = FileSystemWrapper::NewWritableFile(name, options, out, context);
    if (!status.ok()) return status;
    power_->created(name);
    *out = std::make_unique<File>(std::move(*out), name, power_);
    return status;
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions& options, std::unique_ptr<rocksdb::FSDirectory>* out,
                        IODebugContext* context) override {
    const IOStatus status = FileSystemWrapper::NewDirectory(name, options, out, context);
    if (status.ok()) *out = std::make_unique<Folder>(std::move(*out), name, power_);
    return status;
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& options, IODebugContext* context) override {
    if (!power_->allow()) return no_power();
    return power_->bury(name) ? IOStatus::OK() : FileSystemWrapper::DeleteFile(name, options, context);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* context) override {
    if (!power_->allow()) return no_power();
    power_->renames(from, to);
    return FileSystemWrapper::RenameFile(from, to, options, context);
  }

 private:
  PowerRef power_;
};

// RocksDB waits a second before it tries again what failed in the background; here nothing is gained by that.
class ShortSleeps final : public rocksdb::SystemClockWrapper {
 public:
  ShortSleeps() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "arena.short-sleeps"; }
  void SleepForMicroseconds(int micros) override { SystemClockWrapper::SleepForMicroseconds(std::min(micros, 1000)); }
};

class TestEnv final : public rocksdb::EnvWrapper {
 public:
  explicit TestEnv(PowerRef power) : EnvWrapper(rocksdb::NewCompositeEnv(std::make_shared<Files>(std::move(power)))) {
    system_clock_ = std::make_shared<ShortSleeps>();
  }
  const char* Name() const override { return "arena.power-loss"; }
};

}  // namespace

PowerLossFiles::PowerLossFiles(std::string graves)
    : power_(std::make_shared<Power>(std::move(graves))), env_(std::make_unique<TestEnv>(power_)) {}
PowerLossFiles::~PowerLossFiles() = default;

rocksdb::Env* PowerLossFiles::env() { return env_.get(); }
uint64_t PowerLossFiles::calls() const { return power_->calls(); }
void PowerLossFiles::cut_after(uint64_t calls) { power_->arm(calls, false); }
void PowerLossFiles::fail_after(uint64_t calls) { power_->arm(calls, true); }
bool PowerLossFiles::is_cut() const { return power_->is_cut(); }
void PowerLossFiles::lose_power(uint64_t seed) { power_->lose(seed); }
void PowerLossFiles::restore() { power_->restore(); }

}  // namespace arena::crash
