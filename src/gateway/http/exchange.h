// One request and the way its answer goes back, whatever version of HTTP it came by.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "access/admission.h"
#include "base/unique_function.h"
#include "codec/http/message.h"
#include "message/principal.h"
#include "net/stream.h"

namespace arena::gateway::http {

using arena::http::Request;
using arena::http::Response;

class Exchange;
using ExchangeRef = std::shared_ptr<Exchange>;

// A connection that leaves HTTP, with its place among the connections.
struct Upgraded {
  std::unique_ptr<net::Stream> stream;
  std::string early;  // bytes that came behind the request
  access::Seat seat;
};
using OnUpgraded = UniqueFunction<void(Upgraded)>;

// Implemented by whoever owns the connection. Told of each exchange until that is over.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void on_answer(Exchange& exchange, Response response) = 0;
  // Piece by piece.
  virtual void on_begin(Exchange& exchange, Response head) = 0;
  virtual void on_write(Exchange& exchange, std::string_view piece) = 0;
  virtual void on_end(Exchange& exchange) = 0;
  virtual bool can_write(const Exchange& exchange) const = 0;
  // At once, and what was written may be lost.
  virtual void on_abandon(Exchange& exchange) = 0;
  // A long answer is wanted: `make` makes it when no other one of the connection is on its way and there is room.
  virtual void on_long(ExchangeRef /*exchange*/, UniqueFunction<void()> make) { make(); }
  // Where connections can leave HTTP: the last answer, and who takes what it leaves behind.
  virtual bool can_upgrade() const { return false; }
  virtual void on_upgrade(Exchange& /*exchange*/, Response /*head*/, OnUpgraded /*done*/) {}
};

// Lives on its connection's core. Handlers keep it while they work; the connection may go meanwhile, and then what they
// answer goes nowhere. May be let go of on any core.
class Exchange {
 public:
  Exchange(AnswerSink& sink, Request its_request, std::string its_id) : request(std::move(its_request)), id(std::move(its_id)), sink_(&sink) {}

  Request request;
  const std::string id;         // for logs, and told to the client
  std::string target;           // what stands for "{...}" in the path of its route, decoded
  Principal principal;          // of routes that ask who it is
  uint64_t connection = 0;
  uint32_t stream = 0;          // of the connection, in HTTP/2
  std::string foreign_origin;   // of the web page that asks, where it is not our own and may ask

  // Once, perhaps from inside the handler.
  void answer(Response response);
  // Or an answer without a known end: begin(), write() while there is room, end(). What is written without room is kept all the
  // same; on_room tells that there is some again.
  void begin(Response head);
  void write(std::string_view piece);
  void end();
  bool writable() const { return sink_ != nullptr && sink_->can_write(*this); }
  void abandon();
  // For a handler whose answer may be long: `make` is called when its connection has room for it, perhaps from inside; never if
  // the client goes before. So a client that asks for much and reads little holds one such answer here, and not all.
  static void when_room(const ExchangeRef& exchange, UniqueFunction<void()> make);
  bool is_long = false;  // for the connection: it is being made
  // Or the end of HTTP on its connection: `head` is sent, then `done` is given the stream. Never if the client goes before.
  bool can_upgrade() const { return sink_ != nullptr && sink_->can_upgrade(); }
  void upgrade(Response head, OnUpgraded done);
  UniqueFunction<void()> on_room;
  UniqueFunction<void()> on_gone;  // the client
  bool answered() const { return answered_; }
  // For the connection: the client has gone.
  void leave();
  bool gone() const { return sink_ == nullptr; }

 private:
  AnswerSink* sink_;
  bool answered_ = false;
};

// Answers of our own making. `pointer`: the field of the body ("/max_bytes") or, with '?' before it, the parameter of the
// query that was wrong, or, with ':' behind it, the header field.
Response problem(const Exchange& exchange, int status, std::string_view code, std::string_view detail, std::string_view pointer = {});
// What browsers are told so that nothing here is taken for a script, framed or kept. What the response says itself stays.
void add_security_fields(const Exchange& exchange, Response& response);
Response json_response(int status, std::string body);
Response text_response(int status, std::string body);

}  // namespace arena::gateway::http
