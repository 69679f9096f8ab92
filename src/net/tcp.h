// TCP on the real loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_function.h"
#include "net/alive.h"
#include "net/stream.h"
#include "runtime/epoll_loop.h"

namespace arena::net {

// A connected socket. Level-triggered; what is readable is read into the loop's shared buffer, at most 256 KB a turn,
// so that one fast peer cannot hold up the others. Output leaves at the end of the turn in one system call; what the
// system does not take waits for EPOLLOUT. An empty output buffer is freed: an idle stream holds none.
//
// close() sends what is left, then the end of the stream, then throws away what still comes until the peer has ended
// its side (or close_timeout_ms): closing at once would make the system send a reset that can overtake the last bytes.
// When the peer has ended its side, what was written up to then is still sent before on_closed(peer_closed).
class TcpStream final : public Stream, private runtime::IoHandler, private runtime::TurnEnd {
 public:
  // Below, copying into the output is cheaper than a piece of its own.
  static constexpr std::size_t kShareBytesMin = 2048;

  // When the loop begins to watch it. after_a_look: at the end of a turn, when what has come until then was handed over;
  // who detaches the stream in there has spared the system two calls.
  enum class Watch : uint8_t { now, after_a_look };
  // Takes the connected, nonblocking descriptor. If the loop cannot watch it, on_closed(reset) comes soon.
  TcpStream(runtime::EpollLoop& loop, int fd, const PeerAddress& peer, StreamOptionsRef options, Watch watch = Watch::now);
  ~TcpStream() override;

  void write_shared(const SharedBytesRef& bytes) override;
  void pause_reading() override;
  void resume_reading() override;
  void close() override;
  void abort() override;
  // nullptr when there is output or the stream is closing; it then stays as it was.
  std::unique_ptr<DetachedStream> detach() override;

 private:
  enum class State : uint8_t {
    open,
    closing,    // output is being sent; nothing is handed over any more
    lingering,  // all is sent, the peer has not ended its side
    dead,
  };

  // Output in front of output_: what was written before something shared, and that.
  struct Piece {
    std::string own;
    SharedBytesRef shared;
    std::string_view bytes() const { return shared ? std::string_view(shared->text) : std::string_view(own); }
  };
  struct Ahead {
    std::vector<Piece> pieces;
    std::size_t first = 0;  // of pieces: those in front are out
    std::size_t sent = 0;   // of the first piece
  };

  void on_dirty() override;
  void on_first_output() override;
  void on_io(uint32_t events) override;
  void on_turn_end() override;
  static void on_close_timeout(void* self);
  void arm_close_timer(int64_t delay_ms);

  void read_available(uint32_t events);
  void discard_available();
  void on_peer_end();
  void begin_closing(CloseReason reason);
  void flush();
  bool send_output();
  std::size_t send_some(std::size_t& offered);
  void take_off(std::size_t sent);
  void drop_output();
  void after_flush();
  bool wants_input() const { return (state_ == State::open && !paused_) || state_ == State::lingering; }
  uint32_t events_needed();  // from now on
  bool begin_watching();
  void look_and_watch();
  void watch_what_is_needed();
  void leave_loop();
  void finish(CloseReason reason);

  // There are very many streams: what is small is kept in few bits.
  bool paused_ : 1 = false;
  bool peer_ended_ : 1 = false;
  bool output_blocked_ : 1 = false;  // waits for EPOLLOUT
  bool output_failed_ : 1 = false;   // nothing can be sent; what can still be read comes first
  bool writable_owed_ : 1 = false;
  bool watched_ : 1 = false;         // by the loop, for:
  bool watching_input_ : 1 = false;
  bool watching_room_ : 1 = false;   // for output
  State state_ = State::open;
  CloseReason reason_ = CloseReason::local;
  int fd_;
  runtime::EpollLoop& loop_;
  AliveMark alive_;
  std::unique_ptr<Ahead> ahead_;  // null: output_ is all
  std::unique_ptr<runtime::Timer> close_timer_;  // made when it first closes
};

class TcpStreamFactory final : public StreamFactory {
 public:
  explicit TcpStreamFactory(runtime::EpollLoop& loop) : loop_(loop) {}
  // nullptr for what no TcpStream has detached.
  std::unique_ptr<Stream> attach(std::unique_ptr<DetachedStream> detached) override;

 private:
  runtime::EpollLoop& loop_;
};

struct ListenOptions {
  std::string address = "127.0.0.1";  // numeric; "" or "::" is all addresses, IPv4 and IPv6
  uint16_t port = 0;                  // 0: a free one
  bool reuse_port = false;            // one listener per core on the same port; the system spreads connections
  int backlog = 4096;
  unsigned accept_batch = 8;          // per turn: what else is to be done waits that long
  // In all our protocols the client speaks first. The system shows us its connection when it has, or after about so many
  // seconds: so its words are there at the first look, which spares a wake-up and half of the calls for a new client
  // (26.5 to 21.5 µs with what follows). 0: at once.
  int first_bytes_wait_s = 1;
  StreamOptions stream{};
};

// Accepts connections on one core, at the end of a turn: those who are there already come first, and more come at once.
// Destroying it closes the socket; streams it made live on.
class TcpListener final : private runtime::IoHandler, private runtime::TurnEnd {
 public:
  // May destroy the listener.
  using OnAccept = UniqueFunction<void(std::unique_ptr<Stream>)>;

  // A reason when the address is bad, taken or forbidden.
  static Result<std::unique_ptr<TcpListener>> listen(runtime::EpollLoop& loop, const ListenOptions& options,
                                                     OnAccept on_accept);
  // Could it listen there now? Nobody can connect meanwhile.
  static Status probe(const ListenOptions& options);
  ~TcpListener() override;
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;

  uint16_t local_port() const { return local_port_; }
  // Connections wait in the system's backlog meanwhile.
  void pause();
  void resume();

 private:
  TcpListener(runtime::EpollLoop& loop, int fd, uint16_t port, const ListenOptions& options, OnAccept on_accept);
  void on_io(uint32_t events) override;
  void on_turn_end() override;
  bool accept_one();
  void on_accept_failed(int error_number);
  void watch();
  static void on_out_of_descriptors_over(void* self);

  runtime::EpollLoop& loop_;
  int fd_;
  uint16_t local_port_;
  unsigned accept_batch_;
  StreamOptionsRef stream_options_;
  OnAccept on_accept_;
  bool paused_ = false;
  int64_t warned_ms_ = 0;
  AliveMark alive_;
  runtime::Timer descriptors_timer_;  // armed while accepting pauses because the system has no descriptors left
};

struct ConnectOptions {
  int64_t timeout_ms = 10'000;  // for all addresses of a name together
  std::string local_address;    // numeric; "": the system chooses
  StreamOptions stream{};
};

// Connects to a name or numeric address; names are looked up on the general lane and their addresses tried in turn.
// `done` is called once, never from inside this call; not at all if the loop closes first.
using OnConnected = UniqueFunction<void(Result<std::unique_ptr<Stream>>)>;
void connect_tcp(runtime::EpollLoop& loop, std::string host, uint16_t port, const ConnectOptions& options,
                 OnConnected done);
inline void connect_tcp(runtime::EpollLoop& loop, std::string host, uint16_t port, OnConnected done) {
  connect_tcp(loop, std::move(host), port, ConnectOptions{}, std::move(done));
}

}  // namespace arena::net
