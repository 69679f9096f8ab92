#include "engine/rocksdb/full_disk.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/units.h"

namespace arena::engine {

bool is_full_disk(const Error& error) {
  return error.reason.find(std::strerror(ENOSPC)) != std::string::npos || error.reason.find(std::strerror(EDQUOT)) != std::string::npos;
}

namespace {

uint64_t bytes_of_files(const std::string& path, bool logs_alone) {
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(path + "/rocksdb", ignored)) {
    if (!entry.is_regular_file(ignored) || (logs_alone && entry.path().extension() != ".log")) continue;
    const uint64_t size = entry.file_size(ignored);
    if (!ignored) bytes += size;
  }
  return bytes;
}

}  // namespace

uint64_t log_bytes(const std::string& path) { return bytes_of_files(path, true); }
uint64_t database_bytes(const std::string& path) { return bytes_of_files(path, false); }

constexpr uint64_t kBeside = 1 << 20;  // for what is not counted: a manifest, options, notes

Error full_disk(const std::string& path, const std::string& what, uint64_t wanted, const Error& error) {
  struct statvfs info {};
  const std::string left = ::statvfs(path.c_str(), &info) == 0 ? bytes_text(uint64_t{info.f_bavail} * info.f_frsize) : "?";
  return {"the disk of " + path + " is full (" + left + " free), and " + what + " needs about " + bytes_text(wanted + kBeside) + " there: " + error.reason +
          ". That is no damage, and nothing is lost. Free space on that disk, outside of this folder; in it only quarantine-* may go"};
}

}  // namespace arena::engine
