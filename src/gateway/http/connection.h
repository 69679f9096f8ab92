// What all versions of HTTP have of a connection. Lives on one core.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "access/admission.h"
#include "base/intrusive_list.h"
#include "codec/http/http1_head.h"
#include "gateway/http/exchange.h"
#include "gateway/http/options.h"
#include "gateway/http/uploads.h"
#include "net/stream.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

class Connection;
class Door;

// Who was let in by which words: a client says them with each request, and verifying a password takes long.
struct Known {
  std::string words;       // the Authorization field
  Principal principal;
  uint64_t settings = 0;   // of the door, as they were then
};

// The place of a connection without a request yet, in the door's list of them.
struct SilentTag;
struct Silent : ListNode<SilentTag> {
  explicit Silent(Connection& one) : connection(&one) {}
  Connection* connection;
};

// How a refusal is counted.
Refused reason_of(const arena::http::Refusal& refusal);
// How it is answered.
Response answer_to(const Exchange& exchange, const arena::http::Refusal& refusal);
// Of a body that there is no room for now.
extern const arena::http::Refusal kNoRoom;

class Connection : public net::StreamHandler {
 public:
  // What one is made of, and what it hands on to the one that takes its place when its version is known.
  struct Parts {
    uint64_t id = 0;
    std::unique_ptr<net::Stream> stream;
    access::Seat seat;
    std::unique_ptr<Silent> silent;  // until its first request
    int64_t accepted_ms = 0;
    bool encrypted = false;
  };

  uint64_t id() const { return parts_.id; }
  const net::PeerAddress& peer() const { return stream().peer(); }
  bool encrypted() const { return parts_.encrypted; }
  uint64_t address() const { return parts_.seat.address(); }
  std::optional<Known>& known() { return known_; }
  // Waits for its first request, in the list that this is for.
  Silent& be_silent();
  // Ends at once and without a word: somebody else needs the place.
  void give_way();
  // After what it waits for.
  virtual void shut() = 0;

  void on_closed(net::CloseReason reason) override;

 protected:
  Connection(Door& door, Parts parts);

  Door& door() const { return door_; }
  net::Stream& stream() const { return *parts_.stream; }
  const Options& options() const { return *options_; }
  Parts hand_on() { return std::move(parts_); }

  bool silent() const { return parts_.silent != nullptr; }
  // How long its first request may still take to come.
  int64_t first_request_ms() const;
  // A request came: it is counted, and has what an exchange has.
  ExchangeRef open_exchange(AnswerSink& sink, Request request);
  // For an answer to what was no request.
  ExchangeRef open_refused(AnswerSink& sink);
  // So much of bodies is held, of which nobody knows yet whether they may be. False: there is no room for more.
  bool hold(std::size_t bytes);
  // What every response carries. It is counted, too.
  void complete(const Exchange& exchange, Response& response);

  // Long answers are made one after the other; the next in a later turn.
  void take_long(ExchangeRef exchange, UniqueFunction<void()> make);
  void make_long();
  // It is answered, or nobody waits for it any more.
  void end_long(Exchange& exchange);
  virtual bool has_room_for_long(const Exchange& /*next*/) const { return true; }

  bool closing() const { return closing_; }
  // The connection goes on, and not as HTTP: this is done with it.
  Parts leave();
  // Takes nothing more; what was written leaves, and then the stream closes.
  void end();
  // Tells the handlers of open requests that nobody waits for them any more.
  virtual void leave_exchanges() = 0;
  // For what the timer is for.
  static void fire(void* self) { static_cast<Connection*>(self)->on_time(); }
  virtual void on_time() = 0;
  runtime::Timer timer_;

 private:
  void stop();

  Door& door_;
  Parts parts_;
  const std::shared_ptr<const Options> options_;
  std::optional<Known> known_;
  Upload upload_;
  std::unique_ptr<std::deque<std::pair<ExchangeRef, UniqueFunction<void()>>>> long_waiting_;  // null: none was ever wanted
  bool long_made_ = false;  // one is being made
  bool closing_ = false;
};

}  // namespace arena::gateway::http
