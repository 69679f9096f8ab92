// Measures the filter index: heap per subscription and time per match, with a mixed set of subscriptions such as a
// fleet of devices has. Usage: micro_filter_index [subscriptions]
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "broker/routing/filter_index.h"

namespace {

using Clock = std::chrono::steady_clock;

double nanoseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// 60 % literal, the rest with wildcards at the end, in the middle and in front; 2 % share a filter with many.
std::string filter_of(uint64_t i) {
  const std::string device = "site-" + std::to_string(i % 1000) + "/device-" + std::to_string(i);
  switch (i % 50) {
    case 0: return "site-" + std::to_string(i % 1000) + "/alarms/#";
    case 1: return "+/device-" + std::to_string(i) + "/state";
    default: break;
  }
  if (i % 10 < 6) return device + "/command";
  return i % 2 == 0 ? device + "/+/set" : device + "/#";
}

std::string topic_of(uint64_t i, std::mt19937_64& random) {
  static const char* const ends[] = {"/command", "/state", "/led/set", "/unknown"};
  return "site-" + std::to_string(i % 1000) + "/device-" + std::to_string(i) + ends[random() % 4];
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t subscriptions = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const std::size_t heap_before = mallinfo2().uordblks + mallinfo2().hblkhd;
  arena::broker::FilterIndex index;
  auto start = Clock::now();
  for (uint64_t i = 0; i < subscriptions; ++i) index.add(filter_of(i), i);
  const double add_ns = nanoseconds_since(start) / static_cast<double>(subscriptions);
  const std::size_t heap = mallinfo2().uordblks + mallinfo2().hblkhd - heap_before;

  std::mt19937_64 random(1);
  std::vector<std::string> topics;
  for (int i = 0; i < 200'000; ++i) topics.push_back(topic_of(random() % subscriptions, random));
  std::vector<double> times;
  std::vector<uint64_t> found;
  std::size_t matched = 0;
  for (const std::string& topic : topics) {
    found.clear();
    start = Clock::now();
    index.match(topic, found);
    times.push_back(nanoseconds_since(start));
    matched += found.size();
  }
  std::sort(times.begin(), times.end());
  const auto count = static_cast<double>(subscriptions);
  fmt::print("subscriptions {}  heap {:.0f} B each (own account {:.0f} B)  add {:.0f} ns\n", index.entries(),
             static_cast<double>(heap) / count, static_cast<double>(index.bytes()) / count, add_ns);
  fmt::print("match: median {:.0f} ns, p99 {:.0f} ns, {:.2f} values per topic\n", times[times.size() / 2],
             times[times.size() * 99 / 100], static_cast<double>(matched) / static_cast<double>(topics.size()));

  start = Clock::now();
  for (uint64_t i = 0; i < subscriptions; ++i) index.remove(filter_of(i), i);
  fmt::print("remove {:.0f} ns; left {} entries, {} B\n", nanoseconds_since(start) / count, index.entries(),
             index.bytes());
  return 0;
}
