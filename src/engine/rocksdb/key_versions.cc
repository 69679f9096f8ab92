#include "engine/rocksdb/key_versions.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <cstddef>
#include <utility>

#include "engine/rocksdb/database.h"

namespace arena::engine {
namespace {

constexpr std::size_t kBatchBytes = 4 << 20;

}  // namespace

// RocksDB's log may repeat what a table has: the same version twice.
void KeyVersions::add(SalvagedTable table) {
  for (auto& [key, version] : table.newest) {
    KeyVersion& known = newest_.try_emplace(key, version).first->second;
    if (known.sequence < version.sequence) known = std::move(version);
  }
}

Status KeyVersions::write_to(Database& database) const {
  rocksdb::WriteBatch batch;
  for (const auto& [key, version] : newest_) {
    std::string there;
    const rocksdb::Status status = database.db().Get({}, database.spaces(), key, &there);
    if (!status.ok() && !status.IsNotFound()) return fail(error_of(status));
    if (version.value && (status.IsNotFound() || there != *version.value)) batch.Put(database.spaces(), key, *version.value);
    if (!version.value && status.ok()) batch.Delete(database.spaces(), key);
    if (batch.GetDataSize() < kBatchBytes) continue;
    if (Status written = database.write_synced(batch); !written) return written;
    batch.Clear();
  }
  return batch.Count() == 0 ? Status(Unit{}) : database.write_synced(batch);
}

}  // namespace arena::engine
