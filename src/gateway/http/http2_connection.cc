#include "gateway/http/http2_connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "gateway/http/door.h"

namespace arena::gateway::http {
namespace ah = arena::http;

namespace {

constexpr ah::Refusal kTooSlow{408, "request_timeout", "the request was not complete within http.request_timeout_ms"};
constexpr int64_t kHearMs = 1000;   // so long a client may take to hear that the connection ends
constexpr int64_t kLingerMs = 500;  // or that its request is answered

ah::Http2Limits limits_of(const Options& options) {
  ah::Http2Limits limits;
  limits.head_bytes_max = options.head_bytes_max;
  limits.fields_max = options.fields_max;
  limits.body_bytes_max = options.body_bytes_max;
  limits.bodies_bytes_max = options.bodies_bytes_max;
  limits.streams_max = options.streams_max;
  limits.continuations_max = options.continuations_max;
  limits.resets_per_s = options.resets_per_s;
  limits.control_frames_per_s = options.control_frames_per_s;
  limits.stream_output_bytes_max = options.stream_output_bytes_max;
  return limits;
}

Refused reason_of(ah::Http2End why) {
  switch (why) {
    case ah::Http2End::resets: return Refused::resets;
    case ah::Http2End::control_frames: return Refused::control_frames;
    case ah::Http2End::continuations: return Refused::continuations;
    case ah::Http2End::head_bomb: return Refused::head_too_large;
    case ah::Http2End::head_too_slow: return Refused::request_timeout;
    case ah::Http2End::malformed:
    case ah::Http2End::none: break;
  }
  return Refused::malformed;
}

}  // namespace

Http2Connection::Http2Connection(Door& door, Parts parts) : Connection(door, std::move(parts)), session_(limits_of(options()), [this](const Request& head) { return !this->door().lacks_credentials(head, *this); }) {
  door.counters().http2_connections.add();
  watch_time();
}

Http2Connection::~Http2Connection() {
  door().counters().http2_connections.sub();
  leave_exchanges();
}

// ---- requests in ----

void Http2Connection::on_data(std::string_view bytes) {
  door().counters().bytes_received.add(bytes.size());
  if (closing()) return;
  session_.feed(bytes, door().loop().now_ms());
  work();
}

// All that can go on goes on.
void Http2Connection::work() {
  if (closing() || std::exchange(working_, true)) return;
  forget_closed();
  take_requests();
  if (!hold_bodies()) take_requests();
  if (ending_ && session_.end_heard()) refuse_new();
  send();
  forget_closed();
  working_ = false;
  if (closing()) return;
  count();
  if (session_.over()) return end();
  watch_time();
}

// While much waits for the client, what it asks for more waits, too: its answers would only be added.
bool Http2Connection::may_take() const { return stream().writable() && session_.waiting_bytes() <= 16 * options().stream_output_bytes_max; }

void Http2Connection::take_requests() {
  while (!closing() && may_take()) {
    std::optional<ah::Http2Session::Arrival> arrival = session_.next();
    if (!arrival) return;
    begin(std::move(*arrival));
  }
}

// False: there was no room for all, and some are refused.
bool Http2Connection::hold_bodies() {
  if (hold(session_.held_bytes())) return true;
  while (session_.refuse_youngest_body(kNoRoom) && !hold(session_.held_bytes())) {
  }
  return false;
}

void Http2Connection::begin(ah::Http2Session::Arrival arrival) {
  clock_ = Clock::none;
  timer_.disarm();
  hold(session_.held_bytes());  // the door holds what was handed out
  const ah::Refusal* refusal = arrival.refusal;
  ExchangeRef exchange = refusal == nullptr ? open_exchange(*this, std::move(arrival.request)) : open_refused(*this);
  exchange->stream = arrival.stream;
  open_.emplace(arrival.stream, Open{exchange});
  if (refusal == nullptr) return arrival.unwanted ? door().refuse_stranger(exchange) : door().handle(exchange);
  door().counters().refuse(reason_of(*refusal));
  log::debug("http", "refused a request", {{"peer", peer().ip()}, {"reason", refusal->text}});
  exchange->answer(answer_to(*exchange, *refusal));
}

// The client has reset them, or they are at their end.
void Http2Connection::forget_closed() {
  for (const uint32_t id : session_.take_closed()) {
    const auto it = open_.find(id);
    if (it == open_.end()) continue;
    const ExchangeRef exchange = std::move(it->second.exchange);
    open_.erase(it);
    end_long(*exchange);
    exchange->leave();
  }
}

void Http2Connection::count() {
  const ah::Http2Session::Told told = session_.take_told();
  for (uint32_t i = 0; i < told.malformed; ++i) door().counters().refuse(Refused::malformed);
  for (uint32_t i = 0; i < told.too_many_streams; ++i) door().counters().refuse(Refused::streams);
  door().counters().held_back.add(told.held_back);
  if (session_.over() && session_.why() != ah::Http2End::none) door().counters().refuse(reason_of(session_.why()));
}

// ---- answers out ----

Http2Connection::Open* Http2Connection::find(const Exchange& exchange) {
  const auto it = open_.find(exchange.stream);
  return it == open_.end() || it->second.exchange.get() != &exchange || closing() ? nullptr : &it->second;
}

void Http2Connection::on_answer(Exchange& exchange, Response response) {
  if (find(exchange) == nullptr) return;
  end_long(exchange);
  complete(exchange, response);
  session_.answer(exchange.stream, response, door().loop().now_ms());
  work_later();
}

void Http2Connection::on_begin(Exchange& exchange, Response head) {
  Open* open = find(exchange);
  if (open == nullptr) return;
  open->in_pieces = true;
  complete(exchange, head);
  session_.begin(exchange.stream, head);
  work_later();
}

void Http2Connection::on_write(Exchange& exchange, std::string_view piece) {
  if (find(exchange) == nullptr) return;
  session_.write(exchange.stream, piece, door().loop().now_ms());
  work_later();
}

void Http2Connection::on_end(Exchange& exchange) {
  if (find(exchange) == nullptr) return;
  session_.end(exchange.stream);
  work_later();
}

bool Http2Connection::can_write(const Exchange& exchange) const {
  const auto it = open_.find(exchange.stream);
  if (it == open_.end() || closing() || !it->second.in_pieces) return false;
  const bool room = stream().writable() && session_.has_room(exchange.stream);
  if (!room) it->second.wants_room = true;
  return room;
}

// The other streams of the connection do not suffer for it.
void Http2Connection::on_abandon(Exchange& exchange) {
  if (find(exchange) == nullptr) return;
  session_.reset(exchange.stream);
  const auto it = open_.find(exchange.stream);
  const ExchangeRef gone = std::move(it->second.exchange);
  open_.erase(it);
  end_long(*gone);
  gone->leave();
  work_later();
}

void Http2Connection::on_writable() { work(); }

// What handlers write in one turn leaves together.
void Http2Connection::work_later() {
  if (working_ || std::exchange(work_owed_, true)) return;
  door().loop().defer([door = &door(), id = id()] {
    if (Connection* connection = door->find(id)) static_cast<Http2Connection*>(connection)->go_on();
  });
}

void Http2Connection::go_on() {
  work_owed_ = false;
  work();
}

void Http2Connection::send() {
  if (closing()) return;
  std::string& out = stream().output();
  const std::size_t before = out.size();
  const int64_t now_ms = door().loop().now_ms();
  while (stream().writable() && session_.send(out, now_ms)) {
  }
  door().counters().bytes_sent.add(out.size() - before);
  stream().mark_dirty();
  tell_of_room();
  make_long();
}

// Not from inside whatever made room.
void Http2Connection::tell_of_room() {
  for (auto& [id, open] : open_) {
    if (!open.wants_room || !can_write(*open.exchange)) continue;
    open.wants_room = false;
    door().loop().defer([exchange = open.exchange] {
      if (exchange->on_room) exchange->on_room();
    });
  }
}

// ---- time ----

Http2Connection::Clock Http2Connection::wanted_clock() const {
  if (ending_ && !refuses_new_) return Clock::ending;
  if (silent() && !refuses_new_) return Clock::first;
  if (session_.has_open_work()) return Clock::work;
  return session_.streams() == 0 ? Clock::idle : Clock::none;
}

// Often enough that no time is missed by much.
int64_t Http2Connection::look_ms() const {
  return std::clamp<int64_t>(std::min(options().request_timeout_ms, options().stall_timeout_ms) / 20, 10, 1000);
}

// More bytes do not bring more time.
void Http2Connection::watch_time() {
  const Clock wanted = wanted_clock();
  if (wanted == clock_) return;
  clock_ = wanted;
  switch (wanted) {
    case Clock::none: return timer_.disarm();
    case Clock::first: return door().loop().arm(timer_, first_request_ms());
    case Clock::idle: return door().loop().arm(timer_, options().idle_timeout_ms);
    case Clock::work: return door().loop().arm(timer_, look_ms());
    case Clock::ending: return door().loop().arm(timer_, kHearMs);
  }
}

void Http2Connection::on_time() {
  switch (std::exchange(clock_, Clock::none)) {
    case Clock::none: return;
    case Clock::work: return look();
    case Clock::ending: break;
    case Clock::first: door().counters().refuse(Refused::request_timeout); break;
    case Clock::idle: door().counters().idle_closed.add(); break;
  }
  if (refuses_new_) return end();  // and it did not take that
  refuse_new();
  work();
}

void Http2Connection::look() {
  const int64_t now_ms = door().loop().now_ms();
  session_.refuse_slow(now_ms - options().request_timeout_ms, kTooSlow);
  session_.reset_unwanted(now_ms - kLingerMs);
  const std::size_t stuck = session_.reset_stuck(now_ms - options().stall_timeout_ms);
  for (std::size_t i = 0; i < stuck; ++i) door().counters().stuck_closed.add();
  // Not even a word about it would leave, or nothing can: this is no slow reader.
  if (stuck != 0 && (!stream().writable() || session_.is_stalled())) return give_way();
  work();
}

// ---- the end ----

// The client may have opened requests that are on their way: those are still taken.
void Http2Connection::shut() {
  if (closing() || std::exchange(ending_, true)) return;
  session_.announce_end();
  work();
}

void Http2Connection::refuse_new() {
  if (!std::exchange(refuses_new_, true)) session_.refuse_new();
}

void Http2Connection::leave_exchanges() {
  for (auto& [id, open] : std::exchange(open_, {})) open.exchange->leave();
}

}  // namespace arena::gateway::http
