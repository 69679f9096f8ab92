// TLS over any byte stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/unique_function.h"
#include "net/alive.h"
#include "net/stream.h"
#include "net/tls/context.h"
#include "net/tls/core.h"

namespace arena::net {

// How a stream beneath a TlsStream is to be made: it tells whenever all is sent, and its output is counted by the TlsStream.
StreamOptions options_beneath_tls(const StreamOptions& options);

// A conversation on another stream, which it owns. It can be written to at once; nothing of that leaves, and nothing is
// handed over, before the handshake is done. One that fails ends as a connection that was reset.
//
// Between the library and the stream beneath are no buffers: it reads from what the stream hands over, and writes into the
// stream's output. What is written in one turn is encrypted at its end, in records of up to 16 KB.
class TlsStream final : public Stream, public ListNode<TlsOutputTag>, private StreamHandler {
 public:
  // The server's end of a connection. `alpn`: protocols as the wire has them ("\x04mqtt"), of static storage; a client that
  // asks for others is refused, one that asks for none is not.
  static std::unique_ptr<Stream> accept(TlsCore& core, std::shared_ptr<const TlsServerContext> context, std::string_view alpn,
                                        std::unique_ptr<Stream> beneath, StreamOptionsRef options);
  // The client's end. `done` is told once how the handshake ended, before the stream's handler is told anything, if the
  // stream lives so long; it may destroy the stream.
  using OnHandshake = UniqueFunction<void(Status)>;
  static std::unique_ptr<Stream> connect(TlsCore& core, std::shared_ptr<const TlsClientContext> context,
                                         const std::string& server_name, std::unique_ptr<Stream> beneath, StreamOptionsRef options,
                                         OnHandshake done);
  ~TlsStream() override;

  std::string_view application_protocol() const override;
  void pause_reading() override { beneath_->pause_reading(); }
  void resume_reading() override { beneath_->resume_reading(); }
  void close() override;
  void abort() override;
  // nullptr while shaking hands, too.
  std::unique_ptr<DetachedStream> detach() override;

  // ---- for the core ----
  void on_core_turn();
  void begin_handshake();

  // ---- for the library ----
  // Of what has arrived; 0: no more for now.
  std::size_t take_arrived(char* out, std::size_t size);
  void put_output(std::string_view bytes) { beneath_->write(bytes); }
  static int choose_protocol(ssl_st* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                             unsigned offered_size, void*);
  static int on_ticket(ssl_st* ssl, unsigned char* name, unsigned char* iv, struct evp_cipher_ctx_st* cipher,
                       struct evp_mac_ctx_st* mac, int encrypting);

 private:
  friend class TlsDetached;
  enum class State : uint8_t { handshake, open, closing, dead };
  enum class Read : uint8_t { some, wait, ended, failed };

  // Until the handshake is done.
  struct Handshake {
    std::shared_ptr<const TlsServerContext> server;
    std::shared_ptr<const TlsClientContext> client;
    std::string_view alpn;
    OnHandshake done;
    bool begun = false;
    std::unique_ptr<TlsHello> hello = {};  // while it waits for its turn
  };

  TlsStream(TlsCore& core, std::unique_ptr<Stream> beneath, SslHandle ssl, StreamOptionsRef options);

  // ---- of the stream beneath ----
  void on_data(std::string_view bytes) override;
  void on_writable() override;
  void on_closed(CloseReason reason) override;

  void on_dirty() override { core_.at_turn_end(*this); }
  void on_first_output() override;
  void receive();
  bool hand_over(std::size_t size);
  bool must_wait(std::string_view bytes);
  Read read_records(std::size_t& size);
  bool finish_handshake();
  void fail_handshake();
  void give_up_handshake();
  void end(CloseReason reason);
  void encrypt(std::size_t beneath_max);
  void after_output();
  void drop_output();

  TlsCore& core_;
  std::unique_ptr<Stream> beneath_;
  SslHandle ssl_;
  std::unique_ptr<Handshake> handshake_;
  std::unique_ptr<std::string> early_;  // what had arrived when it came from another core, or waits for the handshake's turn
  std::string_view arrived_;            // while on_data runs
  AliveMark alive_;
  State state_ = State::handshake;
  CloseReason reason_ = CloseReason::local;
  bool reason_known_ : 1 = false;       // reason_ holds, whatever the stream beneath says
  bool writable_owed_ : 1 = false;
  bool stuck_ : 1 = false;              // output of an earlier turn is still there
};

// Attaches both kinds.
class TlsStreamFactory final : public StreamFactory {
 public:
  TlsStreamFactory(TlsCore& core, StreamFactory& beneath) : core_(core), beneath_(beneath) {}
  std::unique_ptr<Stream> attach(std::unique_ptr<DetachedStream> detached) override;

 private:
  TlsCore& core_;
  StreamFactory& beneath_;
};

}  // namespace arena::net
