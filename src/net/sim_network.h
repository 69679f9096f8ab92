// A network in virtual time between simulated loops, with the faults of a real one, decided by the world's seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/unique_function.h"
#include "net/stream.h"
#include "runtime/sim_loop.h"

namespace arena::net {

struct SimNetState;

// Chances are per million and per flush of a stream.
struct SimFaults {
  uint32_t split = 0;        // bytes of one write arrive in pieces, cut at any byte (also asked for every read)
  uint32_t cut = 0;          // the connection dies in the middle: both sides see a reset, the peer after some bytes
  uint32_t half_close = 0;   // one direction ends after some bytes; its sender is not told and the rest is lost
  uint32_t stall = 0;        // one direction delivers nothing for a while
  uint32_t zero_window = 0;  // the peer takes nothing for a while, so that output_bytes() grows
  uint32_t delay_min_us = 20;
  uint32_t delay_max_us = 1000;
  int64_t stall_max_ms = 3000;
  int64_t zero_window_max_ms = 2000;
  std::size_t window_bytes = 64 << 10;  // sent and not yet read, per direction

  // Everything, often enough that each run of a few thousand writes meets each kind.
  static SimFaults harsh();
};

// Both ends of every connection are Streams that behave as TcpStream does: output leaves at the end of a turn, bytes
// of one direction keep their order, on_closed is the last call. Streams die before the world; the network may die
// before them.
class SimNetwork {
 public:
  using OnAccept = UniqueFunction<void(std::unique_ptr<Stream>)>;

  explicit SimNetwork(runtime::SimWorld& world, const SimFaults& faults = {});
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // `on_accept` is called on the core's loop, in its io phase. Once more for the same core: replaces the first.
  void listen(unsigned core, OnAccept on_accept, const StreamOptions& options = {});
  // From now on connections to the core are refused: the client sees a reset.
  void stop_listening(unsigned core);
  // The client's end, on `client`'s loop; it can be written to at once. Called on that loop or between turns.
  std::unique_ptr<Stream> connect(runtime::SimLoop& client, unsigned core, const StreamOptions& options = {},
                                  const std::string& client_ip = "10.0.0.2");

  // Faults of what is written from now on. `{}` heals the network.
  void set_faults(const SimFaults& faults);
  // Explicit faults on a connection, given either end. No effect on one that has ended.
  void cut(Stream& end);
  void stall(Stream& end, int64_t ms);        // both directions
  void zero_window(Stream& end, int64_t ms);  // nothing that `end` writes is taken
  void half_close(Stream& end);               // `end`'s direction ends without its knowledge

  // How often each kind happened: "connect", "split", "cut", "half_close", "stall", "zero_window", "reset", ...
  const std::map<std::string, uint64_t>& report() const;

 private:
  std::shared_ptr<SimNetState> state_;
};

// Attaches streams that were detached from another simulated loop.
class SimStreamFactory final : public StreamFactory {
 public:
  explicit SimStreamFactory(runtime::SimLoop& loop) : loop_(loop) {}
  // nullptr for what no simulated stream has detached.
  std::unique_ptr<Stream> attach(std::unique_ptr<DetachedStream> detached) override;

 private:
  runtime::SimLoop& loop_;
};

}  // namespace arena::net
