#include "gateway/http/door.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/http/credentials.h"
#include "gateway/http/newcomer.h"

namespace arena::gateway::http {
namespace {

Refused refused_for(access::NoSeat why) {
  switch (why) {
    case access::NoSeat::connections: return Refused::connections;
    case access::NoSeat::connections_per_address: return Refused::connections_per_address;
    case access::NoSeat::connect_rate: return Refused::connect_rate;
    case access::NoSeat::half_open: break;
  }
  return Refused::half_open;
}

Response unidentified(const Exchange& exchange, std::string_view code, std::string_view detail) {
  Response response = problem(exchange, 401, code, detail, "authorization:");
  response.fields.emplace_back("www-authenticate", "Basic realm=\"arena\", charset=\"UTF-8\"");
  return response;
}

constexpr std::string_view kTicket = "ticket=";

}  // namespace

Door::Door(runtime::Loop& loop, access::Authenticator& authenticator, std::shared_ptr<const Options> options,
           access::Admission& admission, Uploads& uploads, Counters& counters)
    : loop_(loop), authenticator_(authenticator), options_(std::move(options)), admission_(admission), uploads_(uploads), counters_(counters) {}

Door::~Door() = default;

void Door::set_options(std::shared_ptr<const Options> options) {
  options_ = std::move(options);
  ++settings_;
}

// ---- connections ----

void Door::accept(std::unique_ptr<net::Stream> stream, bool encrypted) {
  Result<access::Seat, Refused> seat = shut_ ? fail(Refused::shut) : admit(stream->peer().ip());
  if (!seat) {
    counters_.refuse(seat.error());
    stream->abort();
    return;
  }
  counters_.accepted.add();
  counters_.connections.add();
  const uint64_t id = next_id_++;
  auto connection = std::make_unique<Newcomer>(*this, Connection::Parts{id, std::move(stream), std::move(*seat), nullptr, loop_.now_ms(), encrypted});
  silent_.push_back(connection->be_silent());
  connections_.emplace(id, std::move(connection));
}

// A flood of silent connections must not keep others out: with all half-open places taken, the oldest here goes.
Result<access::Seat, Refused> Door::admit(std::string_view ip) {
  Result<access::Seat, access::NoSeat> seat = admission_.admit(ip, *options_, loop_.now_ms());
  if (!seat && seat.error() == access::NoSeat::half_open && !silent_.empty()) {
    counters_.refuse(Refused::half_open);
    silent_.front().connection->give_way();
    seat = admission_.admit(ip, *options_, loop_.now_ms());
  }
  if (!seat) return fail(refused_for(seat.error()));
  return std::move(seat).value();
}

Connection* Door::find(uint64_t id) const {
  const auto it = connections_.find(id);
  return it == connections_.end() ? nullptr : it->second.get();
}

void Door::bury(Connection& connection) {
  const auto it = connections_.find(connection.id());
  if (it == connections_.end()) return;
  bury_later(std::move(it->second));
  connections_.erase(it);
  counters_.connections.sub();
}

void Door::replace(std::unique_ptr<Connection> connection) {
  std::unique_ptr<Connection>& place = connections_.find(connection->id())->second;
  bury_later(std::exchange(place, std::move(connection)));
}

void Door::bury_later(std::unique_ptr<Connection> connection) {
  dead_.push_back(std::move(connection));
  if (dead_.size() == 1) {
    loop_.defer([this] { dead_.clear(); });
  }
}

void Door::shut() {
  shut_ = true;
  std::vector<uint64_t> ids;
  for (const auto& [id, connection] : connections_) ids.push_back(id);
  for (const uint64_t id : ids) {
    if (Connection* connection = find(id)) connection->shut();
  }
}

// Made once a second.
const std::string& Door::date() {
  const int64_t now_ms = loop_.wall_ms();
  if (std::exchange(date_s_, now_ms / 1000) != now_ms / 1000) date_ = arena::http::date_text(now_ms);
  return date_;
}

std::string Door::next_request_id() { return fmt::format("{:016x}", loop_.random()); }

// ---- requests ----

void Door::handle(const ExchangeRef& exchange) {
  const Request& request = exchange->request;
  if (request.method == "OPTIONS" && request.field("origin") != nullptr && request.field("access-control-request-method") != nullptr) {
    return answer_preflight(exchange);
  }
  const bool welcome = note_origin(exchange);
  const Router::Found found = router_.find(*exchange);
  if (found.route == nullptr && found.allowed.empty()) {
    return exchange->answer(problem(*exchange, 404, "no_such_path", "there is nothing at " + exchange->request.path));
  }
  if (found.route == nullptr) {
    Response response = problem(*exchange, 405, "method_not_allowed", exchange->request.path + " takes " + found.allowed);
    response.fields.emplace_back("allow", found.allowed);
    return exchange->answer(std::move(response));
  }
  if (found.route->access == Access::open) return found.route->handler(exchange);
  if (!welcome) return refuse_origin(exchange);
  if (found.route->access == Access::page) return found.route->handler(exchange);
  identify(exchange, *found.route);
}

// Where anonymous is let in because it comes from this machine, it must have meant this machine: a name that a stranger's
// name server led here is no proof of that.
bool Door::is_from_here(const Request& request, const Connection& connection) const {
  const std::string* host = request.field("host");
  return connection.peer().loopback() && host != nullptr && is_local_host(*host);
}

bool Door::lacks_credentials(const Request& head, const Connection& connection) const {
  if (head.field("authorization") != nullptr || authenticator_.anonymous_allowed(is_from_here(head, connection))) return false;
  std::string target;
  const Route* route = router_.find(head, target).route;
  if (route == nullptr) return false;
  if (route->access == Access::ticketed) return head.query.find(kTicket) == std::string::npos;
  return route->access == Access::identified;
}

void Door::refuse_stranger(const ExchangeRef& exchange) const {
  if (!note_origin(exchange)) return refuse_origin(exchange);
  exchange->answer(unidentified(*exchange, "credentials_needed", "a user name and password are needed"));
}

// A page of an origin that is allowed may read every answer, also that there is nothing. False: it is of a stranger's.
bool Door::note_origin(const ExchangeRef& exchange) const {
  const std::string* origin = exchange->request.field("origin");
  const std::string* host = exchange->request.field("host");
  if (origin == nullptr) return true;
  const Connection* connection = find(exchange->connection);
  if (host != nullptr && is_same_origin(*origin, *host, connection != nullptr && connection->encrypted())) return true;
  if (std::find(options_->origins.begin(), options_->origins.end(), *origin) == options_->origins.end()) return false;
  exchange->foreign_origin = *origin;
  return true;
}

// A web page may make its reader's browser ask anything of anybody, with what the browser knows: a stranger's page must not
// use a broker that trusts this machine, or a password that the browser remembers.
void Door::refuse_origin(const ExchangeRef& exchange) {
  exchange->answer(problem(*exchange, 403, "origin_not_allowed", "web pages of " + *exchange->request.field("origin") + " are not in http.allowed_origins", "origin:"));
}

// A browser asks whether a page of another origin may ask what it is about to.
void Door::answer_preflight(const ExchangeRef& exchange) const {
  if (!note_origin(exchange)) return refuse_origin(exchange);
  exchange->answer({204, {{"access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE"},
                          {"access-control-allow-headers", "authorization, content-type, idempotency-key, arena-header, traceparent, tracestate, x-request-id, last-event-id, ce-specversion, ce-id, ce-source, ce-type, ce-subject, ce-time, ce-dataschema"},
                          {"access-control-max-age", "600"}}, {}});
}

// True: it has one, so that is how it is known, or it was refused for it.
bool Door::identify_by_ticket(const ExchangeRef& exchange, const Route& route) const {
  std::string ticket, rest;
  std::size_t tickets = 0;
  for (std::string_view query = exchange->request.query; !query.empty();) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (one.starts_with(kTicket)) {
      ++tickets;
      ticket = one.substr(kTicket.size());
    } else {
      rest += (rest.empty() ? "" : "&") + std::string(one);
    }
  }
  if (tickets == 0) return false;
  std::optional<Principal> who = redeem_ && tickets == 1 ? redeem_(ticket) : std::nullopt;
  if (!who) {
    exchange->answer(problem(*exchange, 401, "bad_ticket", "the ticket is of no use, or not any more: POST /v1/tickets gives another", "?ticket"));
    return true;
  }
  exchange->principal = std::move(*who);
  exchange->request.query = std::move(rest);
  route.handler(exchange);
  return true;
}

void Door::identify(const ExchangeRef& exchange, const Route& route) {
  Connection* connection = find(exchange->connection);
  if (connection == nullptr) return;
  if (route.access == Access::ticketed && identify_by_ticket(exchange, route)) return;
  const std::string* words = exchange->request.field("authorization");
  const std::optional<Known>& known = connection->known();
  if (known && words != nullptr && known->settings == settings_ && known->words == *words) {
    exchange->principal = known->principal;
    return route.handler(exchange);
  }
  Result<access::Credentials> credentials = credentials_in(words);
  if (!credentials) {
    return exchange->answer(problem(*exchange, 400, "bad_authorization", credentials.error().reason, "authorization:"));
  }
  // A body waits for the verification of a password as it did for its own end.
  Upload waiting(uploads_);
  if (!waiting.set(exchange->request.body.size(), options_->uploads_bytes_max)) {
    counters_.refuse(Refused::uploads);
    return exchange->answer(answer_to(*exchange, kNoRoom));
  }
  credentials->peer_loopback = is_from_here(exchange->request, *connection);
  credentials->peer_address = connection->address();
  authenticator_.authenticate(std::move(*credentials), [this, exchange, route = &route, held = std::move(waiting)](const Result<Principal, access::AuthRefusal>& result) {
    if (!exchange->gone()) on_identified(exchange, *route, result);
  });
}

void Door::on_identified(const ExchangeRef& exchange, const Route& route, const Result<Principal, access::AuthRefusal>& result) {
  if (!result && result.error() == access::AuthRefusal::busy) {
    counters_.refuse(Refused::password_queue);
    Response response = problem(*exchange, 503, "busy", "too many passwords are being verified: try again later");
    response.fields.emplace_back("retry-after", "1");
    return exchange->answer(std::move(response));
  }
  if (!result) {
    const bool wrong = result.error() == access::AuthRefusal::bad_credentials;
    return exchange->answer(wrong ? unidentified(*exchange, "bad_credentials", "the user name or the password is wrong")
                                  : unidentified(*exchange, "credentials_needed", "a user name and password are needed"));
  }
  exchange->principal = *result;
  const std::string* words = exchange->request.field("authorization");
  Connection* connection = find(exchange->connection);
  if (connection != nullptr && words != nullptr) connection->known() = Known{*words, *result, settings_};
  route.handler(exchange);
}

}  // namespace arena::gateway::http
