// The inside of Http2Session: what nghttp2's callbacks and its calls share.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "codec/http/http2_request.h"
#include "codec/http/http2_session.h"

struct nghttp2_session;

namespace arena::http {

struct Http2Stream {
  Http2Stream(uint32_t its_id, const Http2Limits& limits, int64_t now_ms) : id(its_id), request(limits), began_ms(now_ms) {}
  std::size_t waiting() const { return out.size() - out_at; }

  const uint32_t id;
  Http2Request request;
  const int64_t began_ms;
  bool head_done = false;
  bool complete = false;        // all of the request came
  bool ready = false;           // complete, refused, or its body is not wanted
  bool unwanted = false;        // that
  bool handed_out = false;
  std::size_t body_bytes = 0;   // that came
  std::size_t held_bytes = 0;   // of those, until it is handed out or refused
  std::size_t owed = 0;         // of its window: came, and was not given back
  bool held_back = false;       // because too much of bodies is held
  bool answered = false;
  bool ended = false;           // nothing more will be written
  std::string out;
  std::size_t out_at = 0;       // up to there it has left
  int64_t moved_ms = 0;         // when something of it left last, or began to wait
  int64_t lingers_ms = 0;       // since then it is answered, and its request incomplete
};

struct Http2Session::State {
  State(const Http2Limits& its_limits, WantsBody its_wants_body);
  ~State();

  Http2Stream* find(uint32_t id) const;
  // False: it opens a stream after one with a higher id.
  bool may_have_head(uint32_t id);
  void open_stream(uint32_t id);
  void close_stream(uint32_t id);
  void make_ready(Http2Stream& stream);
  void let_go_of_body(Http2Stream& stream);
  void linger(Http2Stream& stream);
  void give_window(Http2Stream& stream);
  void give_windows();
  void write(Http2Stream& stream, std::string_view piece, int64_t at_ms);
  void drop_output(Http2Stream& stream);
  // False: it ends here.
  bool end_for(Http2End reason) {
    if (why == Http2End::none) why = reason;
    return false;
  }

  const Http2Limits limits;
  const WantsBody wants_body;  // unset: each is
  nghttp2_session* session = nullptr;
  int64_t now_ms = 0;
  std::unordered_map<uint32_t, std::unique_ptr<Http2Stream>> streams;
  uint32_t newest = 0;              // stream that the client opened
  uint64_t opened = 0;              // of the 64 odd ids up to the newest: bit n stands for the one n before it
  // Of a few streams each; a std::deque would cost an idle connection 576 bytes of heap.
  std::vector<uint32_t> incomplete;  // requests, oldest first
  std::vector<uint32_t> ready;       // and not handed out
  std::vector<uint32_t> closed;      // and had been
  std::vector<uint32_t> lingering;   // streams that are answered though their request is incomplete, oldest first
  std::size_t bodies_bytes = 0;     // that came, of streams that are open
  std::size_t held_bytes = 0;       // of those
  std::size_t waiting_bytes = 0;
  std::size_t continuations = 0;    // of the head under way
  Http2Allowance resets;
  Http2Allowance control_frames;
  bool heard_end = false;
  bool said_why = false;
  Http2End why = Http2End::none;
  Told told;
};

// Made by http2_callbacks.cc, for `state`.
nghttp2_session* make_nghttp2_session(Http2Session::State& state);

}  // namespace arena::http
