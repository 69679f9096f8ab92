#include "codec/http/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "codec/http/http2_state.h"

namespace arena::http {
namespace {

// A stream of a connection of which much waits already has room for so much only.
constexpr std::size_t kLittleBytes = 4 << 10;
constexpr std::size_t kCompactBytes = 64 << 10;

int32_t wire_id(uint32_t stream) { return static_cast<int32_t>(stream); }

uint32_t code_of(Http2End why) { return why == Http2End::malformed ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM; }

Http2End reason_of(ssize_t fault) {
  if (fault == NGHTTP2_ERR_FLOODED) return Http2End::control_frames;
  if (fault == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) return Http2End::continuations;
  return Http2End::malformed;
}

// Made here and not by the library, which is in no state to after some of what ends a connection.
void append_goaway(std::string& out, uint32_t last_stream, uint32_t code) {
  const auto append_u32 = [&out](uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
  };
  out.append({0, 0, 8, NGHTTP2_GOAWAY, 0, 0, 0, 0, 0});
  append_u32(last_stream);
  append_u32(code);
}

// What may not stand in a value would end the stream at a client that looks.
std::string clean(std::string_view value) {
  const auto may_stand = [](char c) { return static_cast<unsigned char>(c) > ' '; };
  if (!value.empty() && may_stand(value.front()) && may_stand(value.back()) &&
      std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) >= ' '; })) {
    return std::string(value);
  }
  std::string out;
  for (const char c : value) {
    if (c != '\r' && c != '\n' && c != '\0') out.push_back(c);
  }
  const std::size_t first = out.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return out.substr(first, out.find_last_not_of(" \t") + 1 - first);
}

ssize_t read_output(nghttp2_session*, int32_t stream_id, uint8_t* room, std::size_t size, uint32_t* flags, nghttp2_data_source* source, void*) {
  auto& state = *static_cast<Http2Session::State*>(source->ptr);
  Http2Stream* stream = state.find(static_cast<uint32_t>(stream_id));
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const std::size_t taken = std::min(size, stream->waiting());
  std::memcpy(room, stream->out.data() + stream->out_at, taken);
  stream->out_at += taken;
  state.waiting_bytes -= taken;
  stream->moved_ms = state.now_ms;
  if (stream->out_at >= kCompactBytes) {
    stream->out.erase(0, std::exchange(stream->out_at, 0));
  }
  const bool all = stream->waiting() == 0;
  if (all && stream->ended) *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (taken == 0 && !stream->ended) return NGHTTP2_ERR_DEFERRED;
  return static_cast<ssize_t>(taken);
}

nghttp2_nv wire_field(std::string_view name, std::string_view value, uint8_t flags) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())), reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), flags};
}

void submit(Http2Session::State& state, const Http2Stream& stream, const Fields& fields, std::span<const FixedField> fixed, bool with_body) {
  constexpr uint8_t kLiteral = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
  std::vector<nghttp2_nv> wire;
  wire.reserve(fields.size() + fixed.size());
  for (const auto& [name, value] : fields) {
    // No two answers have the same, so that it would only drive others out of the table of what was said.
    wire.push_back(wire_field(name, value, name == "x-request-id" ? uint8_t{NGHTTP2_NV_FLAG_NO_INDEX} : uint8_t{NGHTTP2_NV_FLAG_NONE}));
  }
  for (const auto& [name, value] : fixed) wire.push_back(wire_field(name, value, kLiteral));
  nghttp2_data_provider body = {{.ptr = &state}, &read_output};
  nghttp2_submit_response(state.session, wire_id(stream.id), wire.data(), wire.size(), with_body ? &body : nullptr);
}

// Those of a connection say nothing here, and a client may take them for a fault (RFC 9113, 8.2.2).
bool is_of_connection(std::string_view name) {
  return name == "connection" || name == "upgrade" || name == "keep-alive" || name == "transfer-encoding" || name == "proxy-connection";
}

Fields wire_fields(const Response& response) {
  Fields fields;
  fields.reserve(response.fields.size() + 2);  // and a length
  fields.emplace_back(":status", std::to_string(response.status));
  for (const auto& [name, value] : response.fields) {
    if (!is_of_connection(name)) fields.emplace_back(name, clean(value));
  }
  return fields;
}

}  // namespace

Http2Session::Http2Session(const Http2Limits& limits, WantsBody wants_body) : state_(std::make_unique<State>(limits, std::move(wants_body))) {}
Http2Session::~Http2Session() = default;

// ---- requests in ----

void Http2Session::feed(std::string_view bytes, int64_t now_ms) {
  if (over() || state_->why != Http2End::none) return;
  state_->now_ms = now_ms;
  const ssize_t taken = nghttp2_session_mem_recv(state_->session, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) state_->end_for(reason_of(taken));
}

std::optional<Http2Session::Arrival> Http2Session::next() {
  while (state_->why == Http2End::none && !state_->ready.empty()) {
    Http2Stream* stream = state_->find(state_->ready.front());
    state_->ready.erase(state_->ready.begin());
    if (stream == nullptr) continue;  // it was reset meanwhile: nothing is done for it
    stream->handed_out = true;
    state_->let_go_of_body(*stream);
    return Arrival{stream->id, stream->request.take(), stream->request.refusal(), stream->unwanted};
  }
  return std::nullopt;
}

std::size_t Http2Session::held_bytes() const { return state_->held_bytes; }

bool Http2Session::refuse_youngest_body(const Refusal& refusal) {
  const auto& incomplete = state_->incomplete;
  const auto found = std::find_if(incomplete.rbegin(), incomplete.rend(), [this](uint32_t id) { return state_->find(id)->held_bytes != 0; });
  if (found == incomplete.rend()) return false;
  Http2Stream& youngest = *state_->find(*found);
  youngest.request.refuse(refusal);
  state_->make_ready(youngest);
  return true;
}

std::vector<uint32_t> Http2Session::take_closed() { return std::exchange(state_->closed, {}); }

// ---- answers out ----

void Http2Session::answer(uint32_t id, const Response& response, int64_t now_ms) {
  Http2Stream* stream = state_->find(id);
  if (stream == nullptr || std::exchange(stream->answered, true)) return;
  Fields fields = wire_fields(response);
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) fields.emplace_back("content-length", std::to_string(response.body.size()));
  const bool with_body = !bodiless && !stream->request.is_head() && !response.body.empty();
  if (with_body) state_->write(*stream, response.body, now_ms);
  stream->ended = true;
  submit(*state_, *stream, fields, response.fixed, with_body);
}

void Http2Session::begin(uint32_t id, const Response& head) {
  Http2Stream* stream = state_->find(id);
  if (stream == nullptr || std::exchange(stream->answered, true)) return;
  const bool with_body = !stream->request.is_head();
  stream->ended = !with_body;
  submit(*state_, *stream, wire_fields(head), head.fixed, with_body);
}

void Http2Session::write(uint32_t id, std::string_view piece, int64_t now_ms) {
  Http2Stream* stream = state_->find(id);
  if (stream == nullptr) return;
  const bool waits = stream->waiting() != 0;  // so that it is not asleep
  state_->write(*stream, piece, now_ms);
  if (!waits) nghttp2_session_resume_data(state_->session, wire_id(id));
}

void Http2Session::end(uint32_t id) {
  Http2Stream* stream = state_->find(id);
  if (stream == nullptr) return;
  stream->ended = true;
  nghttp2_session_resume_data(state_->session, wire_id(id));
}

void Http2Session::reset(uint32_t id) {
  Http2Stream* stream = state_->find(id);
  if (stream == nullptr) return;
  state_->drop_output(*stream);
  nghttp2_submit_rst_stream(state_->session, NGHTTP2_FLAG_NONE, wire_id(id), NGHTTP2_CANCEL);
}

bool Http2Session::has_room(uint32_t id) const {
  const Http2Stream* stream = state_->find(id);
  if (stream == nullptr) return false;
  const std::size_t most = state_->limits.stream_output_bytes_max;
  if (waiting_bytes() > 16 * most) return false;
  return stream->waiting() <= (waiting_bytes() <= 8 * most ? most : std::min(most, kLittleBytes));
}

std::size_t Http2Session::waiting_bytes() const { return state_->waiting_bytes; }

bool Http2Session::send(std::string& out, int64_t now_ms) {
  state_->now_ms = now_ms;
  if (state_->why == Http2End::none) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(state_->session, &bytes);
    if (size > 0) out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    if (size < 0) state_->end_for(Http2End::malformed);
    if (size >= 0) return size > 0;
  }
  if (!std::exchange(state_->said_why, true)) {
    append_goaway(out, static_cast<uint32_t>(nghttp2_session_get_last_proc_stream_id(state_->session)), code_of(state_->why));
  }
  return false;
}

// ---- time ----

std::size_t Http2Session::streams() const { return state_->streams.size(); }

bool Http2Session::has_open_work() const { return !state_->incomplete.empty() || !state_->lingering.empty() || state_->waiting_bytes != 0; }

void Http2Session::refuse_slow(int64_t began_before_ms, const Refusal& refusal) {
  while (!state_->incomplete.empty()) {
    Http2Stream& oldest = *state_->find(state_->incomplete.front());
    if (oldest.began_ms > began_before_ms) return;
    if (!oldest.head_done) {
      state_->end_for(Http2End::head_too_slow);
      return;
    }
    oldest.request.refuse(refusal);
    state_->make_ready(oldest);
  }
}

void Http2Session::reset_unwanted(int64_t answered_before_ms) {
  while (!state_->lingering.empty() && state_->find(state_->lingering.front())->lingers_ms <= answered_before_ms) {
    nghttp2_submit_rst_stream(state_->session, NGHTTP2_FLAG_NONE, wire_id(state_->lingering.front()), NGHTTP2_NO_ERROR);
    state_->lingering.erase(state_->lingering.begin());
  }
}

std::size_t Http2Session::reset_stuck(int64_t moved_before_ms) {
  std::vector<uint32_t> stuck;
  for (const auto& [id, stream] : state_->streams) {
    if (stream->waiting() != 0 && stream->moved_ms <= moved_before_ms) stuck.push_back(id);
  }
  for (const uint32_t id : stuck) reset(id);
  return stuck.size();
}

bool Http2Session::is_stalled() const { return nghttp2_session_get_remote_window_size(state_->session) <= 0; }

// ---- the end ----

void Http2Session::announce_end() {
  nghttp2_submit_shutdown_notice(state_->session);
  nghttp2_submit_ping(state_->session, NGHTTP2_FLAG_NONE, nullptr);
}

bool Http2Session::end_heard() const { return state_->heard_end; }

void Http2Session::refuse_new() {
  nghttp2_submit_goaway(state_->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(state_->session), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

bool Http2Session::over() const {
  if (state_->why != Http2End::none) return state_->said_why;
  return nghttp2_session_want_read(state_->session) == 0 && nghttp2_session_want_write(state_->session) == 0;
}

Http2End Http2Session::why() const { return state_->why; }

Http2Session::Told Http2Session::take_told() { return std::exchange(state_->told, {}); }

}  // namespace arena::http
