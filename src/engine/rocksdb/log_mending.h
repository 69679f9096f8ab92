// A log of RocksDB's in which a damaged byte would keep RocksDB reading for ever.
#pragma once

#include <cstddef>
#include <string>

namespace arena::engine {

// RocksDB's reader, told to skip what is damaged, stays for ever at a record whose kind says that it is of a log which is
// used again for another. No log of ours is, so a bit has changed; it is changed back, and the record's checksum says to
// RocksDB whether the record is right then. Returns how many there were. Nobody else uses the file.
std::size_t mend_log(const std::string& path);

}  // namespace arena::engine
