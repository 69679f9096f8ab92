#include "engine/rocksdb/table_salvage.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "engine/rocksdb/database.h"
#include "engine/varint.h"

namespace arena::engine {
namespace {

constexpr std::size_t kPageBytes = 4096;
// A block: entries {shared, unshared, value length: varints; the rest of the key; the value}, the places of the restarts
// and their count (32 bits each, little-endian), compression (a byte), checksum (32 bits).
constexpr std::size_t kTrailerBytes = 5;
constexpr std::size_t kRestartEvery = 16;   // in a data block
constexpr std::size_t kNoRestarts = SIZE_MAX;  // in the block of properties
// Behind a key in a data block: its kind, and a sequence number.
constexpr std::size_t kKindBytes = 8;
enum Kind : unsigned char { kDeletion = 0, kValue = 1 };
constexpr std::array<std::string_view, 2> kPropertyPrefixes = {"arena.", "rocksdb."};  // ours: level_zero.h
constexpr std::string_view kFamilyProperty = "rocksdb.column.family.name";

uint32_t little_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// Seven bytes behind the kind, little-endian.
uint64_t sequence_of(std::string_view kind_and_sequence) {
  uint64_t value = 0;
  for (std::size_t i = kKindBytes; i-- > 1;) value = value << 8 | static_cast<unsigned char>(kind_and_sequence[i]);
  return value;
}

// As RocksDB makes it of a block and the compression byte behind it.
bool checksum_is_right(std::string_view block, std::string_view trailer) {
  constexpr uint32_t kPrime = 0x6b9083d9;
  const auto compression = static_cast<unsigned char>(trailer[0]);
  return (checksum32(block) ^ compression * kPrime) == little_endian(trailer.substr(1));
}

class BlockParser {
 public:
  struct Entry {
    std::string key;
    std::string_view value;
  };

  BlockParser(std::string_view bytes, std::size_t restart_every) : bytes_(bytes), restart_every_(restart_every) {}

  // How long the block at the beginning of the bytes is, with its trailer; none: there is no whole block.
  std::optional<std::size_t> parse() {
    while (next_entry()) {
      if (const auto end = ends_here()) return end;
    }
    return std::nullopt;
  }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  bool next_entry() {
    if (at_ >= kTableBlockBytes) return false;  // no entry begins there, and what only looks like entries may go on for ever
    VarintReader reader(bytes_.substr(at_));
    uint64_t shared = 0, unshared = 0, size = 0;
    std::string_view rest, value;
    if (!reader.varint(shared) || !reader.varint(unshared) || !reader.varint(size)) return false;
    const bool restart = entries_.size() % restart_every_ == 0;
    if (restart ? shared != 0 : shared > entries_.back().key.size()) return false;
    if (!reader.bytes(unshared, rest) || !reader.bytes(size, value)) return false;
    if (restart) restarts_.push_back(static_cast<uint32_t>(at_));
    std::string key = restart ? std::string() : entries_.back().key.substr(0, static_cast<std::size_t>(shared));
    key += rest;
    if (restart_every_ == kRestartEvery ? !plausible(key) : !is_property(key)) return false;
    entries_.push_back({std::move(key), value});
    at_ = bytes_.size() - reader.rest().size();
    return true;
  }

  static bool is_property(std::string_view key) {
    return std::any_of(kPropertyPrefixes.begin(), kPropertyPrefixes.end(), [&](std::string_view prefix) { return key.starts_with(prefix); });
  }
  // Keys rise, and no version of one comes twice.
  bool plausible(std::string_view key) const {
    if (key.size() <= kKindBytes) return false;
    const auto kind = static_cast<unsigned char>(key[key.size() - kKindBytes]);
    if (kind != kDeletion && kind != kValue) return false;
    if (entries_.empty()) return true;
    const std::string_view before = entries_.back().key;
    const int order = before.substr(0, before.size() - kKindBytes).compare(key.substr(0, key.size() - kKindBytes));
    return order < 0 || (order == 0 && before != key);
  }

  std::optional<std::size_t> ends_here() const {
    const std::size_t length = at_ + 4 * (restarts_.size() + 1);
    if (bytes_.size() < length + kTrailerBytes) return std::nullopt;
    if (little_endian(bytes_.substr(length - 4)) != restarts_.size()) return std::nullopt;
    for (std::size_t i = 0; i < restarts_.size(); ++i) {
      if (little_endian(bytes_.substr(at_ + 4 * i)) != restarts_[i]) return std::nullopt;
    }
    if (!checksum_is_right(bytes_.substr(0, length), bytes_.substr(length, kTrailerBytes))) return std::nullopt;
    return length + kTrailerBytes;
  }

  std::string_view bytes_;
  const std::size_t restart_every_;
  std::size_t at_ = 0;
  std::vector<Entry> entries_;
  std::vector<uint32_t> restarts_;
};

class Salvage {
 public:
  explicit Salvage(std::string_view file) : file_(file) {}

  SalvagedTable run() {
    // Blocks follow each other; behind a damaged one the next begins at some byte.
    for (std::size_t at = 0; at < file_.size();) at += take(file_.substr(at));
    return std::move(out_);
  }

 private:
  std::size_t take(std::string_view rest) {
    BlockParser data(rest, kRestartEvery);
    if (const auto length = data.parse()) {
      for (const BlockParser::Entry& entry : data.entries()) add(entry);
      return *length;
    }
    BlockParser properties(rest, kNoRestarts);
    const auto length = properties.parse();
    if (!length) return 1;
    for (const BlockParser::Entry& entry : properties.entries()) {
      if (entry.key == kFamilyProperty) out_.family = entry.value;
    }
    return *length;
  }

  // The versions of a key follow each other, the newest first.
  void add(const BlockParser::Entry& entry) {
    const std::string_view whole = entry.key;
    std::string key(whole.substr(0, whole.size() - kKindBytes));
    KeyVersion version{sequence_of(whole.substr(key.size())), std::nullopt};
    out_.sequence = std::max(out_.sequence, version.sequence);
    if (key == last_) return;
    if (whole[key.size()] == kValue) version.value = entry.value;
    out_.newest.emplace(key, std::move(version));
    last_ = std::move(key);
  }

  std::string_view file_;
  std::string last_;
  SalvagedTable out_;
};

}  // namespace

SalvagedTable salvage_table(const std::string& path) {
  std::error_code missing;
  const uint64_t size = std::filesystem::file_size(path, missing);
  if (missing) return {};
  std::string file(size, '\0');
  std::ifstream in(path, std::ios::binary);
  // Page by page: what the disk does not give any more stays zeros.
  for (std::size_t at = 0; at < file.size(); at += kPageBytes) {
    in.clear();
    in.seekg(static_cast<std::streamoff>(at));
    in.read(file.data() + at, static_cast<std::streamsize>(std::min(kPageBytes, file.size() - at)));
  }
  return salvage_bytes(file);
}

// A byte for the kind of checksums, the places of two blocks (two varints each), zeros; then version and magic number.
bool footer_is_filled_up(const std::string& path) {
  constexpr std::size_t kFooterBytes = 53, kBehindBytes = 12;
  std::string footer(kFooterBytes, '\1');
  std::ifstream in(path, std::ios::binary);
  in.seekg(-static_cast<std::streamoff>(kFooterBytes), std::ios::end);
  in.read(footer.data(), kFooterBytes);
  VarintReader reader(std::string_view(footer).substr(1, kFooterBytes - 1 - kBehindBytes));
  uint64_t place = 0;
  for (int i = 0; i < 4; ++i) {
    if (!reader.varint(place)) return false;
  }
  return in && reader.rest().find_first_not_of('\0') == std::string_view::npos;
}

SalvagedTable salvage_bytes(std::string_view file) { return Salvage(file).run(); }

}  // namespace arena::engine
