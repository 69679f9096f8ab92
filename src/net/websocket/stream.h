// A byte stream in the binary messages of a WebSocket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/intrusive_list.h"
#include "codec/websocket/decoder.h"
#include "net/alive.h"
#include "net/stream.h"
#include "net/websocket/core.h"

namespace arena::net {

// A conversation on another stream, which it owns and whose handshake is done. Where messages begin and end says nothing: what
// they carry is one stream of bytes. Text ends it.
//
// In: the copy that unmasks also joins what came in many small frames, so that the handler is called once a read. Out: what is
// written in one turn becomes one frame; room for its header is kept in front, and the buffer itself goes to the stream
// beneath. All output waits there: what that tells of room holds here.
class WebSocketStream final : public Stream, public ListNode<WebSocketOutputTag>, private StreamHandler {
 public:
  struct Handshake {
    websocket::Role role = websocket::Role::server;  // ours
    std::string early = {};     // bytes that came behind the peer's part of it
    bool trust_loopback = true; // the peer is on this machine, if the stream beneath says so
  };

  WebSocketStream(WebSocketCore& core, WebSocketLimitsRef limits, std::unique_ptr<Stream> beneath, Handshake handshake);
  ~WebSocketStream() override;

  void write_shared(const SharedBytesRef& bytes) override;
  void pause_reading() override { beneath_->pause_reading(); }
  void resume_reading() override { beneath_->resume_reading(); }
  // Says goodbye (1000) behind the output.
  void close() override;
  void abort() override;
  std::unique_ptr<DetachedStream> detach() override;

  // ---- for the core ----
  void on_core_turn();

 private:
  friend class WebSocketDetached;
  enum class State : uint8_t { open, closing, dead };

  WebSocketStream(WebSocketCore& core, WebSocketLimitsRef limits, std::unique_ptr<Stream>&& beneath, const PeerAddress& peer,
                  websocket::Decoder decoder, websocket::Role role);

  // ---- of the stream beneath ----
  void on_data(std::string_view bytes) override;
  void on_writable() override;
  void on_closed(CloseReason reason) override;

  void on_dirty() override;
  void on_first_output() override;
  void receive();
  bool hand_over(std::size_t size);
  void look_at_window();
  bool within_rate() const;
  void answer_ping(std::string_view payload);
  void fail(WebSocketFailure why, const websocket::Failure& failure);
  void end(websocket::CloseCode code, std::string_view text, CloseReason reason);
  std::size_t header_room() const;
  websocket::MaskKey make_key();
  void send_output();
  void drop_output();

  WebSocketCore& core_;
  WebSocketLimitsRef limits_;
  std::unique_ptr<Stream> beneath_;
  websocket::Decoder decoder_;
  std::unique_ptr<std::string> early_;  // arrived before there was a handler
  std::string_view arrived_;            // while on_data runs
  AliveMark alive_;
  uint32_t window_began_ms_;            // in which idle frames are counted
  uint32_t window_frames_ = 0;
  const websocket::Role role_;
  State state_ = State::open;
  CloseReason reason_ = CloseReason::local;
  bool reason_known_ = false;           // reason_ holds, whatever the stream beneath says
};

// Attaches these and what the factory beneath attaches.
class WebSocketStreamFactory final : public StreamFactory {
 public:
  WebSocketStreamFactory(WebSocketCore& core, StreamFactory& beneath) : core_(core), beneath_(beneath) {}
  std::unique_ptr<Stream> attach(std::unique_ptr<DetachedStream> detached) override;

 private:
  WebSocketCore& core_;
  StreamFactory& beneath_;
};

}  // namespace arena::net
