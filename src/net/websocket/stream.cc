#include "net/websocket/stream.h"

#include <array>
#include <cassert>
#include <utility>

#include "base/log.h"
#include "net/tcp.h"

namespace arena::net {

namespace ws = websocket;
using ws::CloseCode;
using ws::Decoder;

namespace {

constexpr int64_t kWindowMs = 10'000;
constexpr std::size_t kUsualPayloadMax = 65'535;  // room for its header is kept
constexpr ws::Failure kNotBinary{CloseCode::unsupported, "binary messages alone are taken here"};
constexpr ws::Failure kIdleFrames{CloseCode::policy, "too many control frames, or frames without payload"};

WebSocketFailure why_of(const ws::Failure& failure) {
  return failure.code == CloseCode::too_big ? WebSocketFailure::too_big : WebSocketFailure::malformed;
}

PeerAddress peer_of(const Stream& beneath, bool trust_loopback) {
  return trust_loopback ? beneath.peer() : beneath.peer().as_from_afar();
}

}  // namespace

class WebSocketDetached final : public DetachedStream {
 public:
  WebSocketDetached(std::unique_ptr<DetachedStream> beneath, WebSocketStream& from, std::string output, std::string arrived)
      : beneath_(std::move(beneath)),
        limits_(from.limits_),
        peer_(from.peer_),
        decoder_(std::move(from.decoder_)),
        role_(from.role_),
        output_(std::move(output)),
        arrived_(std::move(arrived)) {}

  std::unique_ptr<Stream> attach(WebSocketCore& core, StreamFactory& factory) {
    std::unique_ptr<Stream> beneath = factory.attach(std::move(beneath_));
    if (beneath == nullptr) return nullptr;
    if (!output_.empty()) beneath->write(output_);
    std::unique_ptr<WebSocketStream> stream(
        new WebSocketStream(core, std::move(limits_), std::move(beneath), peer_, std::move(decoder_), role_));
    if (!arrived_.empty()) {
      stream->early_ = std::make_unique<std::string>(std::move(arrived_));
      stream->mark_dirty();
    }
    return stream;
  }

 private:
  std::unique_ptr<DetachedStream> beneath_;
  WebSocketLimitsRef limits_;
  PeerAddress peer_;
  Decoder decoder_;
  ws::Role role_;
  std::string output_;   // in frames
  std::string arrived_;  // and not read yet
};

WebSocketStream::WebSocketStream(WebSocketCore& core, WebSocketLimitsRef limits, std::unique_ptr<Stream>&& beneath,
                                 const PeerAddress& peer, Decoder decoder, ws::Role role)
    : Stream(peer, beneath->shared_options()),
      core_(core),
      limits_(std::move(limits)),
      beneath_(std::move(beneath)),
      decoder_(std::move(decoder)),
      window_began_ms_(static_cast<uint32_t>(core.loop().now_ms())),
      window_frames_(decoder_.idle_frames()),
      role_(role) {
  beneath_->set_handler(this);
  core_.count().connections.add();
}

WebSocketStream::WebSocketStream(WebSocketCore& core, WebSocketLimitsRef limits, std::unique_ptr<Stream> beneath, Handshake handshake)
    : WebSocketStream(core, limits, std::move(beneath), peer_of(*beneath, handshake.trust_loopback),
                      Decoder(handshake.role, limits->value.decode), handshake.role) {
  core_.count().accepted.add();
  if (handshake.early.empty()) return;
  early_ = std::make_unique<std::string>(std::move(handshake.early));
  mark_dirty();
}

WebSocketStream::~WebSocketStream() { core_.count().connections.sub(); }

// ---- bytes in ----

void WebSocketStream::on_data(std::string_view bytes) {
  if (state_ != State::open) return;
  if (early_) {
    early_->append(bytes);
    return;
  }
  const AliveCheck self(alive_);
  arrived_ = bytes;
  receive();
  if (self.alive()) arrived_ = {};
}

// All of it that belongs to messages is handed over, in as few calls as fit.
void WebSocketStream::receive() {
  look_at_window();
  const std::span<char> room = core_.scratch();
  std::size_t size = 0;
  while (true) {
    std::string_view part = arrived_.substr(0, room.size() - size);  // so that every piece fits
    const std::size_t part_bytes = part.size();
    const Decoder::Step step = decoder_.next(part);
    arrived_.remove_prefix(part_bytes - part.size());
    switch (step) {
      case Decoder::Step::piece:
        if (decoder_.kind() != ws::Opcode::binary) {
          if (hand_over(size)) fail(WebSocketFailure::not_binary, kNotBinary);
          return;
        }
        decoder_.piece().copy_to(room.data() + size);
        size += decoder_.piece().bytes.size();
        break;
      case Decoder::Step::end:
        if (decoder_.kind() == ws::Opcode::binary) break;
        if (hand_over(size)) fail(WebSocketFailure::not_binary, kNotBinary);
        return;
      case Decoder::Step::ping:
        if (within_rate()) answer_ping(decoder_.control());
        break;
      case Decoder::Step::pong:
        break;
      case Decoder::Step::close: {
        const auto code = static_cast<CloseCode>(decoder_.close_code());
        if (hand_over(size)) end(code, {}, CloseReason::peer_closed);
        return;
      }
      case Decoder::Step::failed:
        if (hand_over(size)) fail(why_of(decoder_.failure()), decoder_.failure());
        return;
      case Decoder::Step::more:
        if (!hand_over(std::exchange(size, 0))) return;
        if (!within_rate()) return fail(WebSocketFailure::idle_frames, kIdleFrames);
        if (arrived_.empty()) return;
        break;
    }
  }
}

// False: nothing more may be handed over.
bool WebSocketStream::hand_over(std::size_t size) {
  if (size == 0) return true;
  const AliveCheck self(alive_);
  assert(handler_ != nullptr);
  handler_->on_data(std::string_view(core_.scratch().data(), size));
  return self.alive() && state_ == State::open;
}

void WebSocketStream::look_at_window() {
  const auto now_ms = static_cast<uint32_t>(core_.loop().now_ms());
  if (now_ms - window_began_ms_ < kWindowMs) return;
  window_began_ms_ = now_ms;
  window_frames_ = decoder_.idle_frames();
}

bool WebSocketStream::within_rate() const {
  return decoder_.idle_frames() - window_frames_ <= limits_->value.idle_frames_per_s * (kWindowMs / 1000);
}

// Ahead of what this turn writes. Who does not read gets no pongs, either.
void WebSocketStream::answer_ping(std::string_view payload) {
  if (!beneath_->writable()) return core_.count().pongs_left_out.add();
  ws::append_frame(beneath_->output(), ws::Opcode::pong, payload, role_, make_key());
  beneath_->mark_dirty();
}

void WebSocketStream::fail(WebSocketFailure why, const ws::Failure& failure) {
  core_.count().fail(why);
  log::debug("websocket", "ended a connection", {{"peer", peer_.ip()}, {"reason", failure.text}});
  end(failure.code, failure.text, CloseReason::reset);
}

// ---- bytes out ----

// None at a client, whose owner may keep a reference to the output and append without asking.
std::size_t WebSocketStream::header_room() const { return role_ == ws::Role::server ? ws::header_bytes(kUsualPayloadMax, false) : 0; }

ws::MaskKey WebSocketStream::make_key() { return role_ == ws::Role::client ? static_cast<ws::MaskKey>(core_.loop().random()) : 0; }

void WebSocketStream::on_dirty() {
  ahead_bytes_ = static_cast<uint32_t>(beneath_->output_bytes());
  core_.at_turn_end(*this);
}

void WebSocketStream::on_first_output() {
  core_.spares().prepare(output_);
  output_.resize(header_room());
}

void WebSocketStream::on_core_turn() {
  dirty_ = false;
  if (state_ != State::open) return drop_output();
  if (early_) {
    const AliveCheck self(alive_);
    const std::unique_ptr<std::string> early = std::move(early_);
    on_data(*early);
    if (!self.alive() || state_ != State::open) return;
  }
  send_output();
}

// The frame is made around what is there: its header takes the room in front.
void WebSocketStream::send_output() {
  const std::size_t room = header_room();
  if (output_.size() <= room) return drop_output();
  ws::FrameHeader header;
  header.payload_bytes = output_.size() - room;
  header.masked = role_ == ws::Role::client;
  header.key = make_key();
  const std::size_t size = ws::header_bytes(header.payload_bytes, header.masked);
  if (size < room) output_.erase(0, room - size);
  if (size > room) output_.insert(0, size - room, '\0');
  ws::encode_header(output_.data(), header);
  if (header.masked) ws::mask(output_.data() + size, output_.data() + size, header.payload_bytes, header.key);
  std::string& beneath = beneath_->output();
  if (beneath.empty()) {
    beneath.swap(output_);
  } else {
    beneath += output_;
  }
  beneath_->mark_dirty();
  ahead_bytes_ = static_cast<uint32_t>(beneath_->output_bytes());
  drop_output();
}

void WebSocketStream::drop_output() { core_.spares().give(std::exchange(output_, {})); }

void WebSocketStream::write_shared(const SharedBytesRef& bytes) {
  if (bytes->text.size() < TcpStream::kShareBytesMin || role_ == ws::Role::client || state_ != State::open) return write(bytes->text);
  send_output();
  ws::FrameHeader header;
  header.payload_bytes = bytes->text.size();
  std::array<char, ws::kHeaderBytesMax> head;
  beneath_->write({head.data(), ws::encode_header(head.data(), header)});
  beneath_->write_shared(bytes);
  ahead_bytes_ = static_cast<uint32_t>(beneath_->output_bytes());
}

void WebSocketStream::on_writable() {
  ahead_bytes_ = static_cast<uint32_t>(beneath_->output_bytes());
  if (state_ == State::open && handler_ != nullptr) handler_->on_writable();
}

// ---- the end ----

void WebSocketStream::close() { end(CloseCode::normal, {}, CloseReason::local); }

void WebSocketStream::end(CloseCode code, std::string_view text, CloseReason reason) {
  if (state_ != State::open) return;
  send_output();
  state_ = State::closing;
  reason_ = reason;
  reason_known_ = true;
  ws::append_close(beneath_->output(), code, text, role_, make_key());
  beneath_->mark_dirty();
  beneath_->close();
}

void WebSocketStream::abort() {
  handler_ = nullptr;
  state_ = State::dead;
  ListNode<WebSocketOutputTag>::unlink();
  beneath_->abort();
  ahead_bytes_ = 0;
  drop_output();
}

void WebSocketStream::on_closed(CloseReason reason) {
  state_ = State::dead;
  ListNode<WebSocketOutputTag>::unlink();
  ahead_bytes_ = 0;
  drop_output();
  if (StreamHandler* handler = std::exchange(handler_, nullptr)) handler->on_closed(reason_known_ ? reason_ : reason);
}

// ---- to another core ----

std::unique_ptr<DetachedStream> WebSocketStream::detach() {
  if (state_ != State::open || output_.size() > header_room()) return nullptr;
  // The end of the handshake, or a pong, may not be out.
  std::string output;
  if (beneath_->output_bytes() != 0) output.swap(beneath_->output());
  std::unique_ptr<DetachedStream> beneath = beneath_->detach();
  if (beneath == nullptr) return nullptr;
  std::string arrived(arrived_);
  if (early_) arrived = std::move(*early_);
  handler_ = nullptr;
  state_ = State::dead;
  ListNode<WebSocketOutputTag>::unlink();
  ahead_bytes_ = 0;
  drop_output();
  return std::make_unique<WebSocketDetached>(std::move(beneath), *this, std::move(output), std::move(arrived));
}

std::unique_ptr<Stream> WebSocketStreamFactory::attach(std::unique_ptr<DetachedStream> detached) {
  if (auto* one = dynamic_cast<WebSocketDetached*>(detached.get())) return one->attach(core_, beneath_);
  return beneath_.attach(std::move(detached));
}

}  // namespace arena::net
