#include "sim/streams.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "message/topic.h"
#include "sim/oracle.h"
#include "sim/properties.h"

namespace arena::sim {
namespace {

using engine::LogName;

constexpr int64_t kDisorderMs = 5'000;   // messages of one log are about in the order of their times
constexpr int64_t kRetentionMs = 3'000;  // how soon it is at work

std::string text(LogName log, uint64_t offset) {
  return std::to_string(static_cast<uint32_t>(log.log)) + "." + std::to_string(log.partition) + "." + std::to_string(offset);
}

// "0.<log>.<partition>.<offset>"
std::optional<std::pair<LogName, uint64_t>> parse_position(std::string_view position) {
  std::array<uint64_t, 4> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t dot = std::min(position.find('.'), position.size());
    const auto [end, fault] = std::from_chars(position.data(), position.data() + dot, parts[i]);
    if (dot == 0 || fault != std::errc{} || end != position.data() + dot) return std::nullopt;
    position.remove_prefix(std::min(dot + 1, position.size()));
  }
  if (parts[0] != 0 || !position.empty()) return std::nullopt;
  return std::pair(LogName{static_cast<engine::PartitionId>(parts[2]), static_cast<engine::LogId>(parts[1])}, parts[3]);
}

// The number that follows `"key":`.
std::optional<uint64_t> number_in(std::string_view json, std::string_view key) {
  const std::size_t at = json.find("\"" + std::string(key) + "\":");
  if (at == std::string_view::npos) return std::nullopt;
  uint64_t value = 0;
  const char* from = json.data() + at + key.size() + 3;
  if (std::from_chars(from, json.data() + json.size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

}  // namespace

// ---- what the operator does ----

bool StreamJudge::captures(const Known& known, std::string_view topic) const {
  return std::any_of(known.config.filters.begin(), known.config.filters.end(),
                     [&](const std::string& filter) { return filter_matches(filter, topic); });
}

StreamJudge::Known* StreamJudge::of(broker::LogId log) {
  for (auto& [name, known] : streams_) {
    if (known.log == log) return &known;
  }
  return nullptr;
}

void StreamJudge::creating(const broker::StreamConfig& config, int64_t) { streams_[config.name].config = config; }

void StreamJudge::created(const std::string& name, bool good, int64_t now_ms) {
  if (good && !streams_[name].leaving) streams_[name].certain_ms = now_ms;
}

void StreamJudge::deleting(const std::string& name, bool whole, int64_t) {
  Known& known = streams_[name];
  (whole ? known.leaving : known.purged) = true;
  deletions_.push_back({known.config.filters, name, whole, {}, INT64_MAX});
  for (const auto& [log, truth] : logs_) {
    if (known.log == log.log) deletions_.back().ends[log] = truth.records.size();
  }
}

void StreamJudge::deleted(const std::string& name, bool whole, bool good, int64_t now_ms) {
  look();
  for (Deletion& deletion : deletions_) {
    if (deletion.name != name || deletion.whole != whole || deletion.upto_ms != INT64_MAX) continue;
    deletion.upto_ms = now_ms;
    deletion.done = good;
    check_purged(deletion);
    break;  // they are answered in the order of the questions
  }
  if (whole && good) streams_[name].gone = true;
}

void StreamJudge::check_purged(const Deletion& deletion) {
  for (const auto& [log, end] : deletion.ends) {
    const bool shown = deletion.done && !deletion.whole && logs_[log].first < end;
    if (shown) fail_("the stream " + deletion.name + " was purged and still shows " + text(log, logs_[log].first));
  }
}

void StreamJudge::crashed(const broker::StreamTable& table, int64_t now_ms) {
  for (Deletion& deletion : deletions_) deletion.upto_ms = std::min(deletion.upto_ms, now_ms);
  for (auto& [name, known] : streams_) {
    const bool there = table.find(name) != nullptr;
    if (!there && known.certain_ms != INT64_MAX && !known.leaving) fail_("the stream " + name + " is gone after a crash");
    if (there && known.gone) fail_("the removed stream " + name + " is back after a crash");
    if (!there) {
      known.certain_ms = INT64_MAX;
      known.gone = true;
    } else if (known.certain_ms == INT64_MAX || known.leaving) {
      known.certain_ms = now_ms;
      known.leaving = false;
    }
  }
  look();
  for (const Deletion& deletion : deletions_) {
    if (!streams_[deletion.name].gone) check_purged(deletion);
  }
}

void StreamJudge::know(const broker::StreamTable& table) {
  for (const broker::Stream& stream : table.all()) {
    Known& known = streams_[stream.config.name];
    if (known.log && *known.log != stream.log) fail_("the stream " + stream.config.name + " has another log");
    if (!known.log) {
      for (const auto& [name, other] : streams_) {
        if (other.log == stream.log) fail_("the stream " + stream.config.name + " has the log that " + name + " had");
      }
    }
    known.log = stream.log;
  }
}

// ---- what the disk holds ----

uint64_t StreamJudge::note(LogName log, uint64_t start, uint64_t first, uint64_t end) {
  if (first < start) fail_("the log " + text(log, first) + " shows what is not there any more");
  LogTruth& truth = logs_[log];
  const uint64_t seen = truth.records.size();
  if (end < seen) fail_("the log " + text(log, seen) + " has become shorter");
  const Known* known = of(log.log);
  const bool may_move = known == nullptr || known->purged || known->leaving || known->gone || known->config.retention != broker::Retention{};
  if (first != 0 && !may_move) fail_("the log " + text(log, first) + " has lost its beginning");
  truth.first = first;
  truth.first_ever = std::max(truth.first_ever, first);
  if (truth.records.size() < end) truth.records.resize(end);
  return seen;
}

void StreamJudge::note_stored(LogName log, const std::vector<engine::Record>& records) {
  LogTruth& truth = logs_[log];
  for (const engine::Record& record : records) {
    Stored& stored = truth.records[record.offset];
    stored.known = true;
    stored.index = Oracle::index_of(name_of(*record.message));
    stored.topic = record.message->topic;
    stored.guarantee = record.message->guarantee;
    stored.published_ms = record.message->published_ms;
    stored.expires = record.message->expires_ms != 0 && record.message->expires_ms - record.message->published_ms < int64_t{kForeverS} * 1000;
    held_[log.log].insert(stored.index);
    const Known* known = of(log.log);
    if (known != nullptr && !captures(*known, stored.topic)) fail_("the stream " + known->config.name + " holds " + stored.topic);
  }
}

// Not more may be hidden than is said.
void StreamJudge::check_retention() {
  for (const auto& [name, known] : streams_) {
    if (!known.log || known.purged || known.leaving || known.gone) continue;
    uint64_t visible = 0;
    uint64_t ever = 0;
    for (const auto& [log, truth] : logs_) {
      if (log.log != *known.log) continue;
      visible += truth.records.size() - truth.first;
      ever += truth.records.size();
      if (known.config.retention.age_ms == 0 || truth.first == 0 || jumped_) continue;
      const Stored& youngest = truth.records[truth.first - 1];
      if (youngest.known && youngest.published_ms > wall_ms() - known.config.retention.age_ms + kDisorderMs) {
        fail_("the stream " + name + " hides what is too young: " + text(log, truth.first - 1));
      }
    }
    const uint64_t most = known.config.retention.messages;
    if (most != 0 && visible < std::min(most, ever)) {
      fail_("the stream " + name + " shows " + std::to_string(visible) + " messages and shall " + std::to_string(most));
    }
  }
}

// ---- what clients do and get ----

ReplayView& StreamJudge::ask(ReplayView view) {
  look();
  replays_.push_back(std::move(view));
  ReplayView& asked = replays_.back();
  if (asked.kind == ReplayView::Kind::age) asked.since_min_ms = wall_ms() - asked.age_ms;
  asked.since_max_ms = asked.kind == ReplayView::Kind::age ? INT64_MAX : INT64_MIN;
  for (const auto& [log, truth] : logs_) {
    ReplayView::Place place;
    place.next = start_of(asked, log, truth, &place.asked);
    place.gap_owed = place.asked && *place.asked < truth.first;
    place.owed_from = UINT64_MAX;
    asked.places[log] = place;
  }
  return asked;
}

uint64_t StreamJudge::start_of(const ReplayView& view, LogName log, const LogTruth& truth, std::optional<uint64_t>* asked) const {
  const uint64_t end = truth.records.size();
  switch (view.kind) {
    case ReplayView::Kind::latest: return end;
    case ReplayView::Kind::offset:
      *asked = view.offset;
      return std::clamp(view.offset, truth.first, end);
    case ReplayView::Kind::after: {
      if (view.after.empty()) return truth.first;  // it has seen nothing, and asks for the earliest
      const auto seen = view.after.find(log);
      *asked = seen == view.after.end() ? 0 : seen->second + 1;  // of one that is not named nothing was seen
      return std::clamp(**asked, truth.first, end);
    }
    default: return truth.first;
  }
}

void StreamJudge::granted(ReplayView& view, Guarantee guarantee) {
  look();
  view.answered = true;
  view.granted = guarantee;
  if (view.kind == ReplayView::Kind::age) view.since_max_ms = wall_ms() - view.age_ms;
  for (const auto& [log, truth] : logs_) {
    const auto known = view.places.try_emplace(log).first;
    // A log that came up while it was asked for is read from its beginning, or from where it was asked for.
    // What was hidden may show again for a moment behind a crash, and the answer may be of before.
    known->second.owed_from = std::max(start_of(view, log, truth, &known->second.asked), truth.first_ever);
  }
}

void StreamJudge::refused(const ReplayView& view, bool no_stream, int64_t asked_ms) {
  if (!no_stream) return;
  for (const auto& [name, known] : streams_) {
    if (known.certain_ms >= asked_ms || known.leaving || known.gone) continue;
    for (const std::string& filter : known.config.filters) {
      if (filters_intersect(filter, view.filter)) {
        return fail_(view.client + " was told that no stream has " + view.filter + ", and " + name + " has");
      }
    }
  }
}

// A log that is new since the answer is read from its beginning.
ReplayView::Place& StreamJudge::place_of(ReplayView& view, LogName log) {
  return view.places.try_emplace(log).first->second;
}

bool StreamJudge::owed(const ReplayView& view, const ReplayView::Place& place, const Stored& stored) const {
  if (!stored.known || stored.expires || !filter_matches(view.filter, stored.topic)) return false;
  if (Oracle::is_ruled(stored.topic)) return false;
  if (view.kind != ReplayView::Kind::age) return true;
  return stored.published_ms >= view.since_max_ms && (!jumped_ || place.begun);
}

// Nothing between what came last and `upto` may have been left out.
bool StreamJudge::check_passed_over(ReplayView& view, LogName log, ReplayView::Place& place, uint64_t upto) {
  const LogTruth& truth = logs_[log];
  // What a removal takes goes without a word.
  if (const Known* known = of(log.log); known != nullptr && (known->leaving || known->gone)) return true;
  const uint64_t from = place.begun ? place.next : std::max(place.next, place.owed_from);
  for (uint64_t offset = from; offset < upto && offset < truth.records.size(); ++offset) {
    const Stored& stored = truth.records[offset];
    if (!owed(view, place, stored)) continue;
    fail_(view.client + "'s replay " + view.name + " left out m" + std::to_string(stored.index) + " at " + text(log, offset));
    return false;
  }
  return true;
}

void StreamJudge::names(const std::string& client, std::string_view position, std::string_view topic, std::string_view payload) {
  const auto place = parse_position(position);
  if (!place) return fail_(client + " was given the position '" + std::string(position) + "'");
  const std::string message = std::string(topic) + " m" + std::to_string(Oracle::index_of(payload));
  const auto [known, fresh] = named_.try_emplace(std::string(position), message);
  if (!fresh && known->second != message) fail_(client + " received " + message + " at " + std::string(position) + ", where others had " + known->second);
  const auto& [log, offset] = *place;
  if (log.log == engine::LogId::inbox) return;
  look();
  LogTruth& truth = logs_[log];
  if (offset >= truth.records.size()) return fail_(client + " received " + message + " at " + std::string(position) + ", beyond the end of the log");
  const Stored& stored = truth.records[offset];
  if (stored.known && (stored.topic != topic || stored.index != Oracle::index_of(payload))) {
    fail_(client + " received " + message + " at " + std::string(position) + ", where m" + std::to_string(stored.index) + " is stored");
  }
}

void StreamJudge::received(ReplayView& view, const Replayed& got) {
  ++replayed_;
  if (view.over) return fail_(view.client + " received of the replay " + view.name + ", which is over");
  if (got.topic.starts_with("$gap/")) return gap(view, got);
  const std::string what = view.client + "'s replay " + view.name + " gave m" + std::to_string(Oracle::index_of(got.payload));
  if (!filter_matches(view.filter, got.topic)) return fail_(what + " to " + std::string(got.topic));
  if (got.position.empty()) {
    view.without_place.push_back(Oracle::index_of(got.payload));
    return;
  }
  names(view.client, got.position, got.topic, got.payload);
  const auto position = parse_position(got.position);
  if (!position) return;
  const auto& [log, offset] = *position;
  if (offset >= logs_[log].records.size()) return;
  ReplayView::Place& place = place_of(view, log);
  const Stored& stored = logs_[log].records[offset];
  if (offset < place.next) {
    return fail_(what + " at " + text(log, offset) + (place.begun ? " again, or too late" : ", which lies before where it begins"));
  }
  const Known* known = of(log.log);
  if (place.gap_owed && known != nullptr && !known->leaving && !known->gone) fail_(what + " at " + text(log, offset) + " without telling what was gone before");
  if (stored.known && !jumped_ && stored.published_ms < view.since_min_ms) fail_(what + ", which is too old");
  if (stored.known && view.answered && got.guarantee != std::min(stored.guarantee, view.granted)) {
    fail_(what + " at guarantee " + std::to_string(static_cast<int>(got.guarantee)));
  }
  check_passed_over(view, log, place, offset);
  place.next = offset + 1;
  place.begun = true;
  place.gap_owed = false;
}

void StreamJudge::gap(ReplayView& view, const Replayed& got) {
  ++gaps_;
  const auto known = streams_.find(std::string(got.topic.substr(5)));
  const auto partition = number_in(got.payload, "partition");
  const auto missing = number_in(got.payload, "missing");
  const auto next = number_in(got.payload, "next");
  if (known == streams_.end() || !partition || !missing || !next || *missing == 0 || *missing > *next) {
    return fail_(view.client + " was told of a gap that makes no sense: " + std::string(got.topic) + " " + std::string(got.payload));
  }
  look();
  if (!known->second.log) return fail_(view.client + " was told of a gap in " + known->first + ", which is not there");
  const LogName log{static_cast<engine::PartitionId>(*partition), *known->second.log};
  const uint64_t from = *next - *missing;
  ReplayView::Place& place = place_of(view, log);
  const std::string what = view.client + " was told of a gap from " + text(log, from) + " to " + std::to_string(*next);
  if (*next > logs_[log].first_ever) return fail_(what + " and all of that is there");
  if (!place.begun && place.asked ? from != *place.asked && from < place.next : from < place.next) {
    return fail_(what + " and had " + std::to_string(place.next) + " to come");
  }
  check_passed_over(view, log, place, from);
  place.next = *next;
  place.begun = true;
  place.gap_owed = false;
}

void StreamJudge::must_be_captured(std::size_t index, std::string_view topic, int64_t sent_ms, const std::string& why) {
  for (const auto& [name, known] : streams_) {
    if (known.certain_ms >= sent_ms || known.leaving || known.gone || !captures(known, topic)) continue;
    look();
    if (!known.log || held_[*known.log].contains(index)) return;
    for (const auto& [log, truth] : logs_) {  // it may be what was deleted before anybody looked
      const auto unknown = [](const Stored& stored) { return !stored.known; };
      if (log.log == *known.log && std::any_of(truth.records.begin(), truth.records.end(), unknown)) return;
    }
    return fail_("m" + std::to_string(index) + " " + why + ", and the stream " + name + " does not hold it");
  }
}

bool StreamJudge::may_be_deleted(std::string_view topic, int64_t sent_ms) const {
  return std::any_of(deletions_.begin(), deletions_.end(), [&](const Deletion& deletion) {
    const auto matches = [&](const std::string& filter) { return filter_matches(filter, topic); };
    return sent_ms <= deletion.upto_ms && std::any_of(deletion.filters.begin(), deletion.filters.end(), matches);
  });
}

// Retention has done its work, and who still replays has everything.
void StreamJudge::check_end(const std::function<bool(std::size_t)>& sent_once) {
  look();
  for (const auto& [name, known] : streams_) {
    if (!known.log || known.leaving || known.gone || known.certain_ms == INT64_MAX) continue;
    uint64_t visible = 0;
    for (const auto& [log, truth] : logs_) {
      if (log.log != *known.log) continue;
      visible += truth.records.size() - truth.first;
      if (known.config.retention.age_ms == 0 || truth.first == truth.records.size() || jumped_) continue;
      const Stored& oldest = truth.records[truth.first];
      if (oldest.known && oldest.published_ms < wall_ms() - known.config.retention.age_ms - kRetentionMs - kDisorderMs) {
        fail_("the stream " + name + " shows what is too old: " + text(log, truth.first));
      }
    }
    const uint64_t most = known.config.retention.messages;
    if (most != 0 && visible > most) {
      fail_("the stream " + name + " shows " + std::to_string(visible) + " messages and shall " + std::to_string(most) + " at most");
    }
  }
  for (const ReplayView& view : replays_) {
    // Captured means stored, and replays tell where.
    for (const std::size_t index : view.without_place) {
      const auto holds = [&](const auto& held) { return held.second.contains(index); };
      if (sent_once(index) && std::any_of(held_.begin(), held_.end(), holds)) {
        fail_(view.client + "'s replay " + view.name + " gave m" + std::to_string(index) + " without its position");
      }
    }
    if (view.answered && !view.over && !view.leaving) check_end(view);
  }
}

void StreamJudge::check_end(const ReplayView& view) {
  ReplayView last = view;
  for (const auto& [log, truth] : logs_) {
    const Known* known = of(log.log);
    if (known == nullptr || known->leaving || known->gone) continue;
    ReplayView::Place& place = place_of(last, log);
    const bool reached = std::any_of(known->config.filters.begin(), known->config.filters.end(),
                                     [&](const std::string& filter) { return filters_intersect(filter, view.filter); });
    if (!reached) continue;
    check_passed_over(last, log, place, truth.records.size());
  }
}

}  // namespace arena::sim
