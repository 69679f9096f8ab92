// A read in progress, the same for every engine: which records of the blocks it is given are wanted, and when it has
// enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/store.h"

namespace arena::engine {

// On the store's core. The request and the result are the caller's and outlive it.
class Reading {
 public:
  // `upto`: exclusive, not above the log's end. Skips what is below `start` and says so in the result.
  Reading(ReadRequest& request, ReadResult& result, uint64_t start, uint64_t upto);

  uint64_t next() const { return result_.next; }
  uint64_t upto() const { return upto_; }
  bool done() const { return ended_ || result_.next >= upto_; }
  // Takes what is wanted of a block; `base` is where it begins, `behind` where reading goes on if it is damaged.
  // False when the reading has ended.
  bool take_block(std::string_view block, uint64_t base, uint64_t behind);
  // Nothing that is wanted lies below `offset`.
  void skip_to(uint64_t offset);
  // What lies from `damaged_from`, or from here if that is later, to below `behind` cannot be read. Ends the reading; its caller
  // decides about going on.
  bool fail_at(const Error& error, uint64_t damaged_from, uint64_t behind);

 private:
  bool wants(std::string_view topic) const;
  bool take(uint64_t offset, Result<MessageRef> message);
  bool full() const { return bytes_ > request_.bytes_max || scanned_bytes_ > request_.scan_bytes_max; }

  ReadRequest& request_;
  ReadResult& result_;
  uint64_t upto_;
  std::size_t bytes_ = 0;  // of returned records
  std::size_t scanned_bytes_ = 0;
  bool ended_ = false;
};

}  // namespace arena::engine
