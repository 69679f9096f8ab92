#include "engine/rocksdb/log_start.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "engine/rocksdb/notes.h"

namespace arena::engine {
namespace {

constexpr int kFilesOpenAtOnce = 32;  // table files are not looked at

// Sees the first record of the log, and ends its replay there.
class FirstRecord final : public rocksdb::WalFilter {
 public:
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch*, bool*) override {
    const std::string& bytes = batch.Data();
    if (sequence_ == 0 && bytes.size() >= sizeof sequence_) std::memcpy(&sequence_, bytes.data(), sizeof sequence_);  // little-endian
    return WalProcessingOption::kStopReplay;
  }
  const char* Name() const override { return "arena.first_record"; }
  uint64_t sequence() const { return sequence_; }

 private:
  uint64_t sequence_ = 0;
};

}  // namespace

Status check_log_start(const std::string& path, rocksdb::DBOptions options, const std::vector<rocksdb::ColumnFamilyDescriptor>& families) {
  FirstRecord first;
  options.wal_filter = &first;
  options.listeners.clear();
  options.info_log = no_notes();  // they are taken of the opening that follows
  options.max_open_files = kFilesOpenAtOnce;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::OpenForReadOnly(options, path, families, &handles, &opened).ok()) return Unit{};
  const std::unique_ptr<rocksdb::DB> database(opened);
  const uint64_t end = database->GetLatestSequenceNumber();
  for (rocksdb::ColumnFamilyHandle* handle : handles) database->DestroyColumnFamilyHandle(handle);
  if (first.sequence() <= end + 1) return Unit{};
  return fail_with("its manifest ends early: the files that it names go to " + std::to_string(end) + ", and RocksDB's log begins with " +
                   std::to_string(first.sequence()));
}

}  // namespace arena::engine
