#include <cassert>

#include "net/sim_link.h"

namespace arena::net {
namespace {

class SimDetached final : public DetachedStream {
 public:
  SimDetached(std::shared_ptr<SimLink> link, unsigned side, const PeerAddress& peer, StreamOptionsRef options)
      : link_(std::move(link)), side_(side), peer_(peer), options_(std::move(options)) {}
  ~SimDetached() override {
    if (link_ != nullptr) link_->drop(side_);
  }
  std::unique_ptr<Stream> attach(runtime::SimLoop& loop) {
    return std::make_unique<SimStream>(std::exchange(link_, nullptr), side_, loop, peer_, options_);
  }

 private:
  std::shared_ptr<SimLink> link_;
  unsigned side_;
  PeerAddress peer_;
  StreamOptionsRef options_;
};

}  // namespace

SimStream::SimStream(std::shared_ptr<SimLink> link, unsigned side, runtime::SimLoop& loop, const PeerAddress& peer,
                     StreamOptionsRef options)
    : Stream(peer, std::move(options)),
      link_(std::move(link)),
      side_(side),
      loop_(loop),
      close_timer_(&SimStream::on_close_timeout, this) {
  link_->attach(side_, *this, loop_);
}

SimStream::~SimStream() { leave(); }

void SimStream::leave() {
  state_ = State::dead;
  close_timer_.disarm();
  TurnEnd::unlink();
  if (link_ != nullptr) std::exchange(link_, nullptr)->drop(side_);
}

// The last thing done in any event: the handler may destroy this.
void SimStream::finish(CloseReason reason) {
  leave();
  std::string().swap(output_);
  if (StreamHandler* handler = std::exchange(handler_, nullptr)) handler->on_closed(reason);
}

void SimStream::resume_reading() {
  paused_ = false;
  if (state_ == State::open) link_->ask_for_read(side_);
}

void SimStream::close() {
  if (state_ == State::open) {
    begin_closing(CloseReason::local);
  } else {
    reason_ = CloseReason::local;
  }
}

void SimStream::begin_closing(CloseReason reason) {
  state_ = State::closing;
  reason_ = reason;
  loop_.at_turn_end(*this);
  loop_.arm(close_timer_, options().close_timeout_ms);
}

void SimStream::abort() {
  handler_ = nullptr;
  leave();
  std::string().swap(output_);
}

std::unique_ptr<DetachedStream> SimStream::detach() {
  if (state_ != State::open || !output_.empty()) return nullptr;
  handler_ = nullptr;
  link_->detach(side_);
  auto detached = std::make_unique<SimDetached>(std::exchange(link_, nullptr), side_, peer_, options_);
  leave();
  return detached;
}

void SimStream::on_close_timeout(void* context) {
  auto* self = static_cast<SimStream*>(context);
  self->finish(self->reason_);
}

void SimStream::on_readable() {
  if (state_ == State::closing) {
    if (link_->reset_arrived(side_)) finish(reason_);
    return;
  }
  if (state_ != State::open) return;
  if (paused_) {
    if (link_->reset_arrived(side_)) finish(CloseReason::reset);
    return;
  }
  if (link_->readable(side_)) {
    const std::string bytes = link_->read(side_);
    const AliveCheck self(alive_);
    assert(handler_ != nullptr);
    handler_->on_data(bytes);
    if (!self.alive() || state_ != State::open || paused_) return;
    if (link_->readable(side_)) return link_->ask_for_read(side_);
  }
  if (link_->reset_arrived(side_)) return finish(CloseReason::reset);
  if (link_->end_arrived(side_)) begin_closing(CloseReason::peer_closed);
}

void SimStream::on_room() {
  blocked_ = false;
  flush();
}

void SimStream::on_turn_end() {
  dirty_ = false;
  if (state_ == State::dead) {
    output_.clear();
    return;
  }
  flush();
}

void SimStream::flush() {
  if (output_.size() > certain_room()) writable_owed_ = true;
  if (!blocked_ && !output_.empty()) {
    const std::size_t taken = link_->send(side_, output_);
    output_.erase(0, taken);
    blocked_ = !output_.empty();
    if (output_.empty()) std::string().swap(output_);
  }
  account_output();
  if (state_ == State::closing) {
    if (output_.empty()) {
      link_->send_end(side_);
      finish(reason_);
    }
    return;
  }
  if (writable_owed_ && drained()) {
    writable_owed_ = false;
    if (handler_ != nullptr) handler_->on_writable();
  }
}

std::unique_ptr<Stream> SimStreamFactory::attach(std::unique_ptr<DetachedStream> detached) {
  auto* sim = dynamic_cast<SimDetached*>(detached.get());
  return sim == nullptr ? nullptr : sim->attach(loop_);
}

}  // namespace arena::net
