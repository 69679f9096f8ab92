#include "gateway/http/http1_connection.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "codec/websocket/handshake.h"
#include "gateway/http/door.h"

namespace arena::gateway::http {
namespace ah = arena::http;

namespace {

constexpr ah::Refusal kTooSlow{408, "request_timeout", "the request was not complete within http.request_timeout_ms"};

constexpr std::size_t kMuchBytes = 64 << 10;  // of output: less goes out at once, as a rule

ah::Http1Limits limits_of(const Options& options) { return {options.head_bytes_max, options.fields_max, options.body_bytes_max}; }

}  // namespace

Http1Connection::Http1Connection(Door& door, Parts parts) : Connection(door, std::move(parts)), parser_(limits_of(options())) {
  watch_time();
}

Http1Connection::~Http1Connection() { leave_exchanges(); }

// ---- requests in ----

void Http1Connection::on_data(std::string_view bytes) {
  door().counters().bytes_received.add(bytes.size());
  if (closing() || last_turn_) return;
  if (rest_.empty() && has_room() && !consuming_) return consume(bytes);
  rest_.append(bytes);
  go_on();
}

bool Http1Connection::has_room() const { return !may_leave_ && turns_.size() < options().pipelined_max && stream().writable(); }

// What there is no room for now waits, and the client with it.
void Http1Connection::consume(std::string_view bytes) {
  consuming_ = true;
  while (!closing() && !last_turn_ && has_room() && step(bytes)) {
  }
  consuming_ = false;
  if (closing()) return;
  if (upgraded_) {
    rest_.assign(bytes);
    return leave_http();
  }
  if (last_turn_) bytes = {};
  rest_.assign(bytes);
  const bool hold_back = !rest_.empty() || !has_room();
  if (hold_back && !held_back_) {
    if (!may_leave_) door().counters().held_back.add();
    stream().pause_reading();
  } else if (!hold_back && held_back_) {
    stream().resume_reading();
  }
  held_back_ = hold_back;
  watch_time();
}

// False: all there is was taken, or nothing more will be.
bool Http1Connection::step(std::string_view& bytes) {
  switch (parser_.feed(bytes)) {
    case ah::Http1Parser::Step::more:
      wants_rest();
      return false;
    case ah::Http1Parser::Step::proceed:
      if (!wants_rest()) return false;
      proceed_owed_ = true;
      send_proceed();
      return false;
    case ah::Http1Parser::Step::refused:
      refuse(parser_.refusal(), reason_of(parser_.refusal()));
      return false;
    case ah::Http1Parser::Step::complete:
      door().handle(open_turn(parser_.take()));
      return true;
  }
  return false;
}

// Of the request whose body is under way. False: it is answered without, in its turn, and then the connection ends, as the
// rest cannot be told from what follows.
bool Http1Connection::wants_rest() {
  const Request* head = parser_.head();
  if (head == nullptr) return true;
  if (door().lacks_credentials(*head, *this)) {
    Request request = parser_.take();
    request.body = {};
    request.keep_alive = false;
    door().refuse_stranger(open_turn(std::move(request)));
    return false;
  }
  if (hold(parser_.held_bytes())) return true;
  refuse(kNoRoom, Refused::uploads);
  return false;
}

ExchangeRef Http1Connection::open_turn(Request request) {
  hold(0);
  proceed_owed_ = false;
  clock_ = Clock::none;
  timer_.disarm();
  Turn turn;
  turn.framing = {request.keep_alive && !door().is_shut(), request.method == "HEAD", request.minor};
  last_turn_ = !turn.framing.keep_alive;
  const std::string* fate = request.field("connection");
  may_leave_ = fate != nullptr && request.minor == 1 && websocket::has_token(*fate, "upgrade");
  turn.exchange = open_exchange(*this, std::move(request));
  turns_.push_back(std::move(turn));
  return turns_.back().exchange;
}

// Answered in its turn, and then the connection ends: what follows cannot be trusted. Who begins with something else than
// HTTP would take our answer for its own protocol, as a broken client of HTTP/2 for a frame.
void Http1Connection::refuse(const ah::Refusal& refusal, Refused reason) {
  door().counters().refuse(reason);
  log::debug("http", "refused a request", {{"peer", peer().ip()}, {"reason", refusal.text}});
  if (refusal.code == ah::kNotHttpCode && silent()) return end();
  last_turn_ = true;
  if (parser_.head() != nullptr) parser_.take();  // its turn may come late, and nobody wants what came of it
  hold(0);
  Turn turn;
  turn.framing.keep_alive = false;
  turn.exchange = open_refused(*this);
  const ExchangeRef exchange = turn.exchange;
  turns_.push_back(std::move(turn));
  exchange->answer(answer_to(*exchange, refusal));
}

// Something that was waited for has come: room, or an answer.
void Http1Connection::go_on() {
  make_long();
  if (closing() || consuming_) return;
  if (upgraded_) return leave_http();
  send_proceed();
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
  return turn == turns_.end() || closing() ? nullptr : &*turn;
}

void Http1Connection::on_answer(Exchange& exchange, Response response) {
  Turn* turn = find(exchange);
  if (turn == nullptr) return;
  if (turn == &turns_.back()) may_leave_ = false;
  end_long(exchange);
  turn->response = std::move(response);
  send_ready();
  go_on();
}

// What follows on this connection would wait for an end that may never come.
void Http1Connection::on_begin(Exchange& exchange, Response head) {
  Turn* turn = find(exchange);
  if (turn == nullptr) return;
  if (turn == &turns_.back()) may_leave_ = false;
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
  const std::size_t before = stream().output().size();
  if (!turn->framing.without_body) ah::append_chunk(stream().output(), piece, turn->framing);
  door().counters().bytes_sent.add(stream().output().size() - before);
  stream().mark_dirty();
}

void Http1Connection::on_end(Exchange& exchange) {
  Turn* turn = find(exchange);
  if (turn == nullptr) return;
  turn->ended = true;
  send_ready();
}

void Http1Connection::on_upgrade(Exchange& exchange, Response head, OnUpgraded done) {
  Turn* turn = find(exchange);
  if (turn == nullptr || !may_leave_) return;
  turn->response = std::move(head);
  turn->upgraded = std::move(done);
  send_ready();
  go_on();
}

// Its last answer is out. Whoever takes the stream is its handler from now on.
void Http1Connection::leave_http() {
  if (held_back_) stream().resume_reading();
  OnUpgraded upgraded = std::move(upgraded_);
  Parts parts = leave();
  upgraded({std::move(parts.stream), std::move(rest_), std::move(parts.seat)});
}

bool Http1Connection::can_write(const Exchange& exchange) const {
  return !closing() && !turns_.empty() && turns_.front().exchange.get() == &exchange && turns_.front().begun && stream().writable();
}

void Http1Connection::on_abandon(Exchange&) { give_way(); }

// What was made waits for nobody, but for the one that is next to leave.
bool Http1Connection::has_room_for_long(const Exchange& next) const {
  if (!stream().writable()) return false;
  const bool is_next = !turns_.empty() && turns_.front().exchange.get() == &next;
  return is_next || std::none_of(turns_.begin(), turns_.end(), [](const Turn& turn) { return turn.response.has_value() && !turn.begun; });
}

void Http1Connection::on_writable() {
  if (!turns_.empty() && turns_.front().begun && turns_.front().exchange->on_room) turns_.front().exchange->on_room();
  go_on();
}

void Http1Connection::send_ready() {
  while (!closing() && !upgraded_ && !turns_.empty() && turns_.front().response) {
    Turn& turn = turns_.front();
    if (turn.in_pieces && !send_pieces(turn)) return;
    if (!turn.in_pieces) send(turn);
    const bool goes_on = turn.framing.keep_alive;
    if (goes_on) upgraded_ = std::move(turn.upgraded);
    turns_.pop_front();
    if (!goes_on) end();
  }
}

// Behind answers that are still to come it would be taken for theirs.
void Http1Connection::send_proceed() {
  if (!proceed_owed_ || !turns_.empty()) return;
  proceed_owed_ = false;
  stream().write(ah::kContinue);
}

// True: to its end.
bool Http1Connection::send_pieces(Turn& turn) {
  if (!turn.begun) {
    prepare(turn);
    ah::append_stream_head(stream().output(), *turn.response, turn.framing);
    turn.begun = true;
    on_write(*turn.exchange, std::exchange(turn.held, {}));
    stream().mark_dirty();
    // Not from inside whatever made room for it.
    door().loop().defer([exchange = turn.exchange] {
      if (exchange->on_room) exchange->on_room();
    });
  }
  if (!turn.ended) return false;
  ah::append_last_chunk(stream().output(), turn.framing);
  stream().mark_dirty();
  return true;
}

void Http1Connection::prepare(Turn& turn) {
  complete(*turn.exchange, *turn.response);
  if (door().is_shut()) turn.framing.keep_alive = false;
}

void Http1Connection::send(Turn& turn) {
  prepare(turn);
  const std::size_t before = stream().output().size();
  ah::append_response(stream().output(), *turn.response, turn.framing);
  door().counters().bytes_sent.add(stream().output().size() - before);
  stream().mark_dirty();
}

// ---- time and the end ----

// While the client waits for us, or we do not read what it sends, no time runs.
Http1Connection::Clock Http1Connection::wanted_clock() const {
  const bool waits_for_client = stream().output_bytes() > kMuchBytes || (held_back_ && !stream().writable());
  // Of what comes in pieces their maker says when.
  if (waits_for_client && (turns_.empty() || !turns_.front().begun)) return Clock::stuck;
  if (last_turn_ || held_back_ || proceed_owed_) return Clock::none;
  if (silent()) return Clock::first;
  if (!parser_.between()) return Clock::request;
  return turns_.empty() ? Clock::idle : Clock::none;
}

// More bytes do not bring more time.
void Http1Connection::watch_time() {
  if (closing()) return;
  const Clock wanted = wanted_clock();
  if (wanted == clock_) return;
  clock_ = wanted;
  switch (wanted) {
    case Clock::none: return timer_.disarm();
    case Clock::stuck:
      stuck_bytes_ = stream().output_bytes();
      return door().loop().arm(timer_, options().stall_timeout_ms);
    case Clock::first: return door().loop().arm(timer_, first_request_ms());
    case Clock::request: return door().loop().arm(timer_, options().request_timeout_ms);
    case Clock::idle: return door().loop().arm(timer_, options().idle_timeout_ms);
  }
}

// Since then it has taken nothing, or it has, and the same time begins again.
void Http1Connection::look_at_output() {
  if (stream().output_bytes() < stuck_bytes_) return watch_time();
  door().counters().stuck_closed.add();
  give_way();
}

void Http1Connection::on_time() {
  if (std::exchange(clock_, Clock::none) == Clock::stuck) return look_at_output();
  if (!parser_.between()) return refuse(kTooSlow, Refused::request_timeout);
  if (silent()) {
    door().counters().refuse(Refused::request_timeout);
  } else {
    door().counters().idle_closed.add();
  }
  end();
}

void Http1Connection::leave_exchanges() {
  for (const Turn& turn : turns_) turn.exchange->leave();
}

void Http1Connection::shut() {
  last_turn_ = true;
  if (turns_.empty()) return end();
}

}  // namespace arena::gateway::http
