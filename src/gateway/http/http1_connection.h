// One HTTP/1.1 connection: requests in, answers out in the order of the requests. Lives on one core.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "access/admission.h"
#include "codec/http/http1_parser.h"
#include "codec/http/http1_writer.h"
#include "gateway/http/door.h"
#include "net/stream.h"

namespace arena::gateway::http {

// Who was let in by which words: a client says them with each request, and verifying a password takes long.
struct Known {
  std::string words;       // the Authorization field
  Principal principal;
  uint64_t settings = 0;   // of the door, as they were then
};

class Http1Connection final : public net::StreamHandler, public AnswerSink {
 public:
  Http1Connection(Door& door, uint64_t id, std::unique_ptr<net::Stream> stream, access::Seat seat);
  ~Http1Connection() override;

  uint64_t id() const { return id_; }
  const net::PeerAddress& peer() const { return stream_->peer(); }
  uint64_t address() const { return seat_.address(); }
  std::optional<Known>& known() { return known_; }
  // Waits for its first request, in the list that this is for.
  Silent& be_silent();
  // Ends at once and without a word: somebody else needs the place.
  void give_way();
  // After what it waits for.
  void shut();

  void on_data(std::string_view bytes) override;
  void on_writable() override;
  void on_closed(net::CloseReason reason) override;
  void on_answer(Exchange& exchange, Response response) override;
  void on_begin(Exchange& exchange, Response head) override;
  void on_write(Exchange& exchange, std::string_view piece) override;
  void on_end(Exchange& exchange) override;
  bool can_write(const Exchange& exchange) const override;
  void on_abandon(Exchange& exchange) override;

 private:
  // A request that came, until its answer has left.
  struct Turn {
    ExchangeRef exchange;
    arena::http::Http1Framing framing;
    std::optional<Response> response;  // whole, or the head of one that comes in pieces
    bool in_pieces = false;
    bool begun = false;                // its head has left
    bool ended = false;
    std::string held;                  // pieces, until it is their turn
  };

  // What the timer is for.
  enum class Clock : uint8_t {
    none,     // the client waits for us
    first,    // from accept to the first request
    request,  // from its first byte to its last
    idle,     // between requests
  };

  bool has_room() const;
  void consume(std::string_view bytes);
  bool step(std::string_view& bytes);
  void begin(Request request);
  void refuse(const arena::http::Refusal& refusal, Refused reason);
  void go_on();
  Turn* find(const Exchange& exchange);
  void send_ready();
  bool send_pieces(Turn& turn);
  void prepare(Turn& turn);
  void send(Turn& turn);
  Clock wanted_clock() const;
  void watch_time();
  static void on_timer(void* self);
  void end();

  Door& door_;
  const uint64_t id_;
  std::unique_ptr<net::Stream> stream_;
  access::Seat seat_;
  const std::shared_ptr<const Options> options_;
  arena::http::Http1Parser parser_;
  std::deque<Turn> turns_;        // oldest first
  std::string rest_;              // read, and not looked at while there is no room
  std::optional<Known> known_;
  std::optional<Silent> silent_;  // until its first request
  bool consuming_ = false;
  bool held_back_ = false;        // its socket is not read
  bool last_turn_ = false;        // no further request is taken
  bool closing_ = false;
  Clock clock_ = Clock::none;
  runtime::Timer timer_;
};

}  // namespace arena::gateway::http
