#include "net/websocket/connect.h"

#include <array>
#include <cstring>
#include <utility>

#include "codec/websocket/handshake.h"
#include "net/websocket/stream.h"

namespace arena::net {
namespace {

constexpr std::size_t kHeadBytesMax = 16 << 10;

std::string random_key(runtime::Loop& loop) {
  std::array<uint64_t, 2> words = {loop.random(), loop.random()};
  std::array<char, 16> bytes;
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return websocket::make_key({bytes.data(), bytes.size()});
}

// From the request to the end of its answer. Owned by its loop until it ends itself.
class Asking final : public runtime::LoopOwned, private StreamHandler {
 public:
  Asking(runtime::EpollLoop& loop, WebSocketCore& core, std::unique_ptr<Stream> stream, WebSocketRequest request, OnConnected done)
      : core_(core),
        stream_(std::move(stream)),
        request_(std::move(request)),
        key_(random_key(loop)),
        done_(std::move(done)),
        timer_(&Asking::on_timeout, this) {
    loop.adopt(*this);
    loop.arm(timer_, request_.timeout_ms);
    stream_->set_handler(this);
    stream_->write(websocket::client_request(request_.host, request_.path, key_, request_.subprotocol));
  }

 private:
  void on_data(std::string_view bytes) override {
    head_.append(bytes);
    const std::size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) {
      if (head_.size() > kHeadBytesMax) finish(fail_with("what " + request_.host + " answers is too long"));
      return;
    }
    const std::string_view head = std::string_view(head_).substr(0, end + 4);
    if (const std::string reason = websocket::refusal_in(head, key_, request_.subprotocol); !reason.empty()) {
      return finish(fail_with(request_.host + request_.path + " is no WebSocket: " + reason));
    }
    WebSocketStream::Handshake handshake;
    handshake.role = websocket::Role::client;
    handshake.early = head_.substr(end + 4);
    finish(std::unique_ptr<Stream>(std::make_unique<WebSocketStream>(core_, request_.limits, std::move(stream_), std::move(handshake))));
  }
  void on_writable() override {}
  void on_closed(CloseReason) override { finish(fail_with(request_.host + " closed the connection instead of an answer")); }
  static void on_timeout(void* context) {
    auto* self = static_cast<Asking*>(context);
    self->finish(fail_with(self->request_.host + " does not answer in time"));
  }

  void finish(Result<std::unique_ptr<Stream>> result) {
    OnConnected done = std::move(done_);
    delete this;
    done(std::move(result));
  }

  WebSocketCore& core_;
  std::unique_ptr<Stream> stream_;
  const WebSocketRequest request_;
  const std::string key_;
  OnConnected done_;
  std::string head_;
  runtime::Timer timer_;
};

}  // namespace

void connect_websocket(runtime::EpollLoop& loop, WebSocketCore& core, std::unique_ptr<Stream> stream, WebSocketRequest request, OnConnected done) {
  new Asking(loop, core, std::move(stream), std::move(request), std::move(done));
}

}  // namespace arena::net
