#include "net/tls/connect.h"

#include <utility>

#include "net/tls/stream.h"

namespace arena::net {
namespace {

// From a connection to the end of its handshake. Owned by its loop until it ends itself.
class Shaking final : public runtime::LoopOwned, private StreamHandler {
 public:
  Shaking(runtime::EpollLoop& loop, std::string peer, OnConnected done)
      : peer_(std::move(peer)), done_(std::move(done)), timer_(&Shaking::on_timeout, this) {
    loop.adopt(*this);
  }

  void start(runtime::EpollLoop& loop, TlsCore& core, std::shared_ptr<const TlsClientContext> context,
             const std::string& server_name, std::unique_ptr<Stream> beneath, const ConnectOptions& options) {
    loop.arm(timer_, options.timeout_ms);
    stream_ = TlsStream::connect(core, std::move(context), server_name, std::move(beneath), share(options.stream),
                                 [this](Status status) { on_handshake(std::move(status)); });
    if (stream_ == nullptr) return end(fail_with("\"" + server_name + "\" can be no server's name"));
    stream_->set_handler(this);
  }

 private:
  // Why it failed is told when the peer has been told, too.
  void on_handshake(Status status) {
    if (status) return end(std::move(stream_));
    failure_ = status.error().reason;
  }

  void on_data(std::string_view) override {}
  void on_writable() override {}
  void on_closed(CloseReason) override { end(fail_with("no TLS connection to " + peer_ + ": " + failure_)); }
  static void on_timeout(void* context) {
    auto* self = static_cast<Shaking*>(context);
    const std::string why = self->failure_.empty() ? "the handshake timed out" : self->failure_;
    self->end(fail_with("no TLS connection to " + self->peer_ + ": " + why));
  }

  void end(Result<std::unique_ptr<Stream>> result) {
    OnConnected done = std::move(done_);
    delete this;
    done(std::move(result));
  }

  const std::string peer_;
  OnConnected done_;
  std::unique_ptr<Stream> stream_;
  std::string failure_;
  runtime::Timer timer_;
};

}  // namespace

void connect_tls(runtime::EpollLoop& loop, TlsCore& core, std::shared_ptr<const TlsClientContext> context, std::string server_name,
                 std::string host, uint16_t port, const ConnectOptions& options, OnConnected done) {
  if (server_name.empty()) server_name = host.empty() ? "127.0.0.1" : host;
  std::string peer = host + ":" + std::to_string(port);
  ConnectOptions beneath = options;
  beneath.stream = options_beneath_tls(options.stream);
  connect_tcp(loop, std::move(host), port, beneath,
              [&loop, &core, context = std::move(context), server_name = std::move(server_name), peer = std::move(peer), options,
               done = std::move(done)](Result<std::unique_ptr<Stream>> stream) mutable {
                if (!stream) return done(fail(stream.error()));
                auto* shaking = new Shaking(loop, std::move(peer), std::move(done));
                shaking->start(loop, core, std::move(context), server_name, std::move(*stream), options);
              });
}

}  // namespace arena::net
