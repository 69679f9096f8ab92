// Declares, changes and removes streams, and keeps them within their retention. Lives on the core that owns partition 0,
// where streams are stored; one change is made at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_function.h"
#include "broker/stream/stream.h"
#include "runtime/loop.h"

namespace arena::broker {

class Shard;

struct StreamInfo {
  Stream stream;
  StreamUsage usage;
  bool full = false;  // over its budget: publishes to it are refused
};

class StreamRegistry {
 public:
  template <typename T>
  using Done = UniqueFunction<void(Result<T>)>;

  explicit StreamRegistry(Shard& shard);
  StreamRegistry(const StreamRegistry&) = delete;
  StreamRegistry& operator=(const StreamRegistry&) = delete;

  // Recovery: the highest log id that was ever given out.
  void restore(uint32_t last_log) { last_log_ = last_log; }
  // Begins to keep streams within their retention.
  void start();
  // Much has been written: they are looked at soon.
  void hurry();

  // Every one answers when all cores know: what is published afterwards is captured, or is not any more.
  void create(StreamConfig config, Done<Stream> done);
  // Of the stream of that name; its filters cannot be changed.
  void edit(StreamConfig config, Done<Stream> done);
  // Deletes its messages, also those that sessions wait for.
  void purge(std::string name, Done<Unit> done);
  // Purges and forgets it.
  void remove(std::string name, Done<Unit> done);
  void list(UniqueFunction<void(std::vector<StreamInfo>)> done);

  // Of its core.
  Shard& shard() { return shard_; }

 private:
  struct Holding {
    LogName log;
    StreamUsage usage;
  };
  using Holdings = std::vector<Holding>;
  static StreamUsage total(const Holdings& holdings, LogId log);

  void enqueue(UniqueFunction<void()> change);
  void run_next();
  // Answers with what it is called with, then lets the next change begin.
  template <typename T>
  auto answering(Done<T> done) {
    return [this, done = std::move(done)](Result<T> result) mutable {
      done(std::move(result));
      start();
      changing_ = false;
      run_next();
    };
  }
  StreamTableRef with(const Stream& stream) const;
  StreamTableRef without(std::string_view name) const;
  void store(const Stream& stream, UniqueFunction<void(Status)> done);
  void take_over(Stream stream, Done<Stream> done);
  void capture(Stream stream, Done<Stream> done);
  void collect(UniqueFunction<void(Holdings)> done);
  void retain(const Holdings& holdings);
  void hide(const Stream& stream, const Holdings& holdings, uint64_t excess, uint64_t total);
  static void on_timer(void* self);

  Shard& shard_;
  uint32_t last_log_ = 0;
  bool changing_ = false;
  bool retaining_ = false;  // what the streams hold is being asked for: what is hidden twice would be too much
  std::deque<UniqueFunction<void()>> changes_;
  int64_t period_ms_;       // until it looks again at what the streams hold
  runtime::Timer timer_;
};

}  // namespace arena::broker
