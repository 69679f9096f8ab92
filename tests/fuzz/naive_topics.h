// What MQTT 4.7 says about topics and filters, in the plainest way: split into levels, then compare. Shares
// no code with message/topic.cc, which is held against it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace arena::fuzz {

using Split = std::vector<std::string>;

inline Split split(std::string_view text) {
  Split out{""};
  for (const char c : text) {
    if (c == '/') {
      out.emplace_back();
    } else {
      out.back().push_back(c);
    }
  }
  return out;
}

inline std::string join(const Split& levels) {
  std::string out;
  for (std::size_t i = 0; i < levels.size(); ++i) out += (i > 0 ? "/" : "") + levels[i];
  return out;
}

inline bool is_reserved(const std::string& level) {
  return level.starts_with('$');
}

inline bool matches(const Split& filter, const Split& topic) {
  if ((filter[0] == "+" || filter[0] == "#") && is_reserved(topic[0])) return false;
  std::size_t i = 0;
  for (; i < filter.size(); ++i) {
    if (filter[i] == "#") return topic.size() >= i;
    if (i >= topic.size() || (filter[i] != "+" && filter[i] != topic[i])) return false;
  }
  return topic.size() == i;
}
inline bool matches(std::string_view filter, std::string_view topic) {
  return matches(split(filter), split(topic));
}

// The filter with its '#', if it has one, spelt as no level and as one, two ... levels of '+', up to `depth`
// in all.
inline std::vector<Split> spelt_out(const Split& filter, std::size_t depth) {
  if (filter.back() != "#") return {filter};
  std::vector<Split> out;
  Split one(filter.begin(), filter.end() - 1);
  for (; one.size() <= depth; one.emplace_back("+")) {
    // Neither "no level" nor one empty level is a topic.
    if (!one.empty() && !(one.size() == 1 && one[0].empty())) out.push_back(one);
  }
  return out;
}

// A filter is covered when the topics that take it at its word are: a name that stands nowhere else for each
// '+'.
inline bool covers(const Split& outer, const Split& inner) {
  for (Split topic : spelt_out(inner, std::max(outer.size(), inner.size()) + 1)) {
    std::replace(topic.begin(), topic.end(), std::string("+"), std::string("\x01"));
    if (!matches(outer, topic)) return false;
  }
  return true;
}

inline bool meet(const std::string& a, const std::string& b, bool first) {
  if (a == "+") return !(first && is_reserved(b));
  if (b == "+") return !(first && is_reserved(a));
  return a == b;
}

inline bool intersect(const Split& a, const Split& b) {
  const std::size_t depth = std::max(a.size(), b.size()) + 1;
  for (const Split& x : spelt_out(a, depth)) {
    for (const Split& y : spelt_out(b, depth)) {
      bool all = x.size() == y.size();
      for (std::size_t i = 0; all && i < x.size(); ++i) all = meet(x[i], y[i], i == 0);
      if (all) return true;
    }
  }
  return false;
}

}  // namespace arena::fuzz
