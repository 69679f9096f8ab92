#include "net/tls/core.h"

#include <utility>

#include "net/tls/stream.h"

namespace arena::net {
namespace {
constexpr std::size_t kSpareBytesMax = 64 << 10;
constexpr std::size_t kSparesMax = 64;
}  // namespace

TlsCore::TlsCore(runtime::Loop& loop, const TicketSeed& tickets)
    : loop_(loop), tickets_(tickets), next_turn_(&TlsCore::on_next_turn, this) {}

TlsCore::~TlsCore() = default;

// Behind everything that is deferred already, and behind what that defers: what those write goes into the same record.
void TlsCore::at_turn_end(TlsStream& stream) {
  waiting_.push_back(stream);
  if (std::exchange(run_due_, true)) return;
  loop_.defer([this] {
    loop_.defer([this] { run(); });
  });
}

void TlsCore::run() {
  run_due_ = false;
  IntrusiveList<TlsStream, TlsOutputTag> now;
  now.splice_back(waiting_);
  while (!now.empty()) now.pop_front().on_core_turn();
}

bool TlsCore::may_begin() {
  if (!next_turn_.armed()) loop_.arm(next_turn_, 0);
  if (begun_ >= kHandshakesPerTurn || !hellos_.empty()) return false;
  ++begun_;
  return true;
}

void TlsCore::wait(TlsHello& hello) {
  counters_.waited.add();
  hellos_.push_back(hello);
}

// Everything that could be read in between was read: others had their turn.
void TlsCore::on_next_turn(void* context) {
  auto& self = *static_cast<TlsCore*>(context);
  for (self.begun_ = 0; self.begun_ < kHandshakesPerTurn && !self.hellos_.empty(); ++self.begun_) {
    self.hellos_.pop_front().stream.begin_handshake();
  }
  if (self.begun_ != 0) self.loop_.arm(self.next_turn_, 0);
}

std::span<char> TlsCore::scratch() {
  if (!scratch_) scratch_ = std::make_unique_for_overwrite<char[]>(kScratchBytes);
  return {scratch_.get(), kScratchBytes};
}

std::string TlsCore::take_spare() {
  std::string buffer;
  if (spares_.empty()) {
    buffer.reserve(kSpareBytesMin);
  } else {
    buffer = std::move(spares_.back());
    spares_.pop_back();
  }
  return buffer;
}

void TlsCore::give_spare(std::string buffer) {
  if (buffer.capacity() < kSpareBytesMin || buffer.capacity() > kSpareBytesMax || spares_.size() >= kSparesMax) return;
  buffer.clear();
  spares_.push_back(std::move(buffer));
}

}  // namespace arena::net
