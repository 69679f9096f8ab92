#include "engine/rocksdb/quarantine.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/log.h"
#include "engine/rocksdb/index_rebuild.h"
#include "engine/rocksdb/index_values.h"
#include "engine/rocksdb/jumps.h"
#include "engine/rocksdb/key_versions.h"
#include "engine/rocksdb/log_mending.h"
#include "engine/rocksdb/table_salvage.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchBytes = 4 << 20;
constexpr const char* kTables = "tables";
constexpr const char* kKeys = "spaces";  // the family

// Where a log starts is the one index entry that is written again and again, and only moves up.
bool is_later_start(const std::string& key, const std::string& value, const std::string& than) {
  LogName name;
  IndexKind kind{};
  if (!read_index_kind(key, name, kind) || kind != IndexKind::start) return false;
  const auto one = decode_start(value), other = decode_start(than);
  return one.ok() && (!other.ok() || one->start > other->start || one->tail.end > other->tail.end);
}

// Which MANIFEST was the last, if CURRENT does not say.
std::optional<std::string> newest_manifest(const std::string& database) {
  std::optional<std::string> newest;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(database, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("MANIFEST-") && (!newest || name > *newest)) newest = name;
  }
  return newest;
}

class Quarantine {
 public:
  Quarantine(StoreFolder folder, std::string name)
      : folder_(std::move(folder)), database_path_(folder_.database_path()), aside_(folder_.path() + "/" + std::move(name)) {}

  Result<Quarantined> run() {
    health_ = examine_database(database_path_);
    check_contents(folder_, health_, report_.findings);
    if (report_.findings.sound()) return std::move(report_);
    std::error_code error;
    if (!fs::create_directory(aside_, error)) return fail_with("cannot make " + aside_ + ": " + error.message());
    Status done = take_out();
    if (!done.ok()) return fail_with(done.error().reason + "; what was moved is in " + aside_);
    return std::move(report_);
  }

 private:
  Status take_out() {
    const auto mark = folder_.high_water();
    if (!mark.ok()) {
      if (Status kept = copy_aside(folder_.path(), "high-water"); !kept) return kept;
    }
    if (!folder_.format_fault().empty()) {
      if (Status moved = move_aside(folder_.path(), "format"); !moved) return moved;
      if (Status written = folder_.write_format(); !written) return written;
      if (only_format_is_wrong()) return Unit{};
    }
    if (!health_.database) {
      if (Status found = point_to_manifest(); !found) return found;
    }
    const bool behind = mark.ok() && health_.database && health_.database->sequence() < *mark;
    // A manifest that ends early names neither the newest files nor, perhaps, RocksDB's newest log: what stands in those
    // files is missing before what the log begins with, or at the end.
    const bool made_again = !health_.database || ((behind || !health_.log_damages.empty()) && health_.strangers);
    const bool log_is_hurt = !health_.log_damages.empty() || behind || (!health_.refused.empty() && health_.files.empty());
    for (const BadFile& file : health_.files) {
      rescued_.push_back(salvage_table(database_path_ + "/" + file.name));
      if (!file.family.empty()) rescued_.back().family = file.family;
    }
    if (log_is_hurt || made_again) {
      if (Status kept = copy_logs(); !kept) return kept;
    }
    Status files = made_again ? make_manifest_again() : strike_files();
    if (!files) return files;
    return write_down(made_again, !made_again && log_is_hurt, mark.ok() ? *mark : 0);
  }

  bool only_format_is_wrong() const { return report_.findings.damages.size() == 1 && health_.refused.empty(); }

  // CURRENT names no manifest that can be followed: the newest may do.
  Status point_to_manifest() {
    const auto newest = newest_manifest(database_path_);
    std::ifstream in(database_path_ + "/CURRENT");
    const std::string current((std::istreambuf_iterator<char>(in)), {});
    if (!newest || current == *newest + "\n") return Unit{};
    if (fs::exists(database_path_ + "/CURRENT")) {
      if (Status kept = copy_aside(database_path_, "CURRENT"); !kept) return kept;
    }
    std::ofstream(database_path_ + "/CURRENT", std::ios::trunc) << *newest << "\n";
    const Findings before = std::move(report_.findings);
    health_ = examine_database(database_path_);
    report_.findings = {};
    check_contents(folder_, health_, report_.findings);
    report_.findings.damages.insert(report_.findings.damages.begin(), before.damages.begin(), before.damages.end());
    report_.findings.refused = before.refused;
    return Unit{};
  }

  Status strike_files() {
    for (const BadFile& file : health_.files) {
      if (Status moved = move_aside(database_path_, file.name); !moved) return moved;
    }
    for (const BadFile& file : health_.files) {
      if (Status struck = Database::remove_file(database_path_, file.number); !struck) return struck;
    }
    return Unit{};
  }

  Status make_manifest_again() {
    report_.manifest_was_made_again = true;
    std::vector<std::string> manifests;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(database_path_, ignored)) {
      const std::string name = entry.path().filename().string();
      if (name == "CURRENT" || name.starts_with("MANIFEST-")) manifests.push_back(name);
    }
    for (const std::string& name : manifests) {
      if (Status moved = move_aside(database_path_, name); !moved) return moved;
    }
    for (const BadFile& file : health_.files) {
      if (Status moved = move_aside(database_path_, file.name); !moved) return moved;
    }
    if (Status taken = take_out_what_is_refused(); !taken) return taken;
    if (Status repaired = Database::repair(database_path_); !repaired) return repaired;
    if (keys_are_merged()) {  // before RocksDB forgets which version is which
      for (const auto& [name, family] : tables_of(database_path_, {kKeys})) keys_.add(salvage_table(database_path_ + "/" + name));
    }
    if (fs::exists(database_path_ + "/lost")) return move_aside(database_path_, "lost");
    return Unit{};
  }

  // Blocks and index entries are written once, and are put back one by one, in whatever order. Where the files of keys are
  // refused by themselves, one's sequence numbers lying within another's, RocksDB gets its log alone.
  Status take_out_what_is_refused() {
    for (const std::set<std::string>& families : {std::set<std::string>{"blocks", "index"}, std::set<std::string>{kKeys}}) {
      if (can_be_repaired()) return Unit{};
      if (Status taken = take_out_tables(families); !taken) return taken;
    }
    return Unit{};
  }

  // RocksDB puts all files on the first level, where it does not always take them. Tried on links.
  bool can_be_repaired() {
    health_.database.reset();
    auto trial = Scratch::make(database_path_, true);
    if (!trial.ok() || !Database::repair(trial->path()).ok()) return false;
    DatabaseOptions options;
    options.mode = DatabaseMode::salvage;
    return Database::open(trial->path(), options).ok();
  }

  Status take_out_tables(const std::set<std::string>& families) {
    std::error_code ignored;
    fs::create_directory(aside_ + "/" + kTables, ignored);
    for (const auto& [name, family] : tables_of(database_path_, families)) {
      std::error_code error;
      fs::rename(database_path_ + "/" + name, aside_ + "/" + kTables + "/" + name, error);
      if (error) return fail_with("cannot move " + name + ": " + error.message());
      taken_.emplace_back(aside_ + "/" + kTables + "/" + name, family);
      taken_sequence_ = std::max(taken_sequence_, salvage_table(taken_.back().first).sequence);
    }
    return Unit{};
  }

  bool keys_are_hurt() const {
    return std::any_of(rescued_.begin(), rescued_.end(), [](const SalvagedTable& one) { return one.family == kKeys || one.family.empty(); });
  }
  bool keys_are_merged() const {
    return keys_are_hurt() || std::any_of(taken_.begin(), taken_.end(), [](const auto& one) { return one.second == kKeys; });
  }

  Status write_down(bool made_again, bool log_is_hurt, uint64_t mark) {
    DatabaseOptions options;
    options.mode = DatabaseMode::salvage;
    auto opened = Database::open(database_path_, options);
    if (!opened.ok()) return fail(opened.error());
    Database& database = **opened;
    const bool end_unknown = log_is_hurt || (made_again && std::max(database.sequence(), taken_sequence_) < mark);
    if (made_again) database.compact();  // a server wants the files sorted into levels
    if (Status put = put_back(database); !put) return put;
    report_.keys_may_be_older = report_.keys_may_be_older || end_unknown;
    for (const LogName& name : log_names(database, folder_.partitions())) {
      LossHints hints = hints_of(name);
      hints.end_unknown = hints.end_unknown || end_unknown;
      hints.jumps = stored_jumps(database, name, folder_.floor().offset);
      if (Status built = rebuild_index(database, folder_.secret(), name, hints, report_.lost); !built) return built;
    }
    if (Status flushed = database.flush(); !flushed) return flushed;
    const uint64_t sequence = database.sequence();
    opened->reset();
    if (Status marked = folder_.reset_high_water(sequence); !marked) return marked;
    options.mode = DatabaseMode::inspect;
    if (auto again = Database::open(database_path_, options); !again.ok()) return fail(again.error());
    std::error_code ignored;
    fs::remove_all(aside_ + "/" + kTables, ignored);  // nothing was wrong with them, and all of them is in the store again
    return Unit{};
  }

  LossHints hints_of(LogName name) {
    LossHints hints;
    for (std::size_t i = 0; i < health_.files.size(); ++i) {
      const BadFile& file = health_.files[i];
      const std::string& family = rescued_[i].family;
      if (family == "index" || family.empty()) hints.start_unknown = true;
      if (family == kKeys || family.empty()) report_.keys_may_be_older = true;
      if (family != "blocks" && !family.empty()) continue;
      LogName first, last;
      uint64_t smallest = 0, largest = 0;
      const auto& entries = rescued_[i].newest;
      const std::string& lowest = file.smallest.empty() && !entries.empty() ? entries.begin()->first : file.smallest;
      const std::string& highest = file.largest.empty() && !entries.empty() ? entries.rbegin()->first : file.largest;
      if (!read_block_key(lowest, first, smallest) || !read_block_key(highest, last, largest)) {
        hints.end_unknown = true;  // a file of which nothing is known
        continue;
      }
      if (name < first || last < name) continue;
      hints.removed_from = std::min(hints.removed_from.value_or(UINT64_MAX), name == first ? smallest : 0);
      if (name == last) {
        hints.removed_last = std::max(hints.removed_last.value_or(0), largest);
      } else {
        hints.end_unknown = true;
      }
    }
    return hints;
  }

  // Blocks and index entries are written once, so what was rescued is right.
  Status put_back(Database& database) {
    rocksdb::WriteBatch batch;
    for (const SalvagedTable& file : rescued_) {
      if (Status put = put_back_entries(database, file, batch); !put) return put;
    }
    for (const auto& [path, family] : taken_) {
      SalvagedTable file = salvage_table(path);
      file.family = family;
      if (Status put = put_back_entries(database, file, batch); !put) return put;
      if (family == kKeys) keys_.add(std::move(file));
    }
    if (Status written = write(database, batch, 0); !written) return written;
    if (!keys_are_merged()) return Unit{};
    if (keys_are_hurt()) report_.keys_may_be_older = true;
    if (!report_.manifest_was_made_again) return put_back_keys(database);
    for (const SalvagedTable& file : rescued_) {
      if (file.family == kKeys) keys_.add(file);
    }
    return keys_.write_to(database);
  }

  Status put_back_entries(Database& database, const SalvagedTable& file, rocksdb::WriteBatch& batch) {
    if (file.family != "blocks" && file.family != "index") return Unit{};
    rocksdb::ColumnFamilyHandle* family = file.family == "blocks" ? database.blocks() : database.index();
    for (const auto& [key, version] : file.newest) {
      if (!version.value) continue;
      if (key.size() == start_key({}).size()) {  // to be compared with what was put before
        if (Status written = write(database, batch, 0); !written) return written;
      }
      std::string there;
      const bool missing = database.db().Get({}, family, key, &there).IsNotFound();
      if (missing || is_later_start(key, *version.value, there)) batch.Put(family, key, *version.value);
      if (Status written = write(database, batch, kBatchBytes); !written) return written;
    }
    return Unit{};
  }

  // A key has many versions: RocksDB as it was, with the damaged file in its place, says which one counts.
  Status put_back_keys(Database& database) {
    std::map<std::string, std::string> rescued;
    for (const SalvagedTable& file : rescued_) {
      if (file.family != kKeys) continue;
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
      const std::optional<std::string> right = value_before(key, value, rescued);
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

  std::optional<std::string> value_before(const std::string& key, const std::optional<std::string>& now,
                                          const std::map<std::string, std::string>& rescued) {
    if (health_.database) {
      std::string value;
      const rocksdb::Status status = health_.database->db().Get({}, health_.database->spaces(), key, &value);
      if (status.ok()) return value;
      if (status.IsNotFound()) return std::nullopt;
    }
    if (now) return now;
    const auto at = rescued.find(key);
    return at == rescued.end() ? std::nullopt : std::optional(at->second);
  }

  static Status write(Database& database, rocksdb::WriteBatch& batch, std::size_t above) {
    if (batch.Count() == 0 || batch.GetDataSize() < above) return Unit{};
    Status written = database.write_synced(batch);
    batch.Clear();
    return written;
  }

  // ---- files

  Status move_aside(const std::string& from, const std::string& name) {
    std::error_code error;
    if (!fs::exists(from + "/" + name, error)) return Unit{};
    fs::rename(from + "/" + name, aside_ + "/" + name, error);
    if (error) return fail_with("cannot move " + from + "/" + name + ": " + error.message());
    report_.files.push_back(name);
    return Unit{};
  }
  Status copy_aside(const std::string& from, const std::string& name) {
    std::error_code error;
    fs::copy_file(from + "/" + name, aside_ + "/" + name, fs::copy_options::overwrite_existing, error);
    if (error) return fail_with("cannot copy " + from + "/" + name + ": " + error.message());
    report_.files.push_back(name);
    return Unit{};
  }
  Status copy_logs() {
    std::error_code ignored;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(database_path_, ignored)) {
      if (entry.path().extension() == ".log") names.push_back(entry.path().filename().string());
    }
    for (const std::string& name : names) {
      if (Status kept = copy_aside(database_path_, name); !kept) return kept;
      mend_log(database_path_ + "/" + name);
    }
    return Unit{};
  }

  StoreFolder folder_;
  const std::string database_path_;
  const std::string aside_;
  Health health_;
  std::vector<SalvagedTable> rescued_;  // as health_.files
  uint64_t taken_sequence_ = 0;
  std::vector<std::pair<std::string, std::string>> taken_;  // table files that RocksDB is not given, and their families
  KeyVersions keys_;  // when they are merged, of all files
  Quarantined report_;
};

}  // namespace

Result<Quarantined> quarantine_store(const std::string& path, const std::string& name) {
  auto folder = StoreFolder::open_existing(path);
  if (!folder.ok()) return fail(folder.error());
  return Quarantine(std::move(*folder), name).run();
}

}  // namespace arena::engine
