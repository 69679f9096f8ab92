// What is held of requests' bodies before anybody knows who asks, or whether the rest comes: all together.
#pragma once

#include <atomic>
#include <cstddef>

namespace arena::gateway::http {

// One for the process; any core.
class Uploads {
 public:
  std::size_t bytes() const { return bytes_; }

 private:
  friend class Upload;
  std::atomic<std::size_t> bytes_{0};
};

// The share of one connection or request, given back when it goes.
class Upload {
 public:
  // So much is held freely: ordinary requests are not refused because others upload much.
  static constexpr std::size_t kSmallBytes = 16 << 10;

  explicit Upload(Uploads& all) : all_(&all) {}
  Upload(Upload&& other) noexcept;
  Upload& operator=(Upload&&) = delete;
  ~Upload() { set(0, 0); }

  // It holds `bytes` now. False: that is more than before, and all together would hold more than `max`; nothing changes. Two
  // cores at the same instant may both be given the last of it.
  bool set(std::size_t bytes, std::size_t max);

 private:
  Uploads* all_;
  std::size_t bytes_ = 0;
};

}  // namespace arena::gateway::http
