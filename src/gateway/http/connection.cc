#include "gateway/http/connection.h"

#include <algorithm>
#include <utility>

#include "gateway/http/door.h"

namespace arena::gateway::http {
namespace {

// The client's own, where it is fit for a log.
bool is_usable_id(const std::string* id) {
  return id != nullptr && !id->empty() && id->size() <= 64 &&
         std::all_of(id->begin(), id->end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

}  // namespace

const arena::http::Refusal kNoRoom{503, "busy", "the bodies of all requests under way are as large as http.uploads_bytes_max: try again later"};

Refused reason_of(const arena::http::Refusal& refusal) {
  if (refusal.code == "head_too_large") return Refused::head_too_large;
  if (refusal.code == "too_many_fields") return Refused::too_many_fields;
  if (refusal.code == "body_too_large") return Refused::body_too_large;
  if (refusal.code == "request_timeout") return Refused::request_timeout;
  if (refusal.code == kNoRoom.code) return Refused::uploads;
  return Refused::malformed;
}

Response answer_to(const Exchange& exchange, const arena::http::Refusal& refusal) {
  Response response = problem(exchange, refusal.status, refusal.code, refusal.text);
  if (refusal.status == 503) response.fields.emplace_back("retry-after", "1");
  return response;
}

Connection::Connection(Door& door, Parts parts)
    : timer_(&Connection::fire, this), door_(door), parts_(std::move(parts)), options_(door.options()), upload_(door.uploads()) {
  parts_.stream->set_handler(this);
  if (parts_.silent) parts_.silent->connection = this;
}

Silent& Connection::be_silent() {
  parts_.silent = std::make_unique<Silent>(*this);
  return *parts_.silent;
}

int64_t Connection::first_request_ms() const {
  return std::max<int64_t>(parts_.accepted_ms + options_->request_timeout_ms - door_.loop().now_ms(), 1);
}

ExchangeRef Connection::open_exchange(AnswerSink& sink, Request request) {
  parts_.silent.reset();
  parts_.seat.leave_half_open();
  door_.counters().requests.add();
  const std::string* own = request.field("x-request-id");
  std::string id = is_usable_id(own) ? *own : door_.next_request_id();
  auto exchange = std::make_shared<Exchange>(sink, std::move(request), std::move(id));
  exchange->connection = parts_.id;
  return exchange;
}

ExchangeRef Connection::open_refused(AnswerSink& sink) {
  return std::make_shared<Exchange>(sink, Request{}, door_.next_request_id());
}

bool Connection::hold(std::size_t bytes) { return upload_.set(bytes, door_.options()->uploads_bytes_max); }

void Connection::complete(const Exchange& exchange, Response& response) {
  response.fields.reserve(response.fields.size() + 2);
  response.fields.emplace_back("date", door_.date());
  response.fields.emplace_back("x-request-id", exchange.id);
  if (response.status != 101) add_security_fields(exchange, response);
  door_.counters().answers[std::clamp(response.status / 100, 1, 5)].add();
}

// ---- long answers ----

void Connection::take_long(ExchangeRef exchange, UniqueFunction<void()> make) {
  if (!long_waiting_) long_waiting_ = std::make_unique<std::deque<std::pair<ExchangeRef, UniqueFunction<void()>>>>();
  long_waiting_->emplace_back(std::move(exchange), std::move(make));
  make_long();
}

void Connection::make_long() {
  if (!long_waiting_) return;
  if (closing_ || long_made_) return;
  std::erase_if(*long_waiting_, [](const auto& one) { return one.first->gone() || one.first->answered(); });
  const auto next = std::find_if(long_waiting_->begin(), long_waiting_->end(), [this](const auto& one) { return has_room_for_long(*one.first); });
  if (next == long_waiting_->end()) return;
  auto [exchange, make] = std::move(*next);
  long_waiting_->erase(next);
  long_made_ = exchange->is_long = true;
  make();  // the connection may be gone behind this
}

void Connection::end_long(Exchange& exchange) {
  if (!std::exchange(exchange.is_long, false)) return;
  long_made_ = false;
  door_.loop().defer([door = &door_, id = id()] {
    if (Connection* connection = door->find(id)) connection->make_long();
  });
}

// ---- the end ----

void Connection::stop() {
  closing_ = true;
  timer_.disarm();
  parts_.silent.reset();
  leave_exchanges();
}

void Connection::end() {
  if (closing_) return;
  stop();
  parts_.seat.leave_half_open();
  stream().close();
}

Connection::Parts Connection::leave() {
  stop();
  Parts parts = hand_on();
  door_.bury(*this);
  return parts;
}

void Connection::give_way() {
  stop();
  parts_.seat = {};
  stream().abort();
  door_.bury(*this);
}

void Connection::on_closed(net::CloseReason) {
  stop();
  door_.bury(*this);
}

}  // namespace arena::gateway::http
