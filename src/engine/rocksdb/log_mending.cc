#include "engine/rocksdb/log_mending.h"

#include <array>
#include <fstream>
#include <ios>

namespace arena::engine {
namespace {

// A log is pages; a page is records and, where none fits any more, nothing. A record: checksum (4 bytes), length of the
// rest (2, little-endian), kind.
constexpr std::size_t kPageBytes = 32 << 10;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kKindAt = 6;
// 1 to 4: the whole, first, middle, last of what was written at once. 5 to 8 the same, in a log that is used again.
enum Kind : unsigned char { kWhole = 1, kFirst, kMiddle, kLast, kFirstUsedAgain, kLastUsedAgain = 8 };

// What it was before one of its bits changed, where it stands.
Kind kind_before(unsigned char kind, bool within) {
  if (within) return (kind ^ kMiddle) == 4 ? kMiddle : kLast;
  return (kind ^ kFirst) == 4 ? kFirst : kWhole;
}

}  // namespace

std::size_t mend_log(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::array<char, kPageBytes> page{};
  std::size_t mended = 0;
  bool within = false;  // what was written at once goes on
  for (std::size_t start = 0; file; start += kPageBytes) {
    file.seekg(static_cast<std::streamoff>(start));
    file.read(page.data(), kPageBytes);
    const auto bytes = static_cast<std::size_t>(file.gcount());
    // Behind a wrong length is what RocksDB does not look at: it leaves the rest of the page out.
    for (std::size_t at = 0; at + kHeaderBytes <= bytes;) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(page[at + i]); };
      if (byte(kKindAt) >= kFirstUsedAgain && byte(kKindAt) <= kLastUsedAgain) {
        file.clear();
        file.seekp(static_cast<std::streamoff>(start + at + kKindAt));
        page[at + kKindAt] = static_cast<char>(kind_before(byte(kKindAt), within));
        file.put(page[at + kKindAt]);
        ++mended;
      }
      within = byte(kKindAt) == kFirst || byte(kKindAt) == kMiddle;
      at += kHeaderBytes + byte(4) + (std::size_t{byte(5)} << 8);
    }
    if (bytes < kPageBytes) break;
  }
  return mended;
}

}  // namespace arena::engine
