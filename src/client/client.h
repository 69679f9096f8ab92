// A conversation on a stream, with keep-alive.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "client/conversation.h"
#include "client/handler.h"
#include "client/options.h"
#include "client/session.h"
#include "net/stream.h"
#include "runtime/loop.h"

namespace arena::client {

// One client on one core: TCP on the real loop or a simulated stream on a simulated one. After on_closed it may be
// started again on a new stream; what is unfinished is in the session. Session and handler outlive it.
class Client final : public net::StreamHandler {
 public:
  Client(runtime::Loop& loop, ClientOptions options, ClientSession& session, ClientHandler& handler);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Takes a connected stream and sends CONNECT. A stream that it still has is aborted. Of the handler's calls only
  // on_closed may call this.
  void start(std::unique_ptr<net::Stream> stream);
  ClientOptions& options() { return options_; }  // changes count from the next start()

  // As in Conversation.
  std::optional<uint16_t> publish(const mqtt::Publish& publish);
  std::optional<uint16_t> subscribe(mqtt::Subscribe subscribe);
  std::optional<uint16_t> unsubscribe(mqtt::Unsubscribe unsubscribe);
  void acknowledge(uint16_t packet_id, Guarantee qos, mqtt::Reason reason = mqtt::Reason::success);
  void ping();
  // Says goodbye, sends what is left, closes; on_closed follows. The will is not sent by the server, unless `reason`
  // asks for it.
  void disconnect(mqtt::Reason reason = mqtt::Reason::success);
  // Gone at once and without a word; on_closed is not called.
  void abort();

  bool connected() const { return conversation_ && conversation_->connected(); }
  bool open() const { return stream_ != nullptr; }
  // False: the output is above its bound, on_writable follows.
  bool writable() const { return stream_ != nullptr && stream_->writable(); }
  net::Stream* stream() { return stream_.get(); }
  ClientSession& session() { return session_; }

 private:
  void on_data(std::string_view bytes) override;
  void on_writable() override { handler_.on_writable(); }
  void on_closed(net::CloseReason reason) override;
  static void on_keep_alive(void* self);
  void after();
  void arm_keep_alive();

  runtime::Loop& loop_;
  ClientOptions options_;
  ClientSession& session_;
  ClientHandler& handler_;
  std::unique_ptr<net::Stream> stream_;
  std::optional<Conversation> conversation_;
  std::optional<Ending> timeout_;
  bool closing_ = false;
  bool receiving_ = false;
  runtime::Timer keep_alive_;
};

}  // namespace arena::client
