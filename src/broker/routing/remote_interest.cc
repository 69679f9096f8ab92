#include "broker/routing/remote_interest.h"

#include "base/hash.h"
#include "base/sparse.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

constexpr uint64_t bit(uint64_t core) { return uint64_t{1} << core; }

}  // namespace

void RemoteInterest::add(std::string_view filter, unsigned core) {
  matched_.forget();
  if (has_wildcard(filter)) {
    wildcards_.add(filter, core);
    return;
  }
  const uint64_t hash = StringHash{}(filter);
  uint64_t& cores = literals_[hash];
  if ((cores & bit(core)) != 0) repeated_.emplace(hash, core);
  cores |= bit(core);
}

void RemoteInterest::remove(std::string_view filter, unsigned core) {
  matched_.forget();
  if (has_wildcard(filter)) {
    wildcards_.remove(filter, core);
  } else {
    remove_literal(StringHash{}(filter), core);
  }
}

void RemoteInterest::remove_literal(uint64_t hash, unsigned core) {
  if (const auto again = repeated_.find({hash, core}); again != repeated_.end()) {
    repeated_.erase(again);
    return;
  }
  const auto at = literals_.find(hash);
  if (at == literals_.end()) return;
  at->second &= ~bit(core);
  if (at->second != 0) return;
  literals_.erase(at);
  shrink_if_sparse(literals_);
}

uint64_t RemoteInterest::match(std::string_view topic) {
  if (const uint64_t* known = matched_.find(topic)) return *known;
  uint64_t cores = 0;
  if (const auto at = literals_.find(StringHash{}(topic)); at != literals_.end()) cores = at->second;
  matches_.clear();
  wildcards_.match(topic, matches_);
  for (const FilterTrie::Value core : matches_) cores |= bit(core);
  return matched_.keep(topic) = cores;
}

}  // namespace arena::broker
