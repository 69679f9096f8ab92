#include "gateway/http/http1_connection.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace arena::gateway::http {
namespace ah = arena::http;

namespace {

constexpr ah::Refusal kTooSlow{408, "request_timeout", "the request was not complete within http.request_timeout_ms"};

ah::Http1Limits limits_of(const Options& options) { return {options.head_bytes_max, options.fields_max, options.body_bytes_max}; }

Refused reason_of(const ah::Refusal& refusal) {
  if (refusal.code == "head_too_large") return Refused::head_too_large;
  if (refusal.code == "too_many_fields") return Refused::too_many_fields;
  if (refusal.code == "body_too_large") return Refused::body_too_large;
  return Refused::malformed;
}

}  // namespace

Http1Connection::Http1Connection(Door& door, uint64_t id, std::unique_ptr<net::Stream> stream, access::Seat seat)
    : door_(door),
      id_(id),
      stream_(std::move(stream)),
      seat_(std::move(seat)),
      options_(door.options()),
      parser_(limits_of(*options_)),
      timer_(&Http1Connection::on_timer, this) {
  stream_->set_handler(this);
}

Http1Connection::~Http1Connection() {
  for (const Turn& turn : turns_) turn.exchange->leave();
}

Silent& Http1Connection::be_silent() {
  Silent& silent = silent_.emplace(*this);
  watch_time();
  return silent;
}

// ---- requests in ----

void Http1Connection::on_data(std::string_view bytes) {
  door_.counters().bytes_received.add(bytes.size());
  if (closing_ || last_turn_) return;
  if (rest_.empty() && has_room() && !consuming_) return consume(bytes);
  rest_.append(bytes);
  go_on();
}

bool Http1Connection::has_room() const { return turns_.size() < options_->pipelined_max && stream_->writable(); }

// What there is no room for now waits, and the client with it.
void Http1Connection::consume(std::string_view bytes) {
  consuming_ = true;
  while (!closing_ && !last_turn_ && has_room() && step(bytes)) {
  }
  consuming_ = false;
  if (closing_) return;
  if (last_turn_) bytes = {};
  rest_.assign(bytes);
  const bool hold_back = !rest_.empty() || !has_room();
  if (hold_back && !held_back_) {
    door_.counters().held_back.add();
    stream_->pause_reading();
  } else if (!hold_back && held_back_) {
    stream_->resume_reading();
  }
  held_back_ = hold_back;
  watch_time();
}

// False: all there is was taken, or nothing more will be.
bool Http1Connection::step(std::string_view& bytes) {
  switch (parser_.feed(bytes)) {
    case ah::Http1Parser::Step::more:
      return false;
    case ah::Http1Parser::Step::proceed:
      // Behind answers that are still to come it would be taken for theirs; the client will go on without it.
      if (turns_.empty()) stream_->write(ah::kContinue);
      return false;
    case ah::Http1Parser::Step::refused:
      refuse(parser_.refusal(), reason_of(parser_.refusal()));
      return false;
    case ah::Http1Parser::Step::complete:
      begin(parser_.take());
      return true;
  }
  return false;
}

void Http1Connection::begin(Request request) {
  silent_.reset();
  seat_.leave_half_open();
  clock_ = Clock::none;
  timer_.disarm();
  door_.counters().requests.add();
  Turn turn;
  turn.framing = {request.keep_alive && !door_.is_shut(), request.method == "HEAD", request.minor};
  last_turn_ = !turn.framing.keep_alive;
  const std::string* own_id = request.field("x-request-id");
  const bool usable = own_id != nullptr && !own_id->empty() && own_id->size() <= 64 &&
                      std::all_of(own_id->begin(), own_id->end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
  std::string id = usable ? *own_id : door_.next_request_id();
  turn.exchange = std::make_shared<Exchange>(*this, std::move(request), std::move(id));
  turn.exchange->connection = id_;
  turns_.push_back(turn);
  door_.handle(turn.exchange);
}

// Answered in its turn, and then the connection ends: what follows cannot be trusted.
void Http1Connection::refuse(const ah::Refusal& refusal, Refused reason) {
  door_.counters().refuse(reason);
  log::debug("http", "refused a request", {{"peer", peer().ip()}, {"reason", refusal.text}});
  last_turn_ = true;
  silent_.reset();
  Turn turn;
  turn.framing.keep_alive = false;
  turn.exchange = std::make_shared<Exchange>(*this, Request{}, door_.next_request_id());
  turns_.push_back(turn);
  turn.exchange->answer(problem(*turn.exchange, refusal.status, refusal.code, refusal.text));
}

// Something that was waited for has come: room, or an answer.
void Http1Connection::go_on() {
  if (closing_ || consuming_) return;
  if (held_back_ || !rest_.empty()) {
    const std::string waited = std::exchange(rest_, {});
    consume(waited);
  } else {
    watch_time();
  }
}

// ---- answers out ----

Http1Connection::Turn* Http1Connection::find(const Exchange& exchange) {
  const auto turn = std::find_if(turns_.begin(), turns_.end(), [&](const Turn& one) { return one.exchange.get() == &exchange; });
  return turn == turns_.end() || closing_ ? nullptr : &*turn;
}

void Http1Connection::on_answer(Exchange& exchange, Response response) {
  Turn* turn = find(exchange);
  if (turn == nullptr) return;
  turn->response = std::move(response);
  send_ready();
  go_on();
}

// What follows on this connection would wait for an end that may never come.
void Http1Connection::on_begin(Exchange& exchange, Response head) {
  Turn* turn = find(exchange);
  if (turn == nullptr) return;
  turn->response = std::move(head);
  turn->in_pieces = true;
  turn->framing.keep_alive = false;
  last_turn_ = true;
  send_ready();
  go_on();
}

void Http1Connection::on_write(Exchange& exchange, std::string_view piece) {
  Turn* turn = find(exchange);
  if (turn == nullptr) return;
  if (!turn->begun) {
    turn->held += piece;
    return;
  }
  const std::size_t before = stream_->output().size();
  if (!turn->framing.without_body) ah::append_chunk(stream_->output(), piece, turn->framing);
  door_.counters().bytes_sent.add(stream_->output().size() - before);
  stream_->mark_dirty();
}

void Http1Connection::on_end(Exchange& exchange) {
  Turn* turn = find(exchange);
  if (turn == nullptr) return;
  turn->ended = true;
  send_ready();
}

bool Http1Connection::can_write(const Exchange& exchange) const {
  return !closing_ && !turns_.empty() && turns_.front().exchange.get() == &exchange && turns_.front().begun && stream_->writable();
}

void Http1Connection::on_abandon(Exchange&) { give_way(); }

void Http1Connection::on_writable() {
  if (!turns_.empty() && turns_.front().begun && turns_.front().exchange->on_room) turns_.front().exchange->on_room();
  go_on();
}

void Http1Connection::send_ready() {
  while (!closing_ && !turns_.empty() && turns_.front().response) {
    Turn& turn = turns_.front();
    if (turn.in_pieces && !send_pieces(turn)) return;
    if (!turn.in_pieces) send(turn);
    const bool goes_on = turn.framing.keep_alive;
    turns_.pop_front();
    if (!goes_on) end();
  }
}

// True: to its end.
bool Http1Connection::send_pieces(Turn& turn) {
  if (!turn.begun) {
    prepare(turn);
    ah::append_stream_head(stream_->output(), *turn.response, turn.framing);
    turn.begun = true;
    on_write(*turn.exchange, std::exchange(turn.held, {}));
    stream_->mark_dirty();
    // Not from inside whatever made room for it.
    door_.loop().defer([exchange = turn.exchange] {
      if (exchange->on_room) exchange->on_room();
    });
  }
  if (!turn.ended) return false;
  ah::append_last_chunk(stream_->output(), turn.framing);
  stream_->mark_dirty();
  return true;
}

void Http1Connection::prepare(Turn& turn) {
  Response& response = *turn.response;
  response.fields.insert(response.fields.begin(), {{"date", ah::date_text(door_.loop().wall_ms())}, {"x-request-id", turn.exchange->id}});
  add_security_fields(*turn.exchange, response);
  door_.counters().answers[std::clamp(response.status / 100, 1, 5)].add();
  if (door_.is_shut()) turn.framing.keep_alive = false;
}

void Http1Connection::send(Turn& turn) {
  prepare(turn);
  const std::size_t before = stream_->output().size();
  ah::append_response(stream_->output(), *turn.response, turn.framing);
  door_.counters().bytes_sent.add(stream_->output().size() - before);
  stream_->mark_dirty();
}

// ---- time and the end ----

// While the client waits for us, or we do not read what it sends, no time runs.
Http1Connection::Clock Http1Connection::wanted_clock() const {
  if (last_turn_ || held_back_) return Clock::none;
  if (silent_) return Clock::first;
  if (!parser_.between()) return Clock::request;
  return turns_.empty() ? Clock::idle : Clock::none;
}

// More bytes do not bring more time.
void Http1Connection::watch_time() {
  if (closing_) return;
  const Clock wanted = wanted_clock();
  if (wanted == clock_) return;
  clock_ = wanted;
  if (wanted == Clock::none) {
    timer_.disarm();
  } else {
    door_.loop().arm(timer_, wanted == Clock::idle ? options_->idle_timeout_ms : options_->request_timeout_ms);
  }
}

void Http1Connection::on_timer(void* self) {
  Http1Connection& connection = *static_cast<Http1Connection*>(self);
  connection.clock_ = Clock::none;
  if (!connection.parser_.between()) return connection.refuse(kTooSlow, Refused::request_timeout);
  if (connection.silent_) {
    connection.door_.counters().refuse(Refused::request_timeout);
  } else {
    connection.door_.counters().idle_closed.add();
  }
  connection.end();
}

void Http1Connection::end() {
  if (closing_) return;
  closing_ = true;
  timer_.disarm();
  silent_.reset();
  seat_.leave_half_open();
  for (const Turn& turn : turns_) turn.exchange->leave();
  stream_->close();
}

void Http1Connection::shut() {
  last_turn_ = true;
  if (turns_.empty()) return end();
}

void Http1Connection::give_way() {
  closing_ = true;
  timer_.disarm();
  for (const Turn& turn : turns_) turn.exchange->leave();
  silent_.reset();
  seat_ = {};
  stream_->abort();
  door_.bury(*this);
}

void Http1Connection::on_closed(net::CloseReason) {
  closing_ = true;
  timer_.disarm();
  silent_.reset();
  for (const Turn& turn : turns_) turn.exchange->leave();
  door_.bury(*this);
}

}  // namespace arena::gateway::http
