// How far a store was acknowledged: the file "high-water" of its folder, two marks that are written in turn, each in a
// sector of its own, so that one is always whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"

namespace arena::engine {

class HighWater {
 public:
  struct Mark {
    std::optional<uint64_t> sequence;  // of RocksDB; none: no mark is whole
    bool is_blank = false;             // with none: there is nothing in the file, or there is no file
    std::string fault;                 // what is not as it should be; empty: nothing
  };

  explicit HighWater(std::string path) : path_(std::move(path)) {}
  ~HighWater();
  HighWater(HighWater&& other) noexcept;
  HighWater& operator=(HighWater&&) = delete;

  // The file may be missing, unless it is `made`. Blocks, as all of it.
  Status open(bool made);
  Result<Mark> read() const;
  // By one thread at a time. On disk when it returns.
  Status set(uint64_t sequence);
  // Whatever was marked before, damaged or higher, is forgotten, in one step. The folder is not synced.
  Status reset(uint64_t sequence);

 private:
  std::string path_;
  int fd_ = -1;
  uint64_t count_ = 0;  // of marks that were written; 0: not looked at yet
};

// The mark of a store's folder as a file of its own in `target`; as it is when no mark is whole, and none when there is none.
Status write_copied_mark(const std::string& path, const std::string& target);

}  // namespace arena::engine
