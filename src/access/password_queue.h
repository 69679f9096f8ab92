// The password verifications of the process that wait for the one thread that hashes. Bounded, and in an order that
// lets a stranger in while others guess: docs/decisions/0006.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

namespace arena::access {

struct Verification;

// First come those from addresses that are not known for guessing, the newest first: during a flood the others would
// have given up before their turn. Then the rest, the newest first. An address that asks again before it has an answer
// takes behind what it asked before. Shared by all cores; off the message path.
class PasswordQueue {
 public:
  static constexpr int64_t kUnansweredMs = 3'000;  // an address that asks again before it has an answer goes behind
  static constexpr int64_t kWrongMs = 60'000;      // so does one that was wrong, for so long
  static constexpr std::size_t kAddressesMax = 65'536;  // remembered; then all are forgotten

  explicit PasswordQueue(std::size_t waiting_max) : waiting_max_(waiting_max) {}

  struct Entry {
    std::shared_ptr<Verification> verification;
    unsigned core = 0;     // where its answer goes
    uint64_t address = 0;  // of the peer
  };
  struct Pushed {
    bool start = false;             // nobody serves the queue: the caller does
    std::optional<Entry> displaced;  // the queue is full, and this one is not going to be verified
  };
  Pushed push(Entry entry, int64_t now_ms);
  // The next to be verified. None: the queue is not served any more until a push says `start`.
  std::optional<Entry> next();
  void learn(uint64_t address, bool right, int64_t now_ms);

 private:
  struct Standing {
    bool right = false;        // it was, the last time
    int64_t suspect_until_ms = 0;
  };
  bool suspect(uint64_t address, int64_t now_ms);
  void put_behind(uint64_t address);
  std::optional<Entry> displace(bool for_suspect);

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::deque<Entry> first_;
  std::deque<Entry> behind_;
  bool served_ = false;
  boost::unordered_flat_map<uint64_t, Standing> standings_;
};

}  // namespace arena::access
