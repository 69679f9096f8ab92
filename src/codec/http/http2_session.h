// The server's end of one HTTP/2 connection: bytes to requests, answers to bytes. RFC 9113. No sockets and no clocks: who
// calls says what time it is. nghttp2 makes and reads the frames and stays in .cc files; what a client may ask for and cost
// is decided here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/http/http1_head.h"
#include "codec/http/http2_limits.h"
#include "codec/http/message.h"

namespace arena::http {

// What a client begins with (RFC 9113, 3.4): no request of HTTP/1.1.
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Why a connection was ended, other than by its client.
enum class Http2End : uint8_t {
  none,
  malformed,       // it broke the protocol
  resets,          // too many streams were reset, by either side
  control_frames,  // too many frames that carry nothing
  continuations,   // a head in too many pieces
  head_bomb,       // a head of several times what may be
  head_too_slow,
};

class Http2Session {
 public:
  // Is the body wanted that belongs to this head? Asked once, before the client is told to send it.
  using WantsBody = std::function<bool(const Request& head)>;
  explicit Http2Session(const Http2Limits& limits, WantsBody wants_body = {});
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // ---- requests in ----

  void feed(std::string_view bytes, int64_t now_ms);
  struct Arrival {
    uint32_t stream = 0;
    Request request;
    const Refusal* refusal = nullptr;  // it is not taken: to be answered so
    bool unwanted = false;             // its body: it is the head alone
  };
  // The next request that is complete, or refused. Answered once, unless its stream closes before.
  std::optional<Arrival> next();
  // Held of the bodies of all others.
  std::size_t held_bytes() const;
  // Refuses the youngest that is incomplete and has some of them. False: there is none.
  bool refuse_youngest_body(const Refusal& refusal);
  // Of those that next() gave, streams that closed since.
  std::vector<uint32_t> take_closed();

  // ---- answers out ----

  void answer(uint32_t stream, const Response& response, int64_t now_ms);
  // Or piece by piece.
  void begin(uint32_t stream, const Response& head);
  void write(uint32_t stream, std::string_view piece, int64_t now_ms);
  void end(uint32_t stream);
  // What was written is lost.
  void reset(uint32_t stream);
  // More may be written; what is written all the same is kept.
  bool has_room(uint32_t stream) const;
  // What waits for the client's windows, of all streams.
  std::size_t waiting_bytes() const;
  // Appends one frame, if there is one to be sent.
  bool send(std::string& out, int64_t now_ms);

  // ---- time ----

  std::size_t streams() const;
  // A request is incomplete, or something waits for the client, or it goes on sending what is not wanted.
  bool has_open_work() const;
  // Requests that began before and are incomplete are refused so. A head that is incomplete keeps all others from coming: it
  // ends the connection.
  void refuse_slow(int64_t began_before_ms, const Refusal& refusal);
  // Resets streams that were answered before, and whose request still goes on.
  void reset_unwanted(int64_t answered_before_ms);
  // Resets streams whose client has taken nothing since; how many.
  std::size_t reset_stuck(int64_t moved_before_ms);
  // No stream can move: the client gives the connection no window.
  bool is_stalled() const;

  // ---- the end ----

  // Tells the client to open no more streams; those that it opens before it has heard are taken.
  void announce_end();
  // It has heard.
  bool end_heard() const;
  // From now on what it opens is not taken, and it knows which.
  void refuse_new();
  // All that is to be said is said.
  bool over() const;
  Http2End why() const;

  // What was refused by frames rather than answers, since it was asked last.
  struct Told {
    uint32_t malformed = 0;
    uint32_t too_many_streams = 0;
    uint32_t held_back = 0;  // times a body got no more window, as too much of bodies is held
  };
  Told take_told();

  struct State;  // for its own files

 private:
  std::unique_ptr<State> state_;
};

}  // namespace arena::http
