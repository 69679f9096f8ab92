// One core's HTTP door: takes accepted streams, keeps their connections, finds out who asks, and hands requests to the
// handlers that the router names.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/admission.h"
#include "access/authenticator.h"
#include "base/intrusive_list.h"
#include "gateway/http/connection.h"
#include "gateway/http/exchange.h"
#include "gateway/http/options.h"
#include "gateway/http/router.h"
#include "gateway/http/uploads.h"
#include "net/stream.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

class Door {
 public:
  // All references outlive the door.
  Door(runtime::Loop& loop, access::Authenticator& authenticator, std::shared_ptr<const Options> options, access::Admission& admission,
       Uploads& uploads, Counters& counters);
  ~Door();

  Router& router() { return router_; }
  // Who a ticket is of. Unset: tickets are none.
  using Redeem = std::function<std::optional<Principal>(std::string_view ticket)>;
  void set_redeem(Redeem redeem) { redeem_ = std::move(redeem); }
  // Takes a stream that was accepted on this core, unless a limit forbids it: then it is closed.
  // `encrypted`: nobody between the two ends reads or changes what is sent.
  void accept(std::unique_ptr<net::Stream> stream, bool encrypted = false);
  // Who was let in by the settings before is asked again.
  void set_options(std::shared_ptr<const Options> options);
  // Lets nobody in any more; connections end with the answers they wait for.
  void shut();
  std::size_t connections() const { return connections_.size(); }

  // ---- for connections ----
  runtime::Loop& loop() { return loop_; }
  Counters& counters() { return counters_; }
  Uploads& uploads() { return uploads_; }
  const std::shared_ptr<const Options>& options() const { return options_; }
  bool is_shut() const { return shut_; }
  // Leads to an answer, perhaps from inside.
  void handle(const ExchangeRef& exchange);
  // Does a request with this head need somebody, and says not at all who it is? Then its body is not waited for.
  bool lacks_credentials(const Request& head, const Connection& connection) const;
  // Answers such a one.
  void refuse_stranger(const ExchangeRef& exchange) const;
  std::string next_request_id();
  // Now, as answers say it.
  const std::string& date();
  Connection* find(uint64_t id) const;
  // Takes the place of the one with its id, which is destroyed at the end of this turn.
  void replace(std::unique_ptr<Connection> connection);
  // Destroys it at the end of this turn.
  void bury(Connection& connection);

 private:
  Result<access::Seat, Refused> admit(std::string_view ip);
  bool is_from_here(const Request& request, const Connection& connection) const;
  bool note_origin(const ExchangeRef& exchange) const;
  static void refuse_origin(const ExchangeRef& exchange);
  void answer_preflight(const ExchangeRef& exchange) const;
  bool identify_by_ticket(const ExchangeRef& exchange, const Route& route) const;
  void identify(const ExchangeRef& exchange, const Route& route);
  void on_identified(const ExchangeRef& exchange, const Route& route, const Result<Principal, access::AuthRefusal>& result);
  void bury_later(std::unique_ptr<Connection> connection);

  runtime::Loop& loop_;
  access::Authenticator& authenticator_;
  std::shared_ptr<const Options> options_;
  access::Admission& admission_;
  Uploads& uploads_;
  Counters& counters_;
  Router router_;
  Redeem redeem_;
  bool shut_ = false;
  uint64_t next_id_ = 1;
  std::string date_;
  int64_t date_s_ = -1;  // what it is of
  uint64_t settings_ = 1;  // how often they were set: what was verified before is not any more
  IntrusiveList<Silent, SilentTag> silent_;  // oldest first
  boost::unordered_flat_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> dead_;
};

}  // namespace arena::gateway::http
