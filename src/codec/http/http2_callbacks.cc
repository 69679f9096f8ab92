// What nghttp2 tells of frames that come and go.
#include <nghttp2/nghttp2.h>

#include <iterator>

#include "codec/http/http2_state.h"

namespace arena::http {
namespace {

using State = Http2Session::State;

constexpr int kGoOn = 0;
constexpr int kEnd = NGHTTP2_ERR_CALLBACK_FAILURE;
constexpr int32_t kConnectionWindow = 1 << 20;  // streams' windows bound what is held; this one is given back at once

State& state_of(void* user_data) { return *static_cast<State*>(user_data); }
uint32_t id_of(int32_t stream_id) { return static_cast<uint32_t>(stream_id); }
std::string_view text_of(const uint8_t* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

bool spend_control_frame(State& state) { return state.control_frames.take(state.now_ms) || state.end_for(Http2End::control_frames); }
bool spend_reset(State& state) { return state.resets.take(state.now_ms) || state.end_for(Http2End::resets); }

bool is_empty_data(const nghttp2_frame_hd& head) {
  const bool may_be_padding = (head.flags & NGHTTP2_FLAG_PADDED) != 0;
  return may_be_padding || (head.length == 0 && (head.flags & NGHTTP2_FLAG_END_STREAM) == 0);
}

// ---- in ----

// Each frame, before what it carries. Whatever opens no stream and carries nothing of one must not come without end.
int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user_data) {
  State& state = state_of(user_data);
  bool good = true;
  switch (head->type) {
    case NGHTTP2_HEADERS:
      state.continuations = 0;
      good = state.may_have_head(id_of(head->stream_id)) || state.end_for(Http2End::malformed);
      break;
    case NGHTTP2_CONTINUATION:
      good = ++state.continuations <= state.limits.continuations_max || state.end_for(Http2End::continuations);
      break;
    case NGHTTP2_RST_STREAM:
      good = spend_reset(state);
      break;
    case NGHTTP2_DATA:
      good = !is_empty_data(*head) || spend_control_frame(state);
      break;
    default:
      good = spend_control_frame(state);
  }
  return good ? kGoOn : kEnd;
}

int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return kGoOn;
  state_of(user_data).open_stream(id_of(frame->hd.stream_id));
  return kGoOn;
}

int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, std::size_t name_size, const uint8_t* value,
              std::size_t value_size, uint8_t, void* user_data) {
  State& state = state_of(user_data);
  Http2Stream* stream = state.find(id_of(frame->hd.stream_id));
  if (stream == nullptr || stream->complete) return kGoOn;
  if (stream->head_done) {
    stream->request.add_trailer(text_of(name, name_size), text_of(value, value_size));
  } else {
    stream->request.add_field(text_of(name, name_size), text_of(value, value_size));
  }
  return stream->request.is_bomb() && !state.end_for(Http2End::head_bomb) ? kEnd : kGoOn;
}

// The library would leave such a field out and go on; somebody else might not.
int on_invalid_header(nghttp2_session* session, const nghttp2_frame* frame, nghttp2_rcbuf*, nghttp2_rcbuf*, uint8_t, void*) {
  nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

void end_head(State& state, nghttp2_session* session, Http2Stream& stream, bool more_comes) {
  stream.head_done = true;
  stream.request.end_head();
  if (stream.request.refusal() == nullptr && more_comes && state.wants_body && !state.wants_body(stream.request.so_far())) {
    stream.unwanted = true;
    return state.make_ready(stream);
  }
  if (stream.request.refusal() == nullptr && more_comes && stream.request.expects_continue()) {
    uint8_t status[] = ":status", go_on[] = "100";
    const nghttp2_nv field = {status, go_on, sizeof(status) - 1, sizeof(go_on) - 1, NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id), nullptr, &field, 1, nullptr);
  }
  if (stream.request.refusal() != nullptr) state.make_ready(stream);
}

int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
  State& state = state_of(user_data);
  if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) state.heard_end = true;
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return kGoOn;
  Http2Stream* stream = state.find(id_of(frame->hd.stream_id));
  if (stream == nullptr) return kGoOn;
  const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame->hd.type == NGHTTP2_HEADERS && !stream->head_done) end_head(state, session, *stream, !last);
  if (!last || stream->complete) return kGoOn;
  stream->complete = true;
  state.make_ready(*stream);
  return kGoOn;
}

int on_data_chunk(nghttp2_session* session, uint8_t, int32_t stream_id, const uint8_t* bytes, std::size_t size, void* user_data) {
  State& state = state_of(user_data);
  nghttp2_session_consume_connection(session, size);
  Http2Stream* stream = state.find(id_of(stream_id));
  if (stream == nullptr || stream->ready) return kGoOn;  // and its window is not given back
  stream->body_bytes += size;
  stream->owed += size;
  state.bodies_bytes += size;
  stream->held_bytes += size;
  state.held_bytes += size;
  stream->request.add_body(text_of(bytes, size));
  if (stream->request.refusal() != nullptr) {
    state.make_ready(*stream);
  } else {
    state.give_window(*stream);
  }
  return kGoOn;
}

int on_extension_chunk(nghttp2_session*, const nghttp2_frame_hd*, const uint8_t*, std::size_t, void*) { return kGoOn; }
int on_extension(nghttp2_session*, void**, const nghttp2_frame_hd*, void*) { return NGHTTP2_ERR_CANCEL; }

int on_stream_close(nghttp2_session*, int32_t stream_id, uint32_t, void* user_data) {
  state_of(user_data).close_stream(id_of(stream_id));
  return kGoOn;
}

// ---- out ----

void note_reset(State& state, uint32_t code) {
  if (code == NGHTTP2_REFUSED_STREAM) ++state.told.too_many_streams;
  if (code == NGHTTP2_PROTOCOL_ERROR) ++state.told.malformed;
  spend_reset(state);
}

int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  State& state = state_of(user_data);
  switch (frame->hd.type) {
    case NGHTTP2_RST_STREAM:
      note_reset(state, frame->rst_stream.error_code);
      return kGoOn;
    case NGHTTP2_GOAWAY:
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR) state.said_why = !state.end_for(Http2End::malformed);
      return kGoOn;
    case NGHTTP2_DATA:
      state.control_frames.give(2);  // what it takes is told by two
      break;
    case NGHTTP2_HEADERS:
      break;
    default:
      return kGoOn;
  }
  Http2Stream* stream = state.find(id_of(frame->hd.stream_id));
  const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (last && stream != nullptr && !stream->complete) state.linger(*stream);
  return kGoOn;
}

// An answer that cannot be said: its client would wait for it without end.
int on_frame_not_send(nghttp2_session* session, const nghttp2_frame* frame, int, void* user_data) {
  if (frame->hd.type != NGHTTP2_HEADERS) return kGoOn;
  State& state = state_of(user_data);
  if (Http2Stream* stream = state.find(id_of(frame->hd.stream_id))) state.drop_output(*stream);
  nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
  return kGoOn;
}

nghttp2_session_callbacks* make_callbacks() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, &on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, &on_invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &on_frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &on_data_chunk);
  nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(callbacks, &on_extension_chunk);
  nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, &on_extension);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &on_stream_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &on_frame_send);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, &on_frame_not_send);
  return callbacks;
}

nghttp2_option* make_options(const Http2Limits& limits) {
  nghttp2_option* options = nullptr;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_max_settings(options, 32);
  nghttp2_option_set_max_outbound_ack(options, 64);
  // Ours come first: that of resets counts those that we send, too, and the library counts a frame's head for each piece that it
  // comes in, of its nine bytes.
  nghttp2_option_set_max_continuations(options, 9 * (limits.continuations_max + 1));
  const uint64_t per_s = 10 * uint64_t{limits.resets_per_s};
  nghttp2_option_set_stream_reset_rate_limit(options, per_s * static_cast<uint64_t>(Http2Allowance::kSeconds), per_s);
  // Else frames of types that nobody knows would not even be counted.
  for (unsigned type = NGHTTP2_PRIORITY_UPDATE; type <= UINT8_MAX; ++type) {
    nghttp2_option_set_user_recv_extension_type(options, static_cast<uint8_t>(type));
  }
  return options;
}

}  // namespace

nghttp2_session* make_nghttp2_session(State& state) {
  nghttp2_session_callbacks* callbacks = make_callbacks();
  nghttp2_option* options = make_options(state.limits);
  nghttp2_session* session = nullptr;
  nghttp2_session_server_new2(&session, callbacks, &state, options);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<uint32_t>(state.limits.streams_max)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(state.limits.head_bytes_max)},
  };
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  return session;
}

}  // namespace arena::http
