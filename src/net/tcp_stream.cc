#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

#include "net/tcp.h"

namespace arena::net {
namespace {

constexpr std::size_t kReadBytesPerTurn = 256 << 10;
constexpr uint32_t kGone = EPOLLHUP | EPOLLERR;
constexpr uint32_t kReading = EPOLLIN | EPOLLRDHUP;
constexpr int64_t kFailedOutputTimeoutMs = 1000;
constexpr std::size_t kPartsPerSend = 64;

class TcpDetached final : public DetachedStream {
 public:
  TcpDetached(int fd, const PeerAddress& peer, StreamOptionsRef options)
      : fd_(fd), peer_(peer), options_(std::move(options)) {}
  ~TcpDetached() override {
    if (fd_ >= 0) ::close(fd_);
  }
  std::unique_ptr<Stream> attach(runtime::EpollLoop& loop) {
    return std::make_unique<TcpStream>(loop, std::exchange(fd_, -1), peer_, options_);
  }

 private:
  int fd_;
  PeerAddress peer_;
  StreamOptionsRef options_;
};

}  // namespace

TcpStream::TcpStream(runtime::EpollLoop& loop, int fd, const PeerAddress& peer, StreamOptionsRef options, Watch watch)
    : Stream(peer, std::move(options)), fd_(fd), loop_(loop) {
  if (watch == Watch::after_a_look) {
    loop_.at_turn_end(*this);
    return;
  }
  if (begin_watching()) return;
  ::close(std::exchange(fd_, -1));
  reason_ = CloseReason::reset;
  arm_close_timer(0);
}

TcpStream::~TcpStream() { leave_loop(); }

void TcpStream::leave_loop() {
  close_timer_.reset();
  TurnEnd::unlink();
  state_ = State::dead;
  if (fd_ < 0) return;
  if (watched_) loop_.remove(fd_, *this);
  loop_.close_soon(std::exchange(fd_, -1));
}

// The last thing done in any event: the handler may destroy this.
void TcpStream::finish(CloseReason reason) {
  leave_loop();
  drop_output();
  if (StreamHandler* handler = std::exchange(handler_, nullptr)) handler->on_closed(reason);
}

// The system is told at the end of the turn: a CONNECT that is decided at once pauses and resumes in one.
void TcpStream::pause_reading() {
  paused_ = true;
  if (fd_ >= 0) loop_.at_turn_end(*this);
}

void TcpStream::resume_reading() {
  paused_ = false;
  if (fd_ >= 0) loop_.at_turn_end(*this);
}

void TcpStream::close() {
  if (state_ == State::open) {
    begin_closing(CloseReason::local);
  } else if (state_ == State::closing) {
    reason_ = CloseReason::local;
  }
}

void TcpStream::begin_closing(CloseReason reason) {
  if (fd_ < 0) return;
  state_ = State::closing;
  reason_ = reason;
  loop_.at_turn_end(*this);
  arm_close_timer(options().close_timeout_ms);
}

void TcpStream::abort() {
  handler_ = nullptr;
  leave_loop();
  drop_output();
}

std::unique_ptr<DetachedStream> TcpStream::detach() {
  if (state_ != State::open || fd_ < 0 || output_bytes() != 0) return nullptr;
  handler_ = nullptr;
  if (watched_) loop_.remove(fd_, *this);
  auto detached = std::make_unique<TcpDetached>(std::exchange(fd_, -1), peer_, options_);
  leave_loop();
  return detached;
}

void TcpStream::on_dirty() { loop_.at_turn_end(*this); }

void TcpStream::on_first_output() {
  loop_.spares().prepare(output_);
}

void TcpStream::write_shared(const SharedBytesRef& bytes) {
  if (bytes->text.size() < kShareBytesMin) {
    write(bytes->text);
    return;
  }
  if (!ahead_) ahead_ = std::make_unique<Ahead>();
  ahead_bytes_ += static_cast<uint32_t>(output_.size() + bytes->text.size());
  if (!output_.empty()) ahead_->pieces.push_back({std::exchange(output_, {}), {}});
  ahead_->pieces.push_back({{}, bytes});
  mark_dirty();
}

void TcpStream::arm_close_timer(int64_t delay_ms) {
  if (!close_timer_) close_timer_ = std::make_unique<runtime::Timer>(&TcpStream::on_close_timeout, this);
  loop_.arm(*close_timer_, delay_ms);
}

void TcpStream::on_close_timeout(void* context) {
  auto* self = static_cast<TcpStream*>(context);
  self->finish(self->reason_);
}

uint32_t TcpStream::events_needed() {
  watching_input_ = wants_input();
  watching_room_ = output_blocked_;
  return (watching_input_ ? kReading : 0) | (watching_room_ ? uint32_t{EPOLLOUT} : 0);
}

bool TcpStream::begin_watching() {
  watched_ = true;
  return loop_.add(fd_, events_needed(), *this);
}

void TcpStream::watch_what_is_needed() {
  if (fd_ < 0 || !watched_) return;
  if (wants_input() != watching_input_ || output_blocked_ != watching_room_) loop_.modify(fd_, events_needed(), *this);
}

// The first end of a turn since it was accepted. The handler may destroy it in here.
void TcpStream::look_and_watch() {
  const AliveCheck self(alive_);
  if (wants_input() && handler_ != nullptr) read_available(0);
  if (!self.alive() || fd_ < 0) return;
  TurnEnd::unlink();  // what it has led to is done now
  if (!begin_watching()) finish(CloseReason::reset);
}

void TcpStream::on_io(uint32_t events) {
  if (state_ == State::lingering) return discard_available();
  const AliveCheck self(alive_);
  if (state_ == State::open && !paused_ && (events & (kReading | kGone)) != 0) read_available(events);
  if (!self.alive() || fd_ < 0) return;
  const bool cannot_read = paused_ || state_ == State::closing;
  if ((events & kGone) != 0 && cannot_read) {
    return finish(state_ == State::open ? CloseReason::reset : reason_);
  }
  if ((events & EPOLLOUT) != 0) {
    output_blocked_ = false;
    flush();
    after_flush();
  }
}

// A short read means that nothing is left, so the usual message costs one system call; only when the peer has ended
// or the connection failed, reading goes on to see it. What exceeds the turn's share is announced again by epoll.
void TcpStream::read_available(uint32_t events) {
  const bool to_the_end = (events & (EPOLLRDHUP | kGone)) != 0;
  const std::span<char> buffer = loop_.read_buffer();
  const AliveCheck self(alive_);
  std::size_t total = 0;
  while (total < kReadBytesPerTurn) {
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n == 0) return on_peer_end();
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      return finish(CloseReason::reset);
    }
    const auto length = static_cast<std::size_t>(n);
    total += length;
    assert(handler_ != nullptr);
    handler_->on_data(std::string_view(buffer.data(), length));
    if (!self.alive() || state_ != State::open || paused_ || fd_ < 0) return;
    if (length < buffer.size() && !to_the_end) return;
  }
}

void TcpStream::on_peer_end() {
  peer_ended_ = true;
  begin_closing(CloseReason::peer_closed);
}

void TcpStream::discard_available() {
  const std::span<char> buffer = loop_.read_buffer();
  const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;  // epoll tells of the rest
  finish(reason_);
}

void TcpStream::on_turn_end() {
  if (fd_ >= 0 && !watched_) {
    const AliveCheck self(alive_);
    look_and_watch();
    if (!self.alive()) return;
  }
  dirty_ = false;
  if (fd_ < 0) {
    drop_output();
    return;
  }
  flush();
  after_flush();
}

void TcpStream::flush() {
  if (output_failed_) drop_output();
  if (output_bytes() > certain_room()) writable_owed_ = true;
  if (output_blocked_ || output_bytes() == 0) return account_output();
  output_blocked_ = !send_output();
  if (!output_blocked_) drop_output();
  account_output();
}

// False: the system takes no more for now. True: all is out, or can never be.
bool TcpStream::send_output() {
  while (output_bytes() != 0) {
    std::size_t offered = 0;
    const std::size_t sent = send_some(offered);
    if (output_failed_) return true;
    take_off(sent);
    if (sent < offered) return false;
  }
  return true;
}

std::size_t TcpStream::send_some(std::size_t& offered) {
  std::array<iovec, kPartsPerSend> parts;
  std::size_t count = 0;
  const auto add = [&](std::string_view bytes) {
    parts[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
    offered += bytes.size();
  };
  if (ahead_) {
    std::size_t skip = ahead_->sent;
    for (std::size_t i = ahead_->first; i < ahead_->pieces.size() && count < parts.size(); ++i) {
      add(ahead_->pieces[i].bytes().substr(std::exchange(skip, 0)));
    }
  }
  if (count < parts.size() && !output_.empty()) add(output_);
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  while (true) {
    const ssize_t n = count == 1 ? ::send(fd_, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                                 : ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) return 0;
    // The peer has reset. It may have sent its goodbye before: epoll now reports the socket as gone, and reading
    // comes to it. The timer is for the case that it does not.
    output_failed_ = true;
    reason_ = CloseReason::reset;
    arm_close_timer(kFailedOutputTimeoutMs);
    return 0;
  }
}

void TcpStream::take_off(std::size_t sent) {
  while (ahead_ && sent != 0) {
    Piece& piece = ahead_->pieces[ahead_->first];
    const std::size_t left = piece.bytes().size() - ahead_->sent;
    const std::size_t taken = std::min(sent, left);
    sent -= taken;
    ahead_bytes_ -= static_cast<uint32_t>(taken);
    ahead_->sent += taken;
    if (taken < left) return;
    piece = {};
    ahead_->sent = 0;
    if (++ahead_->first == ahead_->pieces.size()) ahead_.reset();
  }
  output_.erase(0, sent);
}

// Its room goes to the next stream that writes.
void TcpStream::drop_output() {
  ahead_.reset();
  ahead_bytes_ = 0;
  loop_.spares().give(std::exchange(output_, {}));
}

// The system is told here what to watch: a stream that closes with all its output out never stops reading.
void TcpStream::after_flush() {
  if (state_ == State::closing) {
    if (output_failed_) return finish(peer_ended_ ? CloseReason::peer_closed : reason_);
    if (output_bytes() == 0) {
      if (peer_ended_) return finish(reason_);
      ::shutdown(fd_, SHUT_WR);
      state_ = State::lingering;
    }
  }
  watch_what_is_needed();
  if (state_ == State::open && writable_owed_ && drained()) {
    writable_owed_ = false;
    if (handler_ != nullptr && !output_failed_) handler_->on_writable();
  }
}

std::unique_ptr<Stream> TcpStreamFactory::attach(std::unique_ptr<DetachedStream> detached) {
  auto* tcp = dynamic_cast<TcpDetached*>(detached.get());
  return tcp == nullptr ? nullptr : tcp->attach(loop_);
}

}  // namespace arena::net
