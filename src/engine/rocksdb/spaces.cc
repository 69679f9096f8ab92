#include "engine/rocksdb/spaces.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "engine/varint.h"

namespace arena::engine {
namespace {

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::string encode_entry(std::string_view key, std::string_view value) {
  std::string out;
  put_varint(out, key.size());
  out.append(key);
  out.append(value);
  return seal_value(out);
}

}  // namespace

Result<KeyValue> decode_row(std::string_view sealed) {
  const auto payload = open_value(sealed);
  if (!payload.ok()) return fail(payload.error());
  VarintReader reader(*payload);
  std::string_view key;
  if (!reader.sized(key)) return fail("a value's key runs past it");
  return KeyValue{std::string(key), std::string(reader.rest())};
}

namespace {

void keep_smallest(std::vector<KeyValue>& found, std::size_t limit) {
  std::sort(found.begin(), found.end(), [](const KeyValue& a, const KeyValue& b) { return a.key < b.key; });
  if (found.size() > limit) found.resize(limit);
}

// How many are found before all but the smallest `limit` go: they are sorted as often as that, so it is far above the limit.
constexpr std::size_t found_max(std::size_t limit) {
  constexpr std::size_t kMore = 1024;
  return limit > (SIZE_MAX - kMore) / 2 ? SIZE_MAX : 2 * limit + kMore;
}
static_assert(found_max(SIZE_MAX) == SIZE_MAX && found_max(100) == 1224);  // without a limit they are sorted once

class Scanner {
 public:
  Scanner(std::string_view first, std::string_view last, std::size_t limit) : first_(first), last_(last), limit_(limit) {}

  void take(std::string_view sealed) {
    auto entry = decode_row(sealed);
    if (!entry.ok()) {
      ++scan_.damaged;
      log::error("engine", "a stored value cannot be read and is left out", {{"reason", entry.error().reason}});
      return;
    }
    if (entry->key < first_ || (!last_.empty() && entry->key >= last_)) return;
    scan_.found.push_back(std::move(*entry));
    if (scan_.found.size() > found_max(limit_)) keep_smallest(scan_.found, limit_);
  }
  bool full() const { return scan_.found.size() >= limit_; }
  void note_damage() { ++scan_.damaged; }
  SpaceScan finish() {
    keep_smallest(scan_.found, limit_);
    return std::move(scan_);
  }

 private:
  std::string_view first_;
  std::string_view last_;
  std::size_t limit_;
  SpaceScan scan_;
};

// A file's block that cannot be read hides what comes after it from a walk forward: the rest is taken from the end.
void take_from_the_end(rocksdb::Iterator& at, const std::string& passed, Scanner& scanner) {
  log::error("engine", "a part of a key space cannot be read", {{"reason", at.status().ToString()}});
  scanner.note_damage();
  for (at.SeekToLast(); at.Valid() && view(at.key()) > passed; at.Prev()) scanner.take(view(at.value()));
}

// What a batch does to its partition's spaces in the end.
using Effects = std::map<std::pair<Space, std::string>, std::optional<std::string_view>>;

void erase_range(Database& database, PartitionId partition, const Operation& range, Effects& effects) {
  const auto within = [&](std::string_view key) { return key >= range.key && (range.value.empty() || key < range.value); };
  for (auto& [at, effect] : effects) {
    if (at.first == range.space && within(at.second)) effect = std::nullopt;
  }
  for (KeyValue& entry : scan_space(database, partition, range.space, range.key, range.value, SIZE_MAX).found) {
    effects[{range.space, std::move(entry.key)}] = std::nullopt;
  }
}

}  // namespace

SpaceScan scan_space(Database& database, PartitionId partition, Space space, std::string_view first,
                     std::string_view last, std::size_t limit) {
  const std::string lower = space_front(partition, space, first);
  const std::string upper = last.empty() ? space_prefix(partition, static_cast<Space>(static_cast<uint8_t>(space) + 1))
                                         : space_front(partition, space, last) + std::string(17, '\xff');
  const rocksdb::Slice lower_bound(lower), upper_bound(upper);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower_bound;
  options.iterate_upper_bound = &upper_bound;
  const std::unique_ptr<rocksdb::Iterator> at(database.db().NewIterator(options, database.spaces()));
  const std::size_t front_bytes = lower.size();
  Scanner scanner(first, last, limit);
  std::string passed;
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    const std::string_view key = view(at->key());
    // Keys of one front come in no order, so all of them are looked at.
    if (scanner.full() && key.substr(0, front_bytes) != std::string_view(passed).substr(0, front_bytes)) break;
    passed.assign(key);
    scanner.take(view(at->value()));
  }
  if (!at->status().ok()) take_from_the_end(*at, passed, scanner);
  return scanner.finish();
}

bool has_range(const std::vector<Operation>& operations) {
  return std::any_of(operations.begin(), operations.end(),
                     [](const Operation& one) { return one.kind == Operation::Kind::erase_range; });
}

void add_operations(Database& database, const HashKey& secret, PartitionId partition,
                    const std::vector<Operation>& operations, rocksdb::WriteBatch& batch) {
  const auto apply = [&](Space space, std::string_view key, const std::optional<std::string_view>& value) {
    const std::string at = space_key(secret, partition, space, key);
    if (value) {
      batch.Put(database.spaces(), at, encode_entry(key, *value));
    } else {
      batch.Delete(database.spaces(), at);
    }
  };
  if (!has_range(operations)) {
    for (const Operation& one : operations) {
      apply(one.space, one.key,
            one.kind == Operation::Kind::put ? std::optional<std::string_view>(one.value) : std::nullopt);
    }
    return;
  }
  Effects effects;
  for (const Operation& one : operations) {
    if (one.kind == Operation::Kind::erase_range) {
      erase_range(database, partition, one, effects);
    } else {
      effects[{one.space, one.key}] =
          one.kind == Operation::Kind::put ? std::optional<std::string_view>(one.value) : std::nullopt;
    }
  }
  for (const auto& [at, value] : effects) apply(at.first, at.second, value);
}

}  // namespace arena::engine
