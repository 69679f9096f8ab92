#include "engine/rocksdb/rescued_entries.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/rocksdb/database.h"
#include "engine/rocksdb/index_values.h"

namespace arena::engine {
namespace {

constexpr std::size_t kBatchBytes = 4 << 20;

Status write(Database& database, rocksdb::WriteBatch& batch, std::size_t above) {
  if (batch.Count() == 0 || batch.GetDataSize() < above) return Unit{};
  Status written = database.write_synced(batch);
  batch.Clear();
  return written;
}

// Where a log starts is the one index entry that is written again and again, and only moves up.
bool is_later_start(const std::string& key, const std::string& value, const std::string& than) {
  LogName name;
  IndexKind kind{};
  if (!read_index_kind(key, name, kind) || kind != IndexKind::start) return false;
  const auto one = decode_start(value), other = decode_start(than);
  return one.ok() && (!other.ok() || one->start > other->start || one->tail.end > other->tail.end);
}

using Values = std::map<std::string, std::string>;

// As far as `before` can say it; else what is there now, or was rescued.
std::optional<std::string> value_before(Database* before, const std::string& key, const std::optional<std::string>& now, const Values& rescued) {
  if (before != nullptr) {
    std::string value;
    const rocksdb::Status status = before->db().Get({}, before->spaces(), key, &value);
    if (status.ok()) return value;
    if (status.IsNotFound()) return std::nullopt;
  }
  if (now) return now;
  const auto at = rescued.find(key);
  return at == rescued.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

Status put_back_entries(Database& database, const SalvagedTable& file) {
  if (file.family != "blocks" && file.family != "index") return Unit{};
  rocksdb::ColumnFamilyHandle* family = file.family == "blocks" ? database.blocks() : database.index();
  rocksdb::WriteBatch batch;
  for (const auto& [key, version] : file.newest) {
    if (!version.value) continue;
    std::string there;
    const bool missing = database.db().Get({}, family, key, &there).IsNotFound();
    if (missing || is_later_start(key, *version.value, there)) batch.Put(family, key, *version.value);
    if (Status written = write(database, batch, kBatchBytes); !written) return written;
  }
  return write(database, batch, 0);
}

Status put_back_keys(Database& database, Database* before, const std::vector<SalvagedTable>& files) {
  Values rescued;
  for (const SalvagedTable& file : files) {
    if (file.family != kKeysFamily) continue;
    for (const auto& [key, version] : file.newest) {
      if (version.value) rescued.emplace(key, *version.value);
    }
  }
  std::map<std::string, std::optional<std::string>> now;
  for (const auto& [key, value] : rescued) now.emplace(key, std::nullopt);
  const std::unique_ptr<rocksdb::Iterator> at(database.db().NewIterator({}, database.spaces()));
  for (at->SeekToFirst(); at->Valid(); at->Next()) now[at->key().ToString()] = at->value().ToString();
  if (!at->status().ok()) return fail(error_of(at->status()));
  rocksdb::WriteBatch batch;
  for (const auto& [key, value] : now) {
    const std::optional<std::string> right = value_before(before, key, value, rescued);
    if (right == value) continue;
    if (right) {
      batch.Put(database.spaces(), key, *right);
    } else {
      batch.Delete(database.spaces(), key);
    }
    if (Status written = write(database, batch, kBatchBytes); !written) return written;
  }
  return write(database, batch, 0);
}

}  // namespace arena::engine
