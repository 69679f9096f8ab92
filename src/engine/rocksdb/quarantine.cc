#include "engine/rocksdb/quarantine.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "engine/rocksdb/file_copy.h"
#include "engine/rocksdb/full_disk.h"
#include "engine/rocksdb/index_rebuild.h"
#include "engine/rocksdb/jumps.h"
#include "engine/rocksdb/key_versions.h"
#include "engine/rocksdb/rescued_entries.h"
#include "engine/rocksdb/successor.h"
#include "engine/rocksdb/table_salvage.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

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

// All is done in a successor of the store, so that it is as it was if anything fails.
class Quarantine {
 public:
  Quarantine(StoreFolder folder, std::string name)
      : folder_(std::move(folder)), source_(folder_.database_path()), aside_(folder_.path() + "/" + std::move(name)) {}

  Result<Quarantined> run() {
    auto health = examine_database(source_);
    if (!health.ok()) return fail(undone(health.error()));
    health_ = std::move(*health);
    check_contents(folder_, health_, report_.findings);
    if (report_.findings.sound()) return std::move(report_);
    if (Status done = put_in_order(); !done.ok()) return fail(undone(done.error()));
    return std::move(report_);
  }

 private:
  Status put_in_order() {
    std::error_code error;
    made_aside_ = fs::create_directory(aside_, error);
    if (!made_aside_) return fail_with("cannot make " + aside_ + ": " + error.message());
    auto made = Successor::make(folder_.path());
    if (!made.ok()) return fail(made.error());
    successor_.emplace(std::move(*made));
    if (health_.database) floor_ = floor_of(folder_, *health_.database);
    const auto read = folder_.high_water();
    const HighWater::Mark mark = read.ok() ? *read : HighWater::Mark{std::nullopt, false, read.error().reason};
    std::optional<uint64_t> sequence;  // the new mark
    if (!mark.fault.empty()) sequence = mark.sequence ? mark.sequence : health_.served_sequence;
    if (!only_files_beside_are_wrong()) {
      if (Status mended = mend_database(mark); !mended) return mended;
      sequence = mended_sequence_;
    }
    if (Status written = write_files_beside(mark, sequence); !written) return written;
    return successor_->take_place(aside_);
  }

  bool only_files_beside_are_wrong() const {
    return health_.refused.empty() && health_.database && std::ranges::all_of(report_.findings.damages, [](const Damage& one) {
             return one.file == "high-water" || one.file == "format" || one.mended_at_start;
           });
  }

  Status write_files_beside(const HighWater::Mark& mark, std::optional<uint64_t> sequence) {
    if (sequence) {
      if (!mark.fault.empty()) {
        if (Status kept = keep_aside(folder_.path(), "high-water"); !kept) return kept;
      }
      if (Status written = HighWater(successor_->path() + "/high-water").set(*sequence); !written) return written;
    }
    bool format = !folder_.format_fault().empty();
    if (format) {
      if (Status kept = keep_aside(folder_.path(), "format"); !kept) return kept;
    }
    for (const StoreFolder::Fault& one : folder_.faults()) {
      if (Status kept = keep_aside(folder_.path(), one.file); !kept) return kept;
      if (one.file != "floor") {
        format = true;
      } else if (Status written = StoreFolder::write_floor({floor_, true}, successor_->path()); !written) {
        return written;
      }
    }
    // Nobody knows how far a log went of which nothing is left. As a copy does, the store goes on above all that may have been.
    if (report_.deleted_may_return) {
      if (Status written = StoreFolder::write_floor({floor_, true}, successor_->path()); !written) return written;
      folder_.expect_floor();
      format = true;
    }
    return format ? folder_.write_format(successor_->path()) : Status(Unit{});
  }

  Status mend_database(const HighWater::Mark& mark) {
    if (Status copied = successor_->copy_database(); !copied) return copied;
    if (!health_.database) {
      if (Status found = point_to_manifest(); !found) return found;
    }
    const bool behind = mark.sequence && health_.database && health_.database->sequence() < *mark.sequence;
    // A manifest that ends early names neither the newest files nor, perhaps, RocksDB's newest log: what stands in those
    // files is missing before what the log begins with, or at the end.
    const bool made_again = !health_.database || ((behind || !health_.log_damages.empty()) && health_.strangers);
    const bool log_is_hurt = !health_.log_damages.empty() || behind || (!health_.refused.empty() && health_.files.empty());
    for (const BadFile& file : health_.files) {
      rescued_.push_back(salvage_table(source_ + "/" + file.name));
      if (!file.family.empty()) rescued_.back().family = file.family;
    }
    if (log_is_hurt || made_again) {
      if (Status kept = keep_logs(); !kept) return kept;
    }
    Status files = made_again ? make_manifest_again() : strike_files();
    if (!files) return files;
    return write_down(made_again, !made_again && log_is_hurt, mark.sequence.value_or(0));
  }

  // CURRENT names no manifest that can be followed: the newest may do.
  Status point_to_manifest() {
    const auto newest = newest_manifest(source_);
    std::ifstream in(source_ + "/CURRENT");
    const std::string current((std::istreambuf_iterator<char>(in)), {});
    if (!newest || current == *newest + "\n") return Unit{};
    if (Status kept = keep_aside(source_, "CURRENT"); !kept) return kept;
    std::ofstream out(successor_->database() + "/CURRENT", std::ios::trunc);
    out << *newest << "\n" << std::flush;
    if (!out) return fail_with("cannot write CURRENT: " + std::error_code(errno, std::generic_category()).message());
    const Findings before = std::move(report_.findings);
    auto health = examine_database(successor_->database());
    if (!health.ok()) return fail(health.error());
    health_ = std::move(*health);
    report_.findings = {};
    check_contents(folder_, health_, report_.findings);
    report_.findings.damages.insert(report_.findings.damages.begin(), before.damages.begin(), before.damages.end());
    report_.findings.refused = before.refused;
    return Unit{};
  }

  Status strike_files() {
    for (const BadFile& file : health_.files) {
      if (Status taken = take_out(file.name); !taken) return taken;
    }
    for (const BadFile& file : health_.files) {
      if (Status struck = Database::remove_file(successor_->database(), file.number); !struck) return struck;
    }
    return Unit{};
  }

  Status make_manifest_again() {
    report_.manifest_was_made_again = true;
    std::vector<std::string> manifests;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(successor_->database(), ignored)) {
      const std::string name = entry.path().filename().string();
      if (name == "CURRENT" || name.starts_with("MANIFEST-")) manifests.push_back(name);
    }
    for (const std::string& name : manifests) {
      if (Status taken = take_out(name); !taken) return taken;
    }
    for (const BadFile& file : health_.files) {
      if (Status taken = take_out(file.name); !taken) return taken;
    }
    if (Status taken = take_out_what_is_refused(); !taken) return taken;
    const std::string& database = successor_->database();
    if (Status repaired = Database::repair(database); !repaired) return repaired;
    if (keys_are_merged()) {  // before RocksDB forgets which version is which
      for (const auto& [name, family] : tables_of(database, {kKeysFamily})) keys_.add(salvage_table(database + "/" + name));
    }
    if (!fs::exists(database + "/lost")) return Unit{};
    report_.files.emplace_back("lost");
    return move(database + "/lost", aside_ + "/lost");
  }

  // Blocks and index entries are written once, and are put back one by one, in whatever order. Where the files of keys are
  // refused by themselves, one's sequence numbers lying within another's, RocksDB gets its log alone.
  Status take_out_what_is_refused() {
    for (const std::set<std::string>& families : {std::set<std::string>{"blocks", "index"}, std::set<std::string>{kKeysFamily}}) {
      if (can_be_repaired()) return Unit{};
      if (Status taken = take_out_tables(families); !taken) return taken;
    }
    return Unit{};
  }

  // RocksDB puts all files on the first level, where it does not always take them. Tried on links.
  bool can_be_repaired() {
    health_.database.reset();
    auto trial = Scratch::make(successor_->database(), true);
    if (!trial.ok() || !Database::repair(trial->path()).ok()) return false;
    DatabaseOptions options;
    options.mode = DatabaseMode::salvage;
    return Database::open(trial->path(), options).ok();
  }

  Status take_out_tables(const std::set<std::string>& families) {
    std::error_code ignored;
    const std::string tables = successor_->path() + "/tables/";
    fs::create_directory(tables, ignored);
    for (const auto& [name, family] : tables_of(successor_->database(), families)) {
      if (Status moved = move(successor_->database() + "/" + name, tables + name); !moved) return moved;
      taken_.emplace_back(tables + name, family);
      taken_sequence_ = std::max(taken_sequence_, salvage_table(taken_.back().first).sequence);
    }
    return Unit{};
  }

  static bool is_of_keys(const SalvagedTable& one) { return one.family == kKeysFamily || one.family.empty(); }
  bool keys_are_hurt() const { return std::any_of(rescued_.begin(), rescued_.end(), is_of_keys); }
  bool keys_are_merged() const {
    return keys_are_hurt() || std::any_of(taken_.begin(), taken_.end(), [](const auto& one) { return one.second == kKeysFamily; });
  }

  Status write_down(bool made_again, bool log_is_hurt, uint64_t mark) {
    DatabaseOptions options;
    options.mode = DatabaseMode::salvage;
    auto opened = Database::open(successor_->database(), options);
    if (!opened.ok()) return fail(opened.error());
    Database& database = **opened;
    floor_ = std::max(floor_, floor_of(folder_, database));
    const bool end_unknown = log_is_hurt || (made_again && std::max(database.sequence(), taken_sequence_) < mark);
    if (made_again) {  // a server wants the files sorted into levels
      if (Status sorted = database.compact(); !sorted) return sorted;
    }
    if (Status put = put_back(database); !put) return put;
    if (end_unknown) report_.keys.note_missing_writes();
    const auto had_starts = [](const SalvagedTable& one) { return one.family == "index" || one.family.empty(); };
    report_.deleted_may_return = end_unknown || std::any_of(rescued_.begin(), rescued_.end(), had_starts);
    for (const LogName& name : log_names(database, folder_.partitions())) {
      LossHints hints = hints_of(name);
      hints.end_unknown = hints.end_unknown || end_unknown;
      hints.jumps = stored_jumps(database, name, floor_);
      if (Status built = rebuild_index(database, folder_.secret(), name, hints, report_.lost); !built) return built;
    }
    if (Status flushed = database.flush(); !flushed) return flushed;
    if (report_.keys.hit()) count_keys_left(database, folder_.partitions(), report_.keys);
    mended_sequence_ = database.sequence();
    opened->reset();
    options.mode = DatabaseMode::inspect;
    if (auto again = Database::open(successor_->database(), options); !again.ok()) return fail(again.error());
    return Unit{};
  }

  LossHints hints_of(LogName name) {
    LossHints hints;
    for (std::size_t i = 0; i < health_.files.size(); ++i) {
      const BadFile& file = health_.files[i];
      const std::string& family = rescued_[i].family;
      if (family == "index" || family.empty()) hints.start_unknown = true;
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

  Status put_back(Database& database) {
    for (const SalvagedTable& file : rescued_) {
      if (Status put = put_back_entries(database, file); !put) return put;
    }
    for (const auto& [path, family] : taken_) {
      SalvagedTable file = salvage_table(path);
      file.family = family;
      if (Status put = put_back_entries(database, file); !put) return put;
      if (family == kKeysFamily) keys_.add(std::move(file));
    }
    for (std::size_t i = 0; i < rescued_.size(); ++i) {
      if (is_of_keys(rescued_[i]) && !health_.files[i].is_read) report_.keys.note_lost_file(health_.files[i].smallest, health_.files[i].largest);
    }
    if (!keys_are_merged()) return Unit{};
    if (!report_.manifest_was_made_again) return put_back_keys(database, health_.database.get(), rescued_);
    for (const SalvagedTable& file : rescued_) {
      if (file.family == kKeysFamily) keys_.add(file);
    }
    return keys_.write_to(database);
  }

  // ---- files

  static Status move(const std::string& from, const std::string& to) {
    std::error_code error;
    fs::rename(from, to, error);
    return error ? Status(fail_with("cannot move " + from + ": " + error.message())) : Unit{};
  }
  Status keep_aside(const std::string& from, const std::string& name) {
    std::error_code error;
    if (!fs::exists(from + "/" + name, error)) return Unit{};
    fs::create_hard_link(from + "/" + name, aside_ + "/" + name, error);
    if (error) {  // a file system without links
      if (Status copied = copy_file(from + "/" + name, aside_ + "/" + name); !copied) return copied;
    }
    report_.files.push_back(name);
    return Unit{};
  }
  // Of RocksDB's.
  Status take_out(const std::string& name) {
    if (Status kept = keep_aside(source_, name); !kept) return kept;
    std::error_code error;
    fs::remove(successor_->database() + "/" + name, error);
    return error ? Status(fail_with("cannot remove " + name + ": " + error.message())) : Unit{};
  }
  Status keep_logs() {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(source_, ignored)) {
      if (entry.path().extension() == ".log") names.push_back(entry.path().filename().string());
    }
    for (const std::string& name : names) {
      if (Status kept = keep_aside(source_, name); !kept) return kept;
    }
    return Unit{};
  }

  // ---- when it fails

  Error told(const Error& error) const {
    if (!is_full_disk(error)) return error;
    const uint64_t logs = 3 * log_bytes(folder_.path());
    return full_disk(folder_.path(), "putting the store in order", report_.manifest_was_made_again ? logs + database_bytes(folder_.path()) : logs, error);
  }
  Error undone(const Error& error) {
    Error out = told(error);
    const bool took_place = successor_ && successor_->took_place();
    health_ = {};
    successor_.reset();
    std::error_code ignored;
    if (made_aside_ && !took_place) fs::remove_all(aside_, ignored);
    out.reason += took_place ? "; run it once more" : ". The store is as it was";
    return out;
  }

  StoreFolder folder_;
  const std::string source_;  // RocksDB's files as they were
  const std::string aside_;
  bool made_aside_ = false;
  Health health_;
  std::optional<Successor> successor_;
  uint64_t mended_sequence_ = 0;
  uint64_t floor_ = 0;
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
