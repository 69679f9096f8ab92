// One HTTP/1.1 connection: requests in, answers out in the order of the requests. Lives on one core.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "codec/http/http1_parser.h"
#include "codec/http/http1_writer.h"
#include "gateway/http/connection.h"

namespace arena::gateway::http {

class Http1Connection final : public Connection, public AnswerSink {
 public:
  Http1Connection(Door& door, Parts parts);
  ~Http1Connection() override;

  void shut() override;
  void on_data(std::string_view bytes) override;
  void on_writable() override;
  void on_answer(Exchange& exchange, Response response) override;
  void on_begin(Exchange& exchange, Response head) override;
  void on_write(Exchange& exchange, std::string_view piece) override;
  void on_end(Exchange& exchange) override;
  bool can_write(const Exchange& exchange) const override;
  void on_abandon(Exchange& exchange) override;
  void on_long(ExchangeRef exchange, UniqueFunction<void()> make) override { take_long(std::move(exchange), std::move(make)); }
  bool can_upgrade() const override { return may_leave_ && !last_turn_; }
  void on_upgrade(Exchange& exchange, Response head, OnUpgraded done) override;

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
    OnUpgraded upgraded;               // the response ends HTTP here
  };

  // What the timer is for.
  enum class Clock : uint8_t {
    none,     // the client waits for us
    stuck,    // it does not take what was answered
    first,    // from accept to the first request
    request,  // from its first byte to its last
    idle,     // between requests
  };

  bool has_room() const;
  void consume(std::string_view bytes);
  bool step(std::string_view& bytes);
  ExchangeRef open_turn(Request request);
  bool wants_rest();
  void refuse(const arena::http::Refusal& refusal, Refused reason);
  void go_on();
  Turn* find(const Exchange& exchange);
  void send_ready();
  void send_proceed();
  bool send_pieces(Turn& turn);
  void leave_http();
  void prepare(Turn& turn);
  void send(Turn& turn);
  Clock wanted_clock() const;
  void watch_time();
  bool has_room_for_long(const Exchange& next) const override;
  void look_at_output();
  void leave_exchanges() override;
  void on_time() override;

  arena::http::Http1Parser parser_;
  std::deque<Turn> turns_;        // oldest first
  std::string rest_;              // read, and not looked at while there is no room
  std::size_t stuck_bytes_ = 0;   // of output, when the clock for it began
  bool consuming_ = false;
  bool held_back_ = false;        // its socket is not read
  bool last_turn_ = false;        // no further request is taken
  bool proceed_owed_ = false;     // the request that is under way waits to be told to go on
  bool may_leave_ = false;        // the last request asks for another protocol: what follows may not be HTTP
  OnUpgraded upgraded_;           // it has got that, and the answer is out
  Clock clock_ = Clock::none;
};

}  // namespace arena::gateway::http
