// Inside the simulated network: the wire between two streams. Not for other rooms.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "net/alive.h"
#include "net/sim_network.h"

namespace arena::net {

class SimStream;

// What links share; outlives the network while streams live.
struct SimNetState {
  struct Listener {
    SimNetwork::OnAccept on_accept;
    StreamOptionsRef options;
  };
  explicit SimNetState(runtime::SimWorld& w) : world(w) {}
  void count(const std::string& kind) { ++counters[kind]; }
  bool happens(uint32_t chance) { return world.random().chance_per_million(chance); }
  int64_t random_delay_us() { return static_cast<int64_t>(world.random().between(faults.delay_min_us, faults.delay_max_us)); }

  runtime::SimWorld& world;
  SimFaults faults;
  std::map<std::string, uint64_t> counters;
  std::map<unsigned, std::shared_ptr<Listener>> listeners;
  uint64_t connections = 0;
};

// One connection. Side 0 is the client, side 1 the server; direction d carries from side d to the other.
class SimLink : public std::enable_shared_from_this<SimLink> {
 public:
  enum class End : uint8_t { pending, attached, detached, gone };

  SimLink(std::shared_ptr<SimNetState> net, uint64_t id) : net_(std::move(net)), id_(id) {}

  // Streams call these for their side.
  void attach(unsigned side, SimStream& stream, runtime::SimLoop& loop);
  void detach(unsigned side);
  // The end is gone: the peer sees the end of the stream after what is under way, or a reset if bytes were unread.
  void drop(unsigned side);
  // Takes as much as the window allows, with faults; returns how much. When not all, the side is told of room later.
  std::size_t send(unsigned side, std::string_view bytes);
  void send_end(unsigned side);
  // All that arrived for the side, or a part of it when reads are split.
  std::string read(unsigned side);
  bool readable(unsigned side) const { return !incoming(side).arrived.empty(); }
  bool end_arrived(unsigned side) const { return incoming(side).end_arrived; }
  bool reset_arrived(unsigned side) const { return incoming(side).reset_arrived; }
  void ask_for_read(unsigned side);

  void refuse() { reset_towards(0); }
  void cut();
  void stall(unsigned direction, int64_t ms);
  void zero_window(unsigned direction, int64_t ms);
  void half_close(unsigned direction);

  SimNetState& net() { return *net_; }
  std::shared_ptr<SimNetState> net_ref() { return net_; }
  uint64_t id() const { return id_; }

 private:
  enum class Kind : uint8_t { data, end, reset };
  struct Segment {
    Kind kind;
    std::string bytes;
  };
  struct Pipe {
    std::deque<Segment> in_flight;
    std::string arrived;
    std::size_t held = 0;  // bytes in flight or unread: what fills the window
    int64_t last_arrival_us = 0;
    int64_t stalled_until_us = 0;  // arrivals wait
    int64_t blocked_until_us = 0;  // nothing is taken
    bool ended = false;        // takes nothing more
    bool wants_room = false;   // the sender waits
    bool end_arrived = false;
    bool reset_arrived = false;
  };
  struct Side {
    End end = End::pending;
    SimStream* stream = nullptr;
    runtime::SimLoop* loop = nullptr;
    uint64_t incarnation = 0;  // tells events for an earlier stream of this side apart
    bool read_asked = false;
  };

  Pipe& incoming(unsigned side) { return pipes_[1 - side]; }
  const Pipe& incoming(unsigned side) const { return pipes_[1 - side]; }
  std::size_t room(Pipe& pipe);
  void send_pieces(unsigned direction, std::string_view bytes);
  void put(unsigned direction, Kind kind, std::string_view bytes);
  void arrive(unsigned direction);
  void reset_towards(unsigned side);
  void tell_of_room(unsigned direction, int64_t delay_us);

  std::shared_ptr<SimNetState> net_;
  const uint64_t id_;
  std::array<Pipe, 2> pipes_;
  std::array<Side, 2> sides_;
};

// One end of a link; the counterpart of TcpStream.
class SimStream final : public Stream, private runtime::TurnEnd {
 public:
  SimStream(std::shared_ptr<SimLink> link, unsigned side, runtime::SimLoop& loop, const PeerAddress& peer,
            StreamOptionsRef options);
  ~SimStream() override;

  void pause_reading() override { paused_ = true; }
  void resume_reading() override;
  void close() override;
  void abort() override;
  std::unique_ptr<DetachedStream> detach() override;

  // The link calls these in the io phase of the stream's loop.
  void on_readable();
  void on_room();

  SimLink* link() { return link_.get(); }
  unsigned side() const { return side_; }

 private:
  enum class State : uint8_t { open, closing, dead };

  void on_dirty() override { loop_.at_turn_end(*this); }
  void on_turn_end() override;
  static void on_close_timeout(void* self);
  void begin_closing(CloseReason reason);
  void flush();
  void leave();
  void finish(CloseReason reason);

  std::shared_ptr<SimLink> link_;
  const unsigned side_;
  runtime::SimLoop& loop_;
  State state_ = State::open;
  CloseReason reason_ = CloseReason::local;
  bool paused_ = false;
  bool blocked_ = false;     // waits for room
  bool writable_owed_ = false;
  AliveMark alive_;
  runtime::Timer close_timer_;
};

}  // namespace arena::net
