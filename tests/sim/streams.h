// The judge of named streams and of replays: what each stream has stored, as the disk shows it, and what replays make of it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/stream/stream.h"
#include "engine/store.h"
#include "message/message.h"

namespace arena::sim {

// One replay of one connection, as its client knows it.
struct ReplayView {
  enum class Kind : uint8_t { earliest, latest, offset, age, after };
  // How far it is in one log.
  struct Place {
    uint64_t next = 0;       // nothing that lies below may come
    uint64_t owed_from = 0;  // everything from here on must
    bool begun = false;      // something came: `next` is exact
    std::optional<uint64_t> asked;  // where it was to begin, whether that is there or not
    bool gap_owed = false;   // what it asked for was gone
  };
  std::string client;
  std::string name;          // what to unsubscribe from
  std::string filter;
  Kind kind = Kind::earliest;
  uint64_t offset = 0;
  int64_t age_ms = 0;
  std::map<engine::LogName, uint64_t> after;
  Guarantee granted = Guarantee::at_most_once;
  bool answered = false;
  bool leaving = false;      // asked to end: nothing is owed
  bool over = false;         // with its answer, or its connection
  int64_t since_min_ms = INT64_MIN;  // of age: nothing older may come
  int64_t since_max_ms = INT64_MIN;  // ... and what is not older than this must
  std::map<engine::LogName, Place> places;
  std::vector<std::size_t> without_place;  // messages that came without a position
};

struct Replayed {
  std::string_view topic;
  std::string_view payload;
  Guarantee guarantee = Guarantee::at_most_once;
  std::string_view position;  // empty: it says none
};

class StreamJudge {
 public:
  using Fail = std::function<void(const std::string&)>;
  explicit StreamJudge(Fail fail) : fail_(std::move(fail)) {}

  // Shows every stream's logs as they are now: calls note() for each.
  std::function<void()> look;
  std::function<int64_t()> wall_ms;

  // ---- what the operator does ----
  void creating(const broker::StreamConfig& config, int64_t now_ms);
  void created(const std::string& name, bool good, int64_t now_ms);
  void deleting(const std::string& name, bool whole, int64_t now_ms);  // a purge, or a removal
  void deleted(const std::string& name, bool whole, bool good, int64_t now_ms);
  // The operator hears no answer to what was under way; `table` is what came back.
  void crashed(const broker::StreamTable& table, int64_t now_ms);
  void clock_jumped() { jumped_ = true; }

  // ---- what the disk holds ----
  // From which offset on its records are to be told.
  // `start`: the first that is there; `first`: the first that is shown.
  uint64_t note(engine::LogName log, uint64_t start, uint64_t first, uint64_t end);
  void note_stored(engine::LogName log, const std::vector<engine::Record>& records);
  void know(const broker::StreamTable& table);
  void check_retention();  // when all are told

  // ---- what clients do and get ----
  ReplayView& ask(ReplayView view);
  void granted(ReplayView& view, Guarantee guarantee);
  void refused(const ReplayView& view, bool no_stream, int64_t asked_ms);
  void received(ReplayView& view, const Replayed& got);
  // A position names one message, to everybody.
  void names(const std::string& client, std::string_view position, std::string_view topic, std::string_view payload);
  // Stored for certain, if a stream captures it for certain since before it was sent.
  void must_be_captured(std::size_t index, std::string_view topic, int64_t sent_ms, const std::string& why);
  // May an operator have deleted it before everybody had it?
  bool may_be_deleted(std::string_view topic, int64_t sent_ms) const;
  // Was it ever in a stream, or may it have been?
  void check_end(const std::function<bool(std::size_t)>& sent_once);

  uint64_t replayed() const { return replayed_; }
  uint64_t gaps() const { return gaps_; }

 private:
  struct Stored {
    bool known = false;  // false: deleted before anybody looked
    std::size_t index = SIZE_MAX;
    std::string topic;
    Guarantee guarantee = Guarantee::at_most_once;
    int64_t published_ms = 0;
    bool expires = false;
  };
  struct LogTruth {
    uint64_t first = 0;        // as it is now
    uint64_t first_ever = 0;   // the highest it ever was
    std::vector<Stored> records;  // by offset
  };
  struct Known {
    broker::StreamConfig config;
    std::optional<broker::LogId> log;
    int64_t certain_ms = INT64_MAX;  // captured for certain from then on
    bool leaving = false;            // its removal was asked for
    bool purged = false;             // ... or a purge
    bool gone = false;
  };
  struct Deletion {
    std::vector<std::string> filters;
    std::string name;
    bool whole = false;
    std::map<engine::LogName, uint64_t> ends;  // of the stream's logs, when it was asked for
    int64_t upto_ms = INT64_MAX;
    bool done = false;  // its operator was told so
  };

  bool captures(const Known& known, std::string_view topic) const;
  Known* of(broker::LogId log);
  ReplayView::Place& place_of(ReplayView& view, engine::LogName log);
  uint64_t start_of(const ReplayView& view, engine::LogName log, const LogTruth& truth, std::optional<uint64_t>* asked) const;
  bool owed(const ReplayView& view, const ReplayView::Place& place, const Stored& stored) const;
  bool check_passed_over(ReplayView& view, engine::LogName log, ReplayView::Place& place, uint64_t upto);
  void gap(ReplayView& view, const Replayed& got);
  void check_purged(const Deletion& deletion);
  void check_end(const ReplayView& view);

  Fail fail_;
  bool jumped_ = false;
  uint64_t replayed_ = 0;
  uint64_t gaps_ = 0;
  std::map<std::string, Known> streams_;  // by name: each is given out once
  std::map<engine::LogName, LogTruth> logs_;
  std::map<broker::LogId, std::set<std::size_t>> held_;  // every message a stream was seen to hold
  std::vector<Deletion> deletions_;
  std::map<std::string, std::string, std::less<>> named_;  // position -> topic and message
  std::deque<ReplayView> replays_;
};

}  // namespace arena::sim
