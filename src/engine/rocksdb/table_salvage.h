// A table file read without its own index: what can be had of one that RocksDB does not open.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace arena::engine {

// What a key was set to by RocksDB's write of that sequence number: of two versions the higher one counts.
struct KeyVersion {
  uint64_t sequence = 0;
  std::optional<std::string> value;  // none: it was deleted
};

struct SalvagedTable {
  std::string family;  // empty: the file does not say any more
  std::map<std::string, KeyVersion> newest;  // of each key
  uint64_t sequence = 0;  // how far it goes
};

// Every entry of every data block whose checksum is right, wherever the damage is. Knows the files as database.cc has
// RocksDB write them: not compressed, XXH3 checksums, a restart every sixteen entries. Any thread; reads the whole file.
SalvagedTable salvage_table(const std::string& path);
// The same of a file's bytes.
SalvagedTable salvage_bytes(std::string_view file);

// RocksDB does not look at the bytes that fill up a file's footer: are they as it wrote them? Any thread.
bool footer_is_filled_up(const std::string& path);

}  // namespace arena::engine
