// A history of adds, removes and matches, chosen by the input, on the filter index and on a plain set of
// filters. Promise: after every step both say the same; when everything is removed nothing is left.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/routing/filter_index.h"
#include "check.h"
#include "input.h"
#include "message/topic.h"
#include "naive_topics.h"

using namespace arena;
using broker::FilterIndex;

namespace {

using Values = std::vector<FilterIndex::Value>;
constexpr std::string_view kTopicLevels[] = {"a", "b", "", "$s", "a-level-longer-than-fifteen-bytes"};
constexpr std::string_view kFilterLevels[] = {"a", "+", "b",  "#",
                                              "",  "+", "$s", "a-level-longer-than-fifteen-bytes"};
constexpr std::size_t kStepsMax = 300;

class Pair {
 public:
  void add(const std::string& filter, FilterIndex::Value value) {
    if (check_filter(filter)) return;
    FUZZ_CHECK(index_.add(filter, value) == entries_.emplace(fuzz::split(filter), value).second);
  }
  void remove(const std::string& filter, FilterIndex::Value value) {
    if (check_filter(filter)) return;
    FUZZ_CHECK(index_.remove(filter, value) == (entries_.erase({fuzz::split(filter), value}) > 0));
    aside_.erase({fuzz::split(filter), value});
  }
  void set_aside(const std::string& filter, FilterIndex::Value value, bool aside) {
    if (check_filter(filter)) return;
    const std::pair entry(fuzz::split(filter), value);
    FUZZ_CHECK(index_.set_aside(filter, value, aside) == entries_.contains(entry));
    if (!aside) {
      aside_.erase(entry);
    } else if (entries_.contains(entry)) {
      aside_.insert(entry);
    }
  }
  void remove_nth(std::size_t n) {
    if (entries_.empty()) return;
    const auto at = std::next(entries_.begin(), static_cast<std::ptrdiff_t>(n % entries_.size()));
    FUZZ_CHECK(index_.remove(fuzz::join(at->first), at->second));
    aside_.erase(*at);
    entries_.erase(at);
  }
  void match(const std::string& topic) const {
    if (check_topic(topic)) return;
    Values got, wanted;
    bool any = false;
    std::size_t aside = index_.match(topic, got);
    const fuzz::Split levels = fuzz::split(topic);
    for (const auto& [filter, value] : entries_) {
      if (!fuzz::matches(filter, levels)) continue;
      any = true;
      if (aside_.contains({filter, value})) {
        FUZZ_CHECK(aside-- > 0);
      } else {
        wanted.push_back(value);
      }
    }
    FUZZ_CHECK(aside == 0);
    std::sort(got.begin(), got.end());
    std::sort(wanted.begin(), wanted.end());
    FUZZ_CHECK(got == wanted);
    FUZZ_CHECK(index_.any(topic) == any);
  }
  void check_size() const { FUZZ_CHECK(index_.entries() == entries_.size()); }
  void clear() {
    while (!entries_.empty()) remove_nth(0);
    check_size();
  }

 private:
  FilterIndex index_;
  std::set<std::pair<fuzz::Split, FilterIndex::Value>> entries_;
  std::set<std::pair<fuzz::Split, FilterIndex::Value>> aside_;  // of these
};

void step(Pair& pair, fuzz::Input& input) {
  const uint8_t choice = input.byte();
  switch (choice % 8) {
    case 0:
    case 1:
    case 2:
      return pair.add(input.levels(kFilterLevels), choice / 8u);
    case 3:
      return pair.remove(input.levels(kFilterLevels), choice / 8u);
    case 4:
      return pair.remove_nth(input.byte());
    case 6:
      return pair.set_aside(input.levels(kFilterLevels), choice / 16u, choice / 8u % 2 == 0);
    case 5: {  // a crowd under one filter, past where its list changes shape
      const std::string filter = input.levels(kFilterLevels);
      const auto from = FilterIndex::Value{input.byte()};
      for (FilterIndex::Value value = from; value < from + choice / 4u; ++value) pair.add(filter, value);
      return;
    }
    default:
      return pair.match(input.levels(kTopicLevels));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Pair pair;
  for (std::size_t i = 0; i < kStepsMax && !input.empty(); ++i) {
    step(pair, input);
    pair.check_size();
  }
  for (const char* topic : {"a", "a/b", "$s/a", "/", "a/b/a"}) pair.match(topic);
  pair.clear();
  return 0;
}
