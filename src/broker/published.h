// What was published under an id, or by a producer, in one partition: so that a repetition is told from something new.
// DESIGN.md 4, "exactly once".
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/counters.h"
#include "broker/mail.h"
#include "broker/progress.h"
#include "broker/types.h"

namespace arena::broker {

// The partition's core. Rows of what is stored go into the commit of their message; what is not stored (level memory) is
// remembered as long as the process lives.
class Published {
 public:
  enum class Verdict : uint8_t {
    fresh,      // publish it; settle() or forget() follows
    repeated,   // it was published, or is being published
    conflict,
    unknown_producer,
  };
  // Where it lies; none: nowhere, or that is not known any more.
  using Place = std::optional<std::pair<LogId, uint64_t>>;

  Published(const Options& options, Counters& counters) : options_(options), counters_(counters) {}

  Verdict judge(const PublishMark& mark, int64_t now_ms);
  // It was published. stored: with its rows.
  void settle(const PublishMark& mark, Place place, bool stored);
  // It was not, and may be tried again.
  void forget(const PublishMark& mark);
  // Of what was judged repeated, and meanwhile settled. Null: it failed, or is still on its way.
  const Place* find(const PublishMark& mark) const;
  // False: of a producer that is forgotten, or has begun another epoch. An id is not forgotten before it is settled.
  bool knows(const PublishMark& mark) const;

  // The rows that go into the commit of the message, which lies at `place`, or is a last value alone.
  std::vector<engine::Operation> rows(const PublishMark& mark, Place place, int64_t now_ms);
  // That commit was refused as a whole, and will be tried again.
  void not_written(const PublishMark& mark);
  // Rows to erase with the next commit: of what was forgotten for age or for want of room.
  std::vector<engine::Operation> take_erasures();
  // That commit failed.
  void put_back(std::vector<engine::Operation> erasures);
  std::size_t bytes() const { return bytes_; }

  Status load(const std::vector<engine::KeyValue>& rows);

 private:
  // A producer's last publishes, by sequence modulo their count: repetitions of older ones get a receipt without a place.
  static constexpr std::size_t kRecent = 16;
  static constexpr std::size_t kGapsMax = 1024;

  struct Id {
    uint64_t content = 0;
    int64_t published_ms = 0;
    bool settled = false;
    bool stored = false;  // has a row
    Place place;
  };
  struct Recent {
    uint64_t sequence = 0;
    uint64_t content = 0;
    bool settled = false;
    Place place;
  };
  struct Producer {
    uint32_t epoch = 0;
    Progress taken;
    // What rows tell of it: what is taken and not stored yet must not be in them, or a crash would make it so.
    uint32_t written_epoch = 0;
    Progress written;
    std::array<Recent, kRecent> recent;
    bool stored = false;
    std::list<Hash128>::iterator used;
  };
  static constexpr std::size_t kIdBytes = sizeof(Hash128) * 2 + sizeof(Id) + 48;
  static constexpr std::size_t kProducerBytes = sizeof(Hash128) * 2 + sizeof(Producer) + 96;

  Verdict judge_id(const PublishMark& mark, int64_t now_ms);
  Verdict judge_producer(const PublishMark& mark);
  std::size_t bytes_max() const { return options_.published_bytes_max / options_.partitions; }
  void shrink(int64_t now_ms);
  void drop_oldest_id();
  void drop_idle_producer();
  bool drop_if_patchy(Producer& producer);
  void add_producer_rows(const PublishMark& mark, Place place, int64_t now_ms, std::vector<engine::Operation>& out);
  void count(std::size_t added, std::size_t removed);
  Producer& add_producer(const Hash128& key);
  Status load_id(const Hash128& key, std::string_view value);
  Status load_recent(const Hash128& key, std::string_view value);
  Status load_producer(const Hash128& key, std::string_view value);

  const Options& options_;
  Counters& counters_;
  std::map<Hash128, Id> ids_;
  std::deque<Hash128> in_order_;  // of ids_, oldest first
  std::map<Hash128, Producer> producers_;
  std::list<Hash128> by_use_;     // of producers_, the one that was idle longest first
  std::vector<engine::Operation> erasures_;
  std::size_t bytes_ = 0;
};

PublishMarkRef mark_of(const PublishKey& key, std::string_view space, std::string_view principal, const Message& message);

}  // namespace arena::broker
