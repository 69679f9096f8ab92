#include "net/tls/core.h"

#include <utility>

#include "net/tls/stream.h"

namespace arena::net {

TlsCore::TlsCore(runtime::Loop& loop, const TicketSeed& tickets)
    : LayerCore(loop), tickets_(tickets), next_turn_(&TlsCore::on_next_turn, this) {}

TlsCore::~TlsCore() = default;

bool TlsCore::may_begin() {
  if (!next_turn_.armed()) loop().arm(next_turn_, 0);
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
  if (self.begun_ != 0) self.loop().arm(self.next_turn_, 0);
}

}  // namespace arena::net
