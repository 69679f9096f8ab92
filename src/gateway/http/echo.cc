#include "gateway/http/echo.h"

#include <array>
#include <string>
#include <utility>

namespace arena::gateway::http {
namespace ws = arena::websocket;

using Step = ws::MessageReader::Step;

// One connection. Who does not read what it gets back is not read, either.
class Echo final : public net::StreamHandler {
 public:
  Echo(Echoes& echoes, uint64_t id, std::unique_ptr<net::Stream> stream, access::Seat seat, const std::optional<ws::DeflateAgreement>& agreed)
      : echoes_(echoes), id_(id), stream_(std::move(stream)), seat_(std::move(seat)), limits_(limits_for(echoes, agreed)), reader_(ws::Role::server, limits_) {
    if (agreed) deflater_.emplace(*agreed);
    stream_->set_handler(this);
  }

  uint64_t id() const { return id_; }
  void on_data(std::string_view bytes) override {
    if (closing_) return;
    rest_.append(bytes);
    read();
  }
  void on_writable() override {
    stream_->resume_reading();
    read();
  }
  void on_closed(net::CloseReason) override {
    closing_ = true;
    echoes_.bury(*this);
  }
  void close(ws::CloseCode code, std::string_view text) {
    if (std::exchange(closing_, true)) return;
    ws::append_close(stream_->output(), code, text, ws::Role::server);
    stream_->mark_dirty();
    stream_->close();
  }

 private:
  static ws::MessageLimits limits_for(const Echoes& echoes, const std::optional<ws::DeflateAgreement>& agreed) {
    ws::MessageLimits out = echoes.limits();
    out.decode.may_compress = agreed.has_value();
    return out;
  }

  void read() {
    std::string_view bytes = rest_;
    while (!closing_ && stream_->writable()) {
      const Step step = reader_.next(bytes);
      if (step == Step::more) break;
      answer(step);
    }
    rest_.erase(0, rest_.size() - bytes.size());
    if (!closing_ && !stream_->writable()) stream_->pause_reading();
  }

  void answer(Step step) {
    if (step == Step::message) return send(reader_.take_message());
    if (step == Step::close) return close(static_cast<ws::CloseCode>(reader_.close_code()), {});
    if (step == Step::failed) return close(reader_.failure().code, reader_.failure().text);
    if (step != Step::ping) return;
    ws::append_frame(stream_->output(), ws::Opcode::pong, reader_.control(), ws::Role::server);
    stream_->mark_dirty();
  }

  // Compressed as it came.
  void send(std::string message) {
    ws::FrameHeader header;
    header.opcode = reader_.kind();
    header.compressed = reader_.compressed();
    if (header.compressed) {
      std::string compressed;
      deflater_->deflate(message, compressed);
      message.swap(compressed);
    }
    header.payload_bytes = message.size();
    std::array<char, ws::kHeaderBytesMax> bytes;
    stream_->write({bytes.data(), ws::encode_header(bytes.data(), header)});
    stream_->write(message);
  }

  Echoes& echoes_;
  const uint64_t id_;
  std::unique_ptr<net::Stream> stream_;
  access::Seat seat_;
  const ws::MessageLimits limits_;
  ws::MessageReader reader_;
  std::optional<ws::Deflater> deflater_;
  std::string rest_;  // read, and not looked at while there is no room
  bool closing_ = false;
};

Echoes::Echoes(runtime::Loop& loop, const ws::MessageLimits& limits) : loop_(loop), limits_(limits) {}
Echoes::~Echoes() = default;

void Echoes::answer(const ExchangeRef& exchange) {
  answer_upgrade(exchange, {.compress = true}, [this](Upgraded upgraded, const WebSocketAgreement& agreed) { add(std::move(upgraded), agreed); });
}

void Echoes::add(Upgraded upgraded, const WebSocketAgreement& agreed) {
  const uint64_t id = next_id_++;
  const auto place = connections_.emplace(id, std::make_unique<Echo>(*this, id, std::move(upgraded.stream), std::move(upgraded.seat), agreed.deflate)).first;
  if (!upgraded.early.empty()) place->second->on_data(upgraded.early);
}

void Echoes::bury(Echo& echo) {
  const auto it = connections_.find(echo.id());
  if (it == connections_.end()) return;
  dead_.push_back(std::move(it->second));
  connections_.erase(it);
  if (dead_.size() == 1) {
    loop_.defer([this] { dead_.clear(); });
  }
}

void Echoes::shut() {
  for (const auto& [id, echo] : connections_) echo->close(ws::CloseCode::going_away, "the server is shutting down");
}

}  // namespace arena::gateway::http
