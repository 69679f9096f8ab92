// Many clients on one loop that load a server and check what it delivers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "client/client.h"
#include "client/load/fine_timer.h"
#include "client/load/latencies.h"
#include "client/load/options.h"
#include "client/load/schedule.h"
#include "client/load/sequence.h"
#include "net/tls/core.h"
#include "net/websocket/core.h"
#include "runtime/epoll_loop.h"

namespace arena::client {

class Load;

// What a client of the load does beside connecting.
struct LoadRole {
  std::string filter;  // subscribed to; empty: to nothing
  Guarantee qos = Guarantee::at_most_once;
  bool persistent = false;  // its session stays when the connection ends
  bool leaves = false;      // says goodbye when it is ready
  std::optional<unsigned> same_as;  // has the session of the client with this number
};

// One client of the load: connects, subscribes if it has a filter, and is then ready.
class LoadClient : protected ClientHandler {
 public:
  LoadClient(Load& load, unsigned number, LoadRole role);
  ~LoadClient() override;
  void start(std::unique_ptr<net::Stream> stream) { client_.start(std::move(stream)); }
  void abort() { client_.abort(); }

 protected:
  void on_connack(const mqtt::Connack& connack) override;
  void on_suback(const mqtt::Suback& suback) override;
  void on_closed(const Ending& ending) override;
  void be_ready();

  Load& load_;
  const unsigned number_;
  const LoadRole role_;
  ClientSession session_;
  Client client_;
};

class LoadPublisher final : public LoadClient {
 public:
  LoadPublisher(Load& load, unsigned number, unsigned index, std::string topic);
  // As much as the window permits.
  void fill();
  void send_one();
  // At a fixed rate: `due_ns` is when it should have left.
  void send_due(int64_t due_ns);
  void on_delivered() {
    ++delivered_;
    ask_to_fill();
  }
  uint64_t sent() const { return sent_; }
  bool settled() const;  // everything is delivered and acknowledged

 private:
  void on_published(uint16_t packet_id, mqtt::Reason reason) override;
  void ask_to_fill();
  uint64_t fan() const;
  uint64_t credit() const;
  void send(int64_t stamp_ns);

  const unsigned index_;
  const std::string topic_;
  std::string payload_;
  std::string frame_;  // QoS 0: encoded once; the payload at its end is patched
  uint64_t sent_ = 0;
  uint64_t delivered_ = 0;  // to all subscribers together
  uint64_t acknowledged_ = 0;
  bool asked_ = false;
  std::deque<std::pair<uint64_t, int64_t>> timed_;  // sequence and moment of those whose acknowledgement is timed
};

class LoadSubscriber final : public LoadClient {
 public:
  // Expects publishers `first` to first + count - 1.
  LoadSubscriber(Load& load, unsigned number, LoadRole role, unsigned first, unsigned count);
  void add_to(LoadReport& report) const;
  // Asks for a word that comes behind everything that is on its way.
  void ask_for_last_word() { client_.ping(); }
  bool has_last_word() const { return has_last_word_; }

 private:
  void on_pong() override { has_last_word_ = true; }
  void on_message(const mqtt::Publish& message) override;
  bool is_intact(std::string_view payload) const;

  const unsigned first_;
  std::vector<SequenceCheck> checks_;  // per publisher
  uint64_t foreign_ = 0;
  bool has_last_word_ = false;
};

// One run. Drives the loop itself, on the calling thread.
class Load {
 public:
  Load(runtime::EpollLoop& loop, const LoadOptions& options);
  ~Load();
  void watch(std::function<void(const LoadProgress&)> watcher) { watcher_ = std::move(watcher); }
  // A reason when a client could not connect, was refused or lost its connection.
  Result<LoadReport> run();
  // Why the server refused a client or its subscription, if that ended the run; success: it was something else.
  mqtt::Reason refusal() const { return refusal_; }

 private:
  friend class LoadClient;
  friend class LoadPublisher;
  friend class LoadSubscriber;
  struct Mark {  // counters at one moment
    int64_t at_ns = 0;
    uint64_t delivered = 0;
    uint64_t published = 0;
    uint64_t acknowledged = 0;
    double own_cpu_us = 0;
    std::optional<double> server_cpu_us;
    std::optional<double> server_rss_bytes;
  };

  void make_clients();
  void make_subscribers();
  void make_publishers();
  std::string topic_of(unsigned i) const;
  LoadRole role_of_idle(unsigned i) const;
  Status connect_clients();
  void connect_next();
  void on_ready();
  void on_left(unsigned number) { clients_[number].reset(); }
  void fail_once(std::string reason, mqtt::Reason refusal = mqtt::Reason::success);
  void ask_to_fill(LoadPublisher& publisher);
  void fill_those_that_asked();
  void send_what_is_due();
  bool may_send(uint64_t sent) const;
  Status measure(LoadReport& report);
  Status read_back(LoadReport& report);
  LoadRole role_of_reader(unsigned i) const;
  Status read_once(unsigned count, LoadReport& report);
  void turn_until(int64_t at_ms);
  Mark turn_until_read(uint64_t wanted);
  Status await_last_words();
  Status remove_sessions();
  uint64_t all_sent() const;
  Status begin_sending();
  Status turn_for(LoadProgress::Phase phase, int64_t duration_ms);
  void tell_progress(LoadProgress::Phase phase, int64_t total_ms);
  bool settled() const;
  Mark mark() const;
  void fill_in_connections(LoadReport& report, const Mark& begin, const Mark& end) const;
  void fill_in(LoadReport& report, const Mark& begin, const Mark& end) const;

  runtime::EpollLoop& loop_;
  const LoadOptions options_;
  net::TlsCore tls_;
  net::WebSocketCore websocket_;
  const std::string fill_;  // of every payload, behind the stamp
  const uint32_t run_;  // tells this run's topics and clients apart
  std::vector<std::unique_ptr<LoadClient>> clients_;  // null: not made yet, or has left
  std::vector<LoadPublisher*> publishers_;
  std::vector<LoadSubscriber*> subscribers_;
  std::vector<LoadPublisher*> to_fill_;
  bool fill_due_ = false;
  std::size_t next_ = 0;        // the first client not yet told to connect
  std::size_t connecting_ = 0;
  std::size_t ready_ = 0;
  bool sending_ = false;
  bool leaving_ = false;  // sessions are being removed: their readers' connections end
  Schedule schedule_;
  uint64_t scheduled_ = 0;  // messages of all publishers that were due
  uint64_t delivered_ = 0;
  uint64_t published_ = 0;
  uint64_t acknowledged_ = 0;
  Latencies latencies_;
  std::string failure_;
  mqtt::Reason refusal_ = mqtt::Reason::success;
  std::optional<FineTimer> pace_timer_;
  std::function<void(const LoadProgress&)> watcher_;
  int64_t phase_began_ns_ = 0;
  int64_t told_at_ns_ = 0;
  uint64_t told_delivered_ = 0;
};

}  // namespace arena::client
