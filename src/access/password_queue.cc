#include "access/password_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace arena::access {

PasswordQueue::Pushed PasswordQueue::push(Entry entry, int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  Pushed pushed;
  const bool behind = suspect(entry.address, now_ms);
  if (behind) put_behind(entry.address);
  if (first_.size() + behind_.size() >= waiting_max_) {
    pushed.displaced = displace(behind);
    if (!pushed.displaced) {
      pushed.displaced = std::move(entry);
      return pushed;
    }
  }
  (behind ? behind_ : first_).push_back(std::move(entry));
  pushed.start = !std::exchange(served_, true);
  return pushed;
}

std::optional<PasswordQueue::Entry> PasswordQueue::next() {
  const std::lock_guard lock(mutex_);
  std::deque<Entry>& from = first_.empty() ? behind_ : first_;
  if (from.empty()) {
    served_ = false;
    return std::nullopt;
  }
  Entry entry = std::move(from.back());
  from.pop_back();
  return entry;
}

// Asking counts against an address until it is answered well: else a flood from few addresses would be all strangers.
bool PasswordQueue::suspect(uint64_t address, int64_t now_ms) {
  if (standings_.size() >= kAddressesMax) standings_.clear();
  Standing& standing = standings_[address];
  if (standing.right) return false;
  const bool suspect = now_ms < standing.suspect_until_ms;
  standing.suspect_until_ms = std::max(standing.suspect_until_ms, now_ms + kUnansweredMs);
  return suspect;
}

// Those of a flood's many addresses are all strangers at first, and told from the others by their second question.
void PasswordQueue::put_behind(uint64_t address) {
  const auto others = std::stable_partition(first_.begin(), first_.end(),
                                            [address](const Entry& entry) { return entry.address != address; });
  behind_.insert(behind_.end(), std::make_move_iterator(others), std::make_move_iterator(first_.end()));
  first_.erase(others, first_.end());
}

void PasswordQueue::learn(uint64_t address, bool right, int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  standings_[address] = {right, right ? 0 : now_ms + kWrongMs};
}

// The oldest suspect gives way to everybody, the oldest of the others only to their like.
std::optional<PasswordQueue::Entry> PasswordQueue::displace(bool for_suspect) {
  std::deque<Entry>& from = behind_.empty() ? first_ : behind_;
  if (from.empty() || (for_suspect && behind_.empty())) return std::nullopt;
  Entry entry = std::move(from.front());
  from.pop_front();
  return entry;
}

}  // namespace arena::access
