// A table file read without its own index: what can be had of one that RocksDB does not open.
#pragma once

#include <map>
#include <string>

namespace arena::engine {

struct SalvagedTable {
  std::string family;  // empty: the file does not say any more
  std::map<std::string, std::string> entries;  // the newest value of each key that was not deleted last
};

// Every entry of every data block whose checksum is right, wherever the damage is. Knows the files as database.cc has
// RocksDB write them: not compressed, XXH3 checksums, a restart every sixteen entries. Any thread; reads the whole file.
SalvagedTable salvage_table(const std::string& path);

}  // namespace arena::engine
