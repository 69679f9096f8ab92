// What one core's broker counts. Written by its core only; read by others for metrics, so relaxed atomics that are
// bumped without a locked instruction.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace arena::broker {

class Counter {
 public:
  void add(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void sub(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed); }
  void set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Why a message did not reach a subscriber, or a publisher was refused.
enum class Drop : uint8_t {
  expired,
  queue_full,        // at_most_once over the session's bound: the oldest
  queue_full_newest, // ... or the newest, where that is the policy
  superseded,        // at_most_once: a newer one of its topic came while it waited
  offline,           // at_most_once to a session without a connection
  unfit,             // larger than the subscriber takes
  denied_delivery,   // the policy no longer lets the subscriber read the topic
  denied_publish,
  quota_publish,
  conflict,          // published under an id that was used for something else
  unknown_producer,  // of a producer that is not known here, or not any more
  no_member,         // a shared group without anyone to take it
  trimmed,           // gone from the log before the cursor got there; offsets, whatever their topic
  damaged,           // unreadable in the log; offsets, whatever their topic
  session_ended,     // unsettled when its session ended
};
inline constexpr std::size_t kDrops = 15;
inline constexpr const char* kDropNames[kDrops] = {
    "expired",        "queue_full",    "queue_full_newest", "superseded", "offline", "unfit",        "denied_delivery",
    "denied_publish", "quota_publish", "conflict",          "unknown_producer", "no_member", "trimmed",  "damaged", "session_ended"};

struct Counters {
  Counter published;             // accepted from publishers
  Counter published_bytes;       // payloads
  Counter delivered;             // handed to a sink
  Counter delivered_bytes;
  Counter redelivered;
  Counter stored;                // records written to the log
  Counter sessions;              // existing here
  Counter sessions_connected;
  Counter sessions_opened;       // ever
  Counter sessions_expired;
  Counter takeovers;
  Counter queued_bytes;          // waiting in memory for the sessions here
  Counter slow_disconnected;     // sessions whose queue was full of what may not be dropped
  Counter subscriptions;
  Counter subscriptions_refused; // more than a session may have
  Counter shared_subscriptions;
  Counter retained;              // last values held here
  Counter retained_bytes;
  Counter wills_sent;
  Counter inbox_bytes;
  Counter stream_bytes;
  Counter published_keys_bytes;  // remembered of ids and producers
  Counter published_keys_cut;    // forgotten before their time, for want of room
  Counter duplicates;            // publishes that had been taken before
  Counter replay_gaps;           // told to replays
  Counter groups;
  Counter log_reads;
  Counter seams_lost;            // a live session fell back to reading the log
  Counter drops[kDrops];

  void drop(Drop reason, uint64_t n = 1) { drops[static_cast<std::size_t>(reason)].add(n); }
};

}  // namespace arena::broker
