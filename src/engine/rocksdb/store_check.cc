#include "engine/rocksdb/store_check.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "engine/block.h"
#include "engine/rocksdb/full_disk.h"
#include "engine/rocksdb/index_values.h"
#include "engine/rocksdb/jumps.h"
#include "engine/rocksdb/key_losses.h"
#include "engine/rocksdb/recovery.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::unique_ptr<rocksdb::Iterator> iterate(Database& database, rocksdb::ColumnFamilyHandle* family) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(database.db().NewIterator(options, family));
}

class Check {
 public:
  Check(const StoreFolder& folder, Health& health, Findings& findings) : folder_(folder), health_(health), findings_(findings) {}

  void run() {
    findings_.refused = health_.refused;
    if (!folder_.format_fault().empty()) {
      add({"format", std::nullopt, 0, 0, folder_.format_fault() + " (its copy is good)"});
      findings_.refused = folder_.format_fault();
    }
    for (const StoreFolder::Fault& one : folder_.faults()) add_mended(one.file, one.what);
    if (!health_.manifest_reason.empty()) add({"rocksdb", std::nullopt, 0, 0, "its files cannot be told: " + health_.manifest_reason});
    for (const BadFile& file : health_.files) add(damage_of(file));
    for (Damage& one : health_.log_damages) add(std::move(one));
    check_mark();
    if (!health_.database) return;
    refuse_damaged_keys();
    floor_ = floor_of(folder_, *health_.database);
    check_index();
    check_spaces();
    for (const LogName& name : log_names(*health_.database, folder_.partitions())) check_log(name);
  }

 private:
  void add(Damage damage) { findings_.damages.push_back(std::move(damage)); }
  void add_mended(const std::string& file, const std::string& reason) { add({file, std::nullopt, 0, 0, reason, true}); }

  void refuse(const std::string& reason) {
    if (findings_.refused.empty()) findings_.refused = reason;
  }

  // As RocksDisk::open_database() does.
  void refuse_damaged_keys() {
    const auto of_keys = [](const BadFile& file) { return file.family == "spaces"; };
    if (std::any_of(health_.files.begin(), health_.files.end(), of_keys)) return refuse(kDamagedKeys);
    std::set<LogName> names;
    if (Status read = read_log_names(*health_.database, names); !read) refuse(read.error().reason);
  }

  // As LogRecovery does, also where all was trimmed.
  void refuse_unknown_end(LogName name) {
    const auto at = iterate(*health_.database, health_.database->blocks());
    at->SeekForPrev(block_key(name, UINT64_MAX));
    if (!at->status().ok()) refuse("it cannot be told where the log of partition " + std::to_string(name.partition) + " ends: " + at->status().ToString());
  }

  static Damage damage_of(const BadFile& file) {
    Damage out{"rocksdb/" + file.name, std::nullopt, 0, UINT64_MAX, file.reason};
    LogName name, last;
    uint64_t largest = 0;
    if (file.family == "blocks" && read_block_key(file.smallest, name, out.from) && read_block_key(file.largest, last, largest)) {
      out.log = name;
      if (name == last) out.upto = largest + 1;
    } else if (file.family == "spaces") {
      out.keys = spaces_between(file.smallest, file.largest);
    } else if (!file.family.empty()) {
      out.reason = "of the family " + file.family + ": " + out.reason;
    }
    return out;
  }

  void check_mark() {
    const auto mark = folder_.high_water();
    if (!mark.ok() || !mark->sequence) {
      const bool is_new = mark.ok() && mark->is_blank && health_.served_sequence == uint64_t{0};
      if (is_new) return;
      const std::string reason = mark.ok() ? folder_.no_mark(*mark) : mark.error().reason;
      add({"high-water", std::nullopt, 0, 0, mark.ok() ? mark->fault + ": it is not known whether all that was acknowledged is there" : reason});
      if (findings_.refused.empty()) findings_.refused = reason;
      return;
    }
    if (!mark->fault.empty()) add_mended("high-water", mark->fault);
    if (health_.database && health_.database->sequence() < *mark->sequence) {
      const std::string reason = "the end of what was acknowledged is missing: it goes to " + std::to_string(health_.database->sequence()) +
                                 ", and went to " + std::to_string(*mark->sequence);
      add({"rocksdb", std::nullopt, 0, 0, reason});
    }
    if (findings_.refused.empty() && health_.served_sequence && *health_.served_sequence < *mark->sequence) {
      findings_.refused = "it would lack the end of what was acknowledged";
    }
  }

  // Which file holds a key, as far as that can be told.
  std::string file_of(const std::string& key) {
    std::vector<rocksdb::LiveFileMetaData> files;
    health_.database->db().GetLiveFilesMetaData(&files);
    for (const rocksdb::LiveFileMetaData& file : files) {
      if (file.column_family_name == "blocks" && file.smallestkey <= key && key <= file.largestkey) {
        return "rocksdb/" + fs::path(file.name).filename().string();
      }
    }
    return {};
  }

  void check_index() {
    const auto at = iterate(*health_.database, health_.database->index());
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      ++findings_.keys;
      LogName name;
      IndexKind kind{};
      std::string reason;
      if (!read_index_kind(view(at->key()), name, kind)) {
        reason = "a key of the index is malformed";
      } else if (kind == IndexKind::start) {
        if (auto value = decode_start(view(at->value())); !value.ok()) reason = value.error().reason;
      } else if (kind == IndexKind::topic) {
        if (auto value = decode_bases(view(at->value())); !value.ok()) reason = value.error().reason;
      } else if (auto value = decode_segment(view(at->value())); !value.ok()) {
        reason = value.error().reason;
      }
      if (!reason.empty()) add({"", std::nullopt, 0, 0, "the index of partition " + std::to_string(name.partition) + ": " + reason});
    }
    if (!at->status().ok()) add({"", std::nullopt, 0, 0, "the index cannot be read: " + at->status().ToString()});
  }

  void check_spaces() {
    const auto at = iterate(*health_.database, health_.database->spaces());
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      ++findings_.keys;
      if (auto value = open_value(view(at->value())); !value.ok()) {
        Damage damage{"", std::nullopt, 0, 0, "a stored value: " + value.error().reason};
        damage.keys = spaces_between(view(at->key()), view(at->key()));
        add(std::move(damage));
      }
    }
    if (!at->status().ok()) add({"", std::nullopt, 0, 0, "the key spaces cannot be read: " + at->status().ToString()});
  }

  void check_log(LogName name) {
    refuse_unknown_end(name);
    StoredStart start;
    std::string value;
    const auto found = health_.database->db().Get({}, health_.database->index(), start_key(name), &value);
    if (const auto stored = decode_start(value); found.ok() && stored.ok()) {
      start = *stored;
    } else if (!found.IsNotFound()) {
      refuse("it cannot be told where a log begins");
    }
    LogState lost(name);
    lost.set_lost(stored_losses(*health_.database, name));
    lost.set_jumps(stored_jumps(*health_.database, name, floor_));
    const auto segment = stored_segments(*health_.database, name);
    if (!segment.empty()) start.tail.end = std::max(start.tail.end, segment.back().end);
    bool first = true;
    std::optional<uint32_t> link;
    uint64_t end = start.start;
    const auto take = [&](uint64_t base, std::string_view bytes) {
      auto reader = BlockReader::open(bytes);
      const auto header = read_block_header(bytes);
      if (header.ok() && header->end_offset <= start.start) {
        link = header->checksum;
        return;
      }
      if (std::exchange(first, false) && base > start.start && !segment.empty() && segment.front().base < base) {
        add({"", name, std::max(start.start, segment.front().base), base, "blocks are missing"});
      }
      const auto known = base > 0 ? lost.lost_above(base - 1) : std::nullopt;
      if (header.ok() && link && header->previous_checksum != *link && !(known && known->base < base)) {
        add({"", name, end, base, "blocks are missing"});
      }
      link = header.ok() ? std::optional(header->checksum) : std::nullopt;
      end = header.ok() ? header->end_offset : base + 1;
      ++findings_.blocks;
      std::string reason;
      if (!reader.ok()) {
        reason = reader.error().reason;
      } else {
        while (reader->next()) {
          ++findings_.messages;
          if (auto record = reader->decode(); !record.ok()) reason = record.error().reason;
        }
        if (!reader->status().ok()) reason = reader->status().error().reason;
      }
      if (!reason.empty()) add({file_of(block_key(name, base)), name, base, end, "a block cannot be read: " + reason});
    };
    visit_blocks(*health_.database, name, start.start, {take, [&](const std::string& reason) {
                   add({"", name, end, UINT64_MAX, "blocks cannot be read: " + reason});
                 }});
    if (end < start.tail.end && start.start < start.tail.end && !lost.is_jump_end(start.tail.end)) {
      if (!lost.lost_above(start.tail.end - 1)) add({"", name, end, start.tail.end, "the end of the log is missing"});
    }
  }

  const StoreFolder& folder_;
  uint64_t floor_ = 0;
  Health& health_;
  Findings& findings_;
};

}  // namespace

Result<Findings> check_store(const std::string& path) {
  Findings findings;
  auto folder = StoreFolder::open_existing(path);
  if (!folder.ok()) return fail(folder.error());
  auto health = examine_database(folder->database_path());
  if (!health.ok() && is_full_disk(health.error())) return fail(full_disk(path, "the check", 2 * log_bytes(path), health.error()));
  if (!health.ok()) return fail(health.error());
  check_contents(*folder, *health, findings);
  return findings;
}

void check_contents(const StoreFolder& folder, Health& health, Findings& findings) {
  findings.files = health.named_files;
  Check(folder, health, findings).run();
}

}  // namespace arena::engine
