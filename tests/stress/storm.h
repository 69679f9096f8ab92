// What the clients do, decided by a seed: connect, take each other over, subscribe, publish, vanish.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/main_thread.h"
#include "runtime/random.h"
#include "stress/socket_client.h"

namespace arena::stress {

struct StormOptions {
  std::size_t clients = 500;
  unsigned ids = 50;
  uint64_t operations = 10'000;
  uint64_t seed = 1;
  uint16_t port = 0;
  int64_t within_ms = 60'000;
};

std::string storm_client_id(unsigned number);

// Used from one thread; several storms may rage at once.
class Storm {
 public:
  explicit Storm(const StormOptions& options);

  // Until all operations are done, time is up or `stop` is set.
  void run(const std::atomic<bool>& stop);
  // Ends all connections.
  void calm();

  uint64_t operations_done() const { return done_; }
  // Complaints about the server; empty is good.
  std::vector<std::string> faults() const;
  // What was done, and what was heard from the server, how often.
  std::map<std::string, uint64_t> tally() const;

 private:
  void act();
  void connect(SocketClient& client);
  mqtt::Connect random_connect();
  void add_will(mqtt::Connect& packet);
  void use(SocketClient& client);
  void publish(SocketClient& client);
  void subscribe(SocketClient& client);
  void vanish(SocketClient& client);
  void misbehave(SocketClient& client);
  void serve_all();

  std::string random_topic();
  std::string random_filter();
  Guarantee random_qos() { return static_cast<Guarantee>(random_.between(0, 2)); }
  bool one_in(uint64_t n) { return random_.between(1, n) == 1; }
  SocketClient& any() { return *clients_[random_.between(0, clients_.size() - 1)]; }
  void count(const char* what) { ++tally_[what]; }

  StormOptions options_;
  runtime::Random random_;
  std::vector<std::unique_ptr<SocketClient>> clients_;
  std::vector<SocketClient*> connected_;  // as of the last serve_all()
  std::size_t waiting_ = 0;               // connections without a CONNACK, or half-closed
  uint64_t done_ = 0;
  std::map<std::string, uint64_t> tally_;
  std::string name_;     // of what is being sent: packets hold views
  std::string payload_;
};

}  // namespace arena::stress
