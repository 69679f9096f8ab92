// For tests: a client of HTTP/2 by nghttp2, which also sends what no client may. No sockets, virtual time.
#pragma once

#include <nghttp2/nghttp2.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codec/http/http2_session.h"
#include "gateway/http/test_web.h"

namespace arena::gateway::http::test {

using Fields = arena::http::Fields;

// A frame as the wire has it.
inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  std::string out;
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(stream >> shift & 0xff));
  return out.append(payload);
}

class Http2Client {
 public:
  struct Reply {
    int status = 0;
    int informational = 0;
    Fields fields;
    std::string body;
    bool ended = false;        // with all of it
    bool closed = false;
    uint32_t code = 0;         // of its end
    const std::string& field(std::string_view name) const {
      static const std::string none;
      const std::string* found = arena::http::find_field(fields, name);
      return found == nullptr ? none : *found;
    }
  };

  explicit Http2Client(WebWorld& world, std::string_view ip = "127.0.0.1", uint32_t window = 65535) : world_(world), wire_(std::make_shared<Wire>()) {
    wire_->ip = ip;
    wire_->loopback = ip.starts_with("127.");
    world_.door.accept(std::make_unique<FakeStream>(world_.loop(), wire_));
    make_session();
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}, {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 100 << 20);
  }
  ~Http2Client() {
    hang_up();
    nghttp2_session_del(session_);
  }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  static Fields request(const std::string& method, const std::string& path) {
    return {{":method", method}, {":scheme", "http"}, {":authority", "localhost"}, {":path", path}};
  }
  // Opens a stream. `body` null: the head is all. `ends` false: more of the body may come.
  int32_t send(const Fields& fields, const std::string* body = nullptr, bool ends = true) {
    std::vector<nghttp2_nv> wire;
    for (const auto& [name, value] : fields) {
      // As it is: the library would make names lower.
      wire.push_back({bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NO_COPY_NAME});
    }
    const bool with_body = body != nullptr || !ends;
    nghttp2_data_provider provider{{.ptr = this}, &Http2Client::on_read};
    const int32_t id = nghttp2_submit_request(session_, nullptr, wire.data(), wire.size(), with_body ? &provider : nullptr, nullptr);
    if (with_body) bodies_[id] = {body == nullptr ? std::string() : *body, ends};
    go_on();
    return id;
  }
  int32_t get(const std::string& path) { return send(request("GET", path)); }
  int32_t post(const std::string& path, const std::string& body) { return send(request("POST", path), &body); }
  void send_more(int32_t id, const std::string& bytes, bool ends = false) {
    bodies_[id].bytes += bytes;
    bodies_[id].ends = ends;
    nghttp2_session_resume_data(session_, id);
    go_on();
  }
  // What of the body the server's windows keep here.
  std::size_t unsent(int32_t id) { return bodies_[id].bytes.size(); }
  void reset(int32_t id) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    go_on();
  }
  // Between frames of its own.
  void raw(std::string_view bytes) {
    go_on();
    wire_->to_server += bytes;
    go_on();
  }
  // Takes nothing more on this stream.
  void hold(int32_t id) { held_.insert(id); }
  void hold_next() { held_.insert(static_cast<int32_t>(nghttp2_session_get_next_stream_id(session_))); }
  // Goes on, with what it has not said it took.
  void let_go(int32_t id) {
    held_.erase(id);
    nghttp2_session_consume_stream(session_, id, std::exchange(owed_[id], 0));
    go_on();
  }

  // Bytes go to and fro until there are none.
  void go_on() {
    for (bool moved = true; moved;) {
      moved = false;
      const uint8_t* bytes = nullptr;
      while (true) {
        const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
        if (size <= 0) break;
        wire_->to_server.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
        moved = true;
      }
      if (wire_->stream != nullptr) wire_->stream->pump();
      world_.broker.run_ms(0);
      if (deaf) return;
      if (wire_->stream != nullptr) wire_->stream->collect();
      const std::string heard = std::exchange(wire_->to_client, {});
      if (heard.empty()) continue;
      moved = true;
      bytes_heard_ += heard.size();
      EXPECT_EQ(nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(heard.data()), heard.size()), static_cast<ssize_t>(heard.size()));
    }
  }
  bool wait(UniqueFunction<bool()> done, int64_t within_ms = 1000) {
    for (int64_t ms = 0; ms <= within_ms; ms += ms < 20 ? 1 : 10) {
      go_on();
      if (done()) return true;
      world_.broker.run_ms(ms < 20 ? 1 : 10);
    }
    return false;
  }
  // Its reply, which comes whole within `within_ms`, or its stream's end.
  const Reply& answer(int32_t id, int64_t within_ms = 1000) {
    wait([this, id] { return replies[id].ended || replies[id].closed || wire_->closed; }, within_ms);
    return replies[id];
  }
  bool closed(int64_t within_ms = 0) {
    return wait([this] { return wire_->closed; }, within_ms);
  }
  void hang_up() {
    wire_->gone = true;
    if (wire_->stream != nullptr) wire_->stream->finish(net::CloseReason::reset);
    world_.broker.run_ms(1);
  }
  std::size_t bytes_heard() const { return bytes_heard_; }

  std::map<int32_t, Reply> replies;
  std::vector<uint32_t> goaways;       // their codes
  int32_t goaway_last = 0;             // of the last: the last stream that it takes
  std::size_t pings_answered = 0;
  bool deaf = false;                   // reads nothing any more

 private:
  struct Body {
    std::string bytes;
    bool ends = true;
  };
  static uint8_t* bytes_of(const std::string& text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); }
  static Http2Client& self(void* user) { return *static_cast<Http2Client*>(user); }

  static ssize_t on_read(nghttp2_session*, int32_t id, uint8_t* room, size_t size, uint32_t* flags, nghttp2_data_source*, void* user) {
    Body& body = self(user).bodies_[id];
    const std::size_t taken = body.bytes.copy(reinterpret_cast<char*>(room), size);
    body.bytes.erase(0, taken);
    if (body.bytes.empty() && body.ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (taken == 0 && !body.ends) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(taken);
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size, const uint8_t* value, size_t value_size,
                       uint8_t, void* user) {
    Reply& reply = self(user).replies[frame->hd.stream_id];
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    const std::string key(reinterpret_cast<const char*>(name), name_size);
    if (key == ":status" && text.starts_with('1')) {
      reply.informational = std::stoi(text);
    } else if (key == ":status") {
      reply.status = std::stoi(text);
    } else {
      reply.fields.emplace_back(key, text);
    }
    return 0;
  }
  static int on_chunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user) {
    self(user).replies[id].body.append(reinterpret_cast<const char*>(bytes), size);
    nghttp2_session_consume_connection(session, size);
    if (self(user).held_.contains(id)) {
      self(user).owed_[id] += size;
    } else {
      nghttp2_session_consume_stream(session, id, size);
    }
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Client& client = self(user);
    const bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (frame->hd.type == NGHTTP2_PING && ack) ++client.pings_answered;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      client.goaways.push_back(frame->goaway.error_code);
      client.goaway_last = frame->goaway.last_stream_id;
    }
    const bool of_stream = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (of_stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) client.replies[frame->hd.stream_id].ended = true;
    return 0;
  }
  static int on_close(nghttp2_session*, int32_t id, uint32_t code, void* user) {
    self(user).replies[id].closed = true;
    self(user).replies[id].code = code;
    return 0;
  }
  void make_session() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &on_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &on_close);
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_http_messaging(options, 1);
    nghttp2_option_set_peer_max_concurrent_streams(options, 1000);
    nghttp2_session_client_new2(&session_, callbacks, this, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
  }

  WebWorld& world_;
  std::shared_ptr<Wire> wire_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Body> bodies_;
  std::set<int32_t> held_;
  std::map<int32_t, std::size_t> owed_;
  std::size_t bytes_heard_ = 0;
};

}  // namespace arena::gateway::http::test
