#include "crash/planted/unsynced_files.h"

#include <rocksdb/file_system.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace arena::crash {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// As long as a disk's may take: what comes too early must have the time to be seen. ARENA_SYNC_MS; a busy disk takes longer.
std::chrono::milliseconds sync_time() {
  static const int ms = [] {
    const char* text = std::getenv("ARENA_SYNC_MS");
    return text == nullptr ? 1 : std::atoi(text);
  }();
  return std::chrono::milliseconds(ms);
}

// What was appended and not synced waits here. The real disk need not be waited for: a killed process loses none of it.
class File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  explicit File(std::unique_ptr<rocksdb::FSWritableFile> file) : FSWritableFileOwnerWrapper(std::move(file)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions&, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    unsynced_.append(data.data(), data.size());
    return IOStatus::OK();
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* context) override {
    return Append(data, options, context);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* context) override {
    const IOStatus status = write(options, context);
    return status.ok() ? FSWritableFileOwnerWrapper::Truncate(size, options, context) : status;
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override { return sync(options, context); }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override { return sync(options, context); }
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Close(const IOOptions& options, IODebugContext* context) override {
    const IOStatus status = write(options, context);
    return status.ok() ? FSWritableFileOwnerWrapper::Close(options, context) : status;
  }
  uint64_t GetFileSize(const IOOptions& options, IODebugContext* context) override {
    const std::lock_guard lock(mutex_);
    return FSWritableFileOwnerWrapper::GetFileSize(options, context) + unsynced_.size();
  }

 private:
  IOStatus sync(const IOOptions& options, IODebugContext* context) {
    std::this_thread::sleep_for(sync_time());
    return write(options, context);
  }
  IOStatus write(const IOOptions& options, IODebugContext* context) {
    const std::lock_guard lock(mutex_);
    if (unsynced_.empty()) return IOStatus::OK();
    IOStatus status = FSWritableFileOwnerWrapper::Append(unsynced_, options, context);
    unsynced_.clear();
    return status.ok() ? FSWritableFileOwnerWrapper::Flush(options, context) : status;
  }

  std::mutex mutex_;
  std::string unsynced_;
};

class Files final : public rocksdb::FileSystemWrapper {
 public:
  Files() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "arena.unsynced"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* context) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(name, options, out, context);
    if (status.ok()) *out = std::make_unique<File>(std::move(*out));
    return status;
  }
};

}  // namespace

rocksdb::Env* unsynced_files() {
  static const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(std::make_shared<Files>());
  return env.get();
}

}  // namespace arena::crash
