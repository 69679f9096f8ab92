// A table file that RocksDB does not open. Byte 0 chooses: bytes as they are, or a file made of choices: blocks, rubbish between them, and
// one byte of some changed. Promises: of every block that is whole all comes back, the newest of each key, wherever it lies; what no whole
// block has does not come.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "check.h"
#include "engine/rocksdb/table_salvage.h"
#include "input.h"

using namespace arena;
using namespace arena::engine;

namespace {

constexpr std::size_t kRestartEvery = 16;
constexpr std::size_t kNoRestarts = SIZE_MAX;

struct Entry {
  std::string key;  // of a data block: with its kind and sequence number
  std::string value;
};

void put_32(std::string& out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
}

void put_number(std::string& out, std::size_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// As RocksDB writes one, uncompressed, with its trailer.
std::string block_of(const std::vector<Entry>& entries, std::size_t restart_every) {
  std::string out;
  std::vector<uint32_t> restarts;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool restart = i % restart_every == 0;
    if (restart) restarts.push_back(static_cast<uint32_t>(out.size()));
    const std::string& key = entries[i].key;
    const std::string_view before = restart ? std::string_view() : std::string_view(entries[i - 1].key);
    const auto differs = std::mismatch(key.begin(), key.end(), before.begin(), before.end()).first;
    const auto shared = static_cast<std::size_t>(differs - key.begin());
    put_number(out, shared);
    put_number(out, key.size() - shared);
    put_number(out, entries[i].value.size());
    out += key.substr(shared) + entries[i].value;
  }
  for (const uint32_t at : restarts) put_32(out, at);
  put_32(out, static_cast<uint32_t>(restarts.size()));
  const uint32_t checksum = checksum32(out);
  out += '\0';
  put_32(out, checksum);
  return out;
}

// Rising keys, some with an older version behind them.
std::vector<Entry> data(fuzz::Input& input, std::string& key, uint64_t& sequence) {
  std::vector<Entry> entries;
  for (std::size_t left = 1 + input.below(40); left > 0; --left) {
    const bool older = !entries.empty() && input.below(4) == 0 && sequence > 0;
    if (older) {
      --sequence;
    } else {
      key += static_cast<char>(input.byte());  // longer is higher
      if (key.size() > 12) key = static_cast<char>(static_cast<unsigned char>(key[0]) + 1) + key.substr(1, input.below(6));
      if (key[0] == '\0') return entries;  // gone round
      sequence += input.below(100) + 1;
    }
    std::string whole = key;
    whole += input.flag() ? '\1' : '\0';
    for (int i = 0; i < 7; ++i) whole += static_cast<char>(sequence >> (8 * i));
    entries.push_back({std::move(whole), input.text(input.below(20))});
  }
  return entries;
}

class Expected {
 public:
  void add(const std::vector<Entry>& entries) {
    for (const Entry& entry : entries) {
      const std::string key = entry.key.substr(0, entry.key.size() - 8);
      KeyVersion version;
      for (int i = 7; i > 0; --i) version.sequence = version.sequence << 8 | static_cast<unsigned char>(entry.key[key.size() + static_cast<std::size_t>(i)]);
      if (entry.key[key.size()] == '\1') version.value = entry.value;
      table.sequence = std::max(table.sequence, version.sequence);
      table.newest.emplace(key, std::move(version));
    }
  }
  void check(const SalvagedTable& came) const {
    FUZZ_CHECK(came.family == table.family);
    FUZZ_CHECK(came.sequence == table.sequence);
    FUZZ_CHECK(came.newest.size() == table.newest.size());
    for (const auto& [key, version] : table.newest) {
      const auto it = came.newest.find(key);
      FUZZ_CHECK(it != came.newest.end());
      FUZZ_CHECK(it->second.sequence == version.sequence && it->second.value == version.value);
    }
  }

  SalvagedTable table;
};

void check_made(fuzz::Input& input) {
  Expected expected;
  std::string file, key = "\1";
  uint64_t sequence = 1'000;
  for (std::size_t left = 1 + input.below(8); left > 0 && !input.empty(); --left) {
    file += input.text(input.below(30));
    const bool properties = input.below(8) == 0;
    std::vector<Entry> entries;
    if (properties) {
      entries = {{"arena.span", input.text(3)}, {"rocksdb.column.family.name", input.text(4)}, {"rocksdb.comparator", "x"}};
    } else {
      entries = data(input, key, sequence);
    }
    if (entries.empty()) break;
    std::string block = block_of(entries, properties ? kNoRestarts : kRestartEvery);
    const uint8_t change = input.below(4) == 0 ? input.byte() : 0;
    if (change != 0) {
      char& hurt = block[(input.byte() * std::size_t{256} + input.byte()) % block.size()];
      hurt = static_cast<char>(hurt ^ change);
    } else if (properties) {
      expected.table.family = entries[1].value;
    } else {
      expected.add(entries);
    }
    file += block;
  }
  expected.check(salvage_bytes(file));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if (input.flag()) {
    check_made(input);
  } else {
    const SalvagedTable table = salvage_bytes(input.rest());
    for (const auto& [key, version] : table.newest) FUZZ_CHECK(!key.empty() && version.sequence <= table.sequence);
  }
  return 0;
}
