#include "gateway/http/event_id.h"

#include <algorithm>

#include "broker/stream/from.h"

namespace arena::gateway::http {
namespace {
constexpr std::string_view kVersion = "1:";
}  // namespace

void Reached::note(broker::LogName log, uint64_t offset) {
  for (auto& [name, reached] : places_) {
    if (name == log) {
      reached = std::max(reached, offset);
      return;
    }
  }
  places_.emplace_back(log, offset);
}

bool Reached::forget_beyond(broker::LogName log, uint64_t end) {
  return std::erase_if(places_, [&](const auto& place) { return place.first == log && place.second >= end; }) != 0;
}

std::string event_id(const std::vector<Reached>& filters) {
  std::string out(kVersion);
  for (const Reached& filter : filters) {
    if (&filter != &filters.front()) out += ';';
    for (std::size_t i = 0; i < filter.places().size(); ++i) {
      if (i != 0) out += ',';
      out += broker::to_text(filter.places()[i].first, filter.places()[i].second);
    }
  }
  return out;
}

std::optional<std::vector<Reached>> parse_event_id(std::string_view text, std::size_t filters) {
  if (!text.starts_with(kVersion)) return std::nullopt;
  text.remove_prefix(kVersion.size());
  std::vector<Reached> out;
  for (bool more = true; more;) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view one = text.substr(0, end);
    more = end != text.size();
    text.remove_prefix(std::min(end + 1, text.size()));
    if (out.size() == filters) return std::nullopt;
    if (one.empty()) {
      out.emplace_back();
      continue;
    }
    // What else a place can be ("earliest", an age) is no position.
    const auto from = broker::parse_from(one, 0);
    if (!from || from->kind != broker::ReplayFrom::Kind::after) return std::nullopt;
    // Of a log that is named twice, the furthest.
    Reached& reached = out.emplace_back();
    for (const auto& [log, offset] : from->after) reached.note(log, offset);
  }
  if (out.size() != filters) return std::nullopt;
  return out;
}

}  // namespace arena::gateway::http
