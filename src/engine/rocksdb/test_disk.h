// For tests: a folder that is removed at the end, and a file system for RocksDB that can fail.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace arena::engine {

class TestFolder {
 public:
  TestFolder() {
    std::string made = (std::filesystem::temp_directory_path() / "arena-store-XXXXXX").string();
    if (::mkdtemp(made.data()) != nullptr) path_ = std::move(made);
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class TestFiles {
 public:
  rocksdb::Env* env() { return env_.get(); }
  // From now on nothing can be written or synced.
  void fail() { failing_->store(true); }
  void repair() { failing_->store(false); }

 private:
  using Flag = std::shared_ptr<std::atomic<bool>>;
  static rocksdb::IOStatus failure() { return rocksdb::IOStatus::IOError("made to fail"); }

  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, Flag failing)
        : FSWritableFileOwnerWrapper(std::move(file)), failing_(std::move(failing)) {}
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
      return *failing_ ? failure() : FSWritableFileOwnerWrapper::Append(data, options, context);
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& info, rocksdb::IODebugContext* context) override {
      return *failing_ ? failure() : FSWritableFileOwnerWrapper::Append(data, options, info, context);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
      return *failing_ ? failure() : FSWritableFileOwnerWrapper::Sync(options, context);
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
      return *failing_ ? failure() : FSWritableFileOwnerWrapper::Fsync(options, context);
    }

   private:
    Flag failing_;
  };

  class Files final : public rocksdb::FileSystemWrapper {
   public:
    explicit Files(Flag failing) : FileSystemWrapper(rocksdb::FileSystem::Default()), failing_(std::move(failing)) {}
    const char* Name() const override { return "arena.test"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* out,
                                      rocksdb::IODebugContext* context) override {
      if (*failing_) return failure();
      const rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, out, context);
      if (status.ok()) *out = std::make_unique<File>(std::move(*out), failing_);
      return status;
    }

   private:
    Flag failing_;
  };

  Flag failing_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(std::make_shared<Files>(failing_));
};

}  // namespace arena::engine
