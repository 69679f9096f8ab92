// One HTTP/2 connection: requests in, each answered on its own stream. Lives on one core.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "codec/http/http2_session.h"
#include "gateway/http/connection.h"

namespace arena::gateway::http {

class Http2Connection final : public Connection, public AnswerSink {
 public:
  Http2Connection(Door& door, Parts parts);
  ~Http2Connection() override;

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

 private:
  // A request that is worked on, or whose answer is on its way.
  struct Open {
    ExchangeRef exchange;
    bool in_pieces = false;
    mutable bool wants_room = false;  // somebody asked, and there was none
  };

  // What the timer is for.
  enum class Clock : uint8_t {
    none,    // all there is to do is ours, or an answer without end
    first,   // from accept to the first request
    idle,    // no request is open
    work,    // looks again and again at requests that are incomplete, and at answers that nobody takes
    ending,  // the client was told to open no more requests
  };

  Open* find(const Exchange& exchange);
  void go_on();
  void work();
  void take_requests();
  bool hold_bodies();
  void begin(arena::http::Http2Session::Arrival arrival);
  void forget_closed();
  void send();
  void work_later();
  void tell_of_room();
  void count();
  bool may_take() const;
  bool has_room_for_long(const Exchange&) const override { return may_take(); }
  Clock wanted_clock() const;
  void watch_time();
  int64_t look_ms() const;
  void on_time() override;
  void look();
  void refuse_new();
  void leave_exchanges() override;

  arena::http::Http2Session session_;
  std::unordered_map<uint32_t, Open> open_;  // by their stream
  bool working_ = false;
  bool work_owed_ = false;   // at the end of this turn
  bool ending_ = false;
  bool refuses_new_ = false;
  Clock clock_ = Clock::none;
};

}  // namespace arena::gateway::http
