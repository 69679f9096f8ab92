// A disk that is full is no damage, and has another way out.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace arena::engine {

// Did it fail because there is no space, or no quota left? RocksDB, the standard library and the system's calls all say so in
// the system's words.
bool is_full_disk(const Error& error);

// What RocksDB's log in a store's folder takes: to open it needs about as much again. Any thread.
uint64_t log_bytes(const std::string& path);
// And all of RocksDB's files.
uint64_t database_bytes(const std::string& path);

// For people: whose disk is full, and how to get on. `what`: what was tried; `wanted`: about so many bytes it needs.
Error full_disk(const std::string& path, const std::string& what, uint64_t wanted, const Error& error);

}  // namespace arena::engine
