#include "engine/rocksdb/key_losses.h"

#include <rocksdb/db.h>

#include <map>
#include <memory>
#include <string>

#include "base/wire.h"
#include "engine/block.h"
#include "engine/rocksdb/examination.h"
#include "engine/rocksdb/index_values.h"
#include "engine/rocksdb/spaces.h"

namespace arena::engine {
namespace {

constexpr std::string_view kOwnTopics = "$SYS/";

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

struct Place {
  PartitionId partition = 0;
  uint8_t space = 0;
};

std::optional<Place> place_of(std::string_view key) {
  WireReader reader(key);
  const Place place{reader.be<uint16_t>(), reader.be<uint8_t>()};
  return reader.failed() ? std::nullopt : std::optional(place);
}

uint64_t messages_of(Database& database, LogName name) {
  uint64_t start = 0, messages = 0;
  std::string value;
  if (database.db().Get({}, database.index(), start_key(name), &value).ok()) {
    if (const auto stored = decode_start(value); stored.ok()) start = stored->start;
  }
  const auto take = [&](uint64_t, std::string_view block) {
    const auto header = read_block_header(block);
    if (header.ok() && header->end_offset > start) messages += header->count;
  };
  visit_blocks(database, name, start, {take, [](const std::string&) {}});
  return messages;
}

}  // namespace

std::set<Space> spaces_between(std::string_view smallest, std::string_view largest) {
  const auto first = place_of(smallest), last = place_of(largest);
  std::set<Space> out;
  for (uint8_t space = 1; space <= kSpaces; ++space) {
    // Streams are declared in partition 0.
    const bool declares = space == static_cast<uint8_t>(Space::streams);
    bool within = !first || !last;
    if (!within) {
      const bool from_first = space >= first->space, upto_last = space <= last->space;
      if (first->partition == last->partition) {
        within = from_first && upto_last && (!declares || first->partition == 0);
      } else {
        within = declares ? first->partition == 0 && from_first : from_first || upto_last || first->partition + 1 < last->partition;
      }
    }
    if (within) out.insert(Space{space});
  }
  return out;
}

void KeyLosses::note_lost_file(std::string_view smallest, std::string_view largest) {
  gone = older = true;
  kinds.merge(spaces_between(smallest, largest));
}

void KeyLosses::note_missing_writes() {
  older = true;
  kinds.merge(spaces_between({}, {}));
}

bool counts_as_key(PartitionId partition, Space space, std::string_view sealed) {
  if (space != Space::retained && space != Space::streams) return true;
  const auto row = decode_row(sealed);
  if (!row.ok()) return true;
  if (space == Space::retained) return !row->key.starts_with(kOwnTopics);
  // The others: what retention has hidden, and the highest id that was given.
  return partition == 0 && row->key.size() == sizeof(LogId) && row->key.find_first_not_of('\0') != std::string::npos;
}

void count_keys_left(Database& database, PartitionId partitions, KeyLosses& losses) {
  std::set<LogId> declared;
  const std::unique_ptr<rocksdb::Iterator> at(database.db().NewIterator({}, database.spaces()));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    const auto place = place_of(view(at->key()));
    if (!place || place->space == 0 || place->space > kSpaces) continue;
    if (!counts_as_key(place->partition, Space{place->space}, view(at->value()))) continue;
    ++losses.left[place->space - 1U];
    if (Space{place->space} != Space::streams) continue;
    if (const auto row = decode_row(view(at->value())); row.ok()) declared.insert(LogId{WireReader(row->key).be<uint32_t>()});
  }
  std::map<LogId, uint64_t> undeclared;
  for (const LogName& name : log_names(database, partitions)) {
    if (declared.contains(name.log)) continue;
    const uint64_t messages = messages_of(database, name);
    if (name.log == LogId::inbox) {
      losses.inbox_messages += messages;
    } else if (messages != 0) {
      undeclared[name.log] += messages;
    }
  }
  for (const auto& [log, messages] : undeclared) losses.undeclared.push_back({log, messages});
}

}  // namespace arena::engine
