#include "codec/http/http2_state.h"

#include <nghttp2/nghttp2.h>

#include <utility>

namespace arena::http {

Http2Session::State::State(const Http2Limits& its_limits, WantsBody its_wants_body)
    : limits(its_limits), wants_body(std::move(its_wants_body)), session(make_nghttp2_session(*this)), resets(limits.resets_per_s), control_frames(limits.control_frames_per_s) {}

Http2Session::State::~State() { nghttp2_session_del(session); }

Http2Stream* Http2Session::State::find(uint32_t id) const {
  const auto it = streams.find(id);
  return it == streams.end() ? nullptr : it->second.get();
}

// The library would pass over a head on a stream that was never opened as if it had been closed long ago.
bool Http2Session::State::may_have_head(uint32_t id) {
  if (id > newest) {
    const uint32_t steps = (id - newest + 1) / 2;
    opened = (steps < 64 ? opened << steps : 0) | 1;
    newest = id;
    return true;
  }
  const uint32_t before = (newest - id) / 2;
  return before >= 64 || (opened >> before & 1) != 0;
}

void Http2Session::State::open_stream(uint32_t id) {
  streams.emplace(id, std::make_unique<Http2Stream>(id, limits, now_ms));
  incomplete.push_back(id);
}

void Http2Session::State::close_stream(uint32_t id) {
  const auto it = streams.find(id);
  if (it == streams.end()) return;
  const std::unique_ptr<Http2Stream> stream = std::move(it->second);
  streams.erase(it);
  if (!stream->ready) std::erase(incomplete, id);
  std::erase(lingering, id);
  if (stream->handed_out) closed.push_back(id);
  bodies_bytes -= stream->body_bytes;
  let_go_of_body(*stream);
  drop_output(*stream);
  give_windows();
}

void Http2Session::State::make_ready(Http2Stream& stream) {
  if (stream.ready) return;
  stream.ready = true;
  std::erase(incomplete, stream.id);
  ready.push_back(stream.id);
  if (stream.request.refusal() != nullptr) let_go_of_body(stream);
  give_windows();
}

void Http2Session::State::let_go_of_body(Http2Stream& stream) { held_bytes -= std::exchange(stream.held_bytes, 0); }

// Answered before all of the request came: the rest is not wanted. A client that is told so at once may not look at the answer.
void Http2Session::State::linger(Http2Stream& stream) {
  stream.lingers_ms = now_ms;
  lingering.push_back(stream.id);
}

// The oldest incomplete request always goes on, so that bodies which together are too large do not wait for each other.
void Http2Session::State::give_window(Http2Stream& stream) {
  if (stream.owed == 0 || stream.ready) return;
  if (bodies_bytes > limits.bodies_bytes_max && incomplete.front() != stream.id) {
    if (!std::exchange(stream.held_back, true)) ++told.held_back;
    return;
  }
  stream.held_back = false;
  nghttp2_session_consume_stream(session, static_cast<int32_t>(stream.id), std::exchange(stream.owed, 0));
}

// The oldest may be another one now, or less be held. Of complete requests nothing is given back.
void Http2Session::State::give_windows() {
  for (const uint32_t id : incomplete) give_window(*find(id));
}

void Http2Session::State::write(Http2Stream& stream, std::string_view piece, int64_t at_ms) {
  if (stream.ended || piece.empty()) return;
  if (stream.waiting() == 0) {
    stream.out.clear();
    stream.out_at = 0;
    stream.moved_ms = at_ms;
  }
  stream.out.append(piece);
  waiting_bytes += piece.size();
}

void Http2Session::State::drop_output(Http2Stream& stream) {
  waiting_bytes -= stream.waiting();
  stream.out = {};
  stream.out_at = 0;
}

}  // namespace arena::http
