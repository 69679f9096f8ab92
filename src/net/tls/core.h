// What the TLS streams of one core share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/intrusive_list.h"
#include "net/count.h"
#include "net/layer_core.h"
#include "net/tls/tickets.h"
#include "runtime/loop.h"

namespace arena::net {

class TlsStream;
struct TlsOutputTag;
struct TlsHelloTag;

// A client that has said hello and waits for its handshake's turn.
struct TlsHello : ListNode<TlsHelloTag> {
  explicit TlsHello(TlsStream& one) : stream(one) {}
  TlsStream& stream;
};

// Why no connection came of a handshake.
enum class TlsFailure : uint8_t {
  not_tls,          // what came is something else
  version,          // the client's are too old
  no_agreement,     // no cipher, group or protocol (ALPN) in common
  certificate,      // the client's is missing, or not good
  refused_by_peer,  // it does not trust our certificate, or says another alert
  gave_up,          // the peer left, or it took too long
  other,
};
inline constexpr std::size_t kTlsFailures = 7;
inline constexpr const char* kTlsFailureNames[kTlsFailures] = {"not_tls",         "version", "no_agreement", "certificate",
                                                               "refused_by_peer", "gave_up", "other"};

using TlsCount = Count;

struct TlsCounters {
  TlsCount handshakes;  // that a connection came of, of both kinds
  TlsCount resumed;     // of those
  TlsCount waited;      // hellos that had to wait for a later turn
  TlsCount failed[kTlsFailures];

  void fail(TlsFailure why) { failed[static_cast<std::size_t>(why)].add(); }
};

// What its streams write in a turn is encrypted together before the turn ends, so that it leaves in as few records and system
// calls as may be.
class TlsCore : public LayerCore<TlsStream, TlsOutputTag> {
 public:
  // A handshake is a fraction of a millisecond of work, or with RSA most of one; who has a connection feels no more of them.
  static constexpr unsigned kHandshakesPerTurn = 4;

  TlsCore(runtime::Loop& loop, const TicketSeed& tickets);
  ~TlsCore();

  const TlsCounters& counters() const { return counters_; }

  // ---- for streams ----
  TlsCounters& count() { return counters_; }
  TicketKeys& tickets() { return tickets_; }
  // Whether a handshake may begin in this turn. If not, it waits for wait().
  bool may_begin();
  // First come, first served.
  void wait(TlsHello& hello);

 private:
  static void on_next_turn(void* self);

  TicketKeys tickets_;
  TlsCounters counters_;
  IntrusiveList<TlsHello, TlsHelloTag> hellos_;
  unsigned begun_ = 0;             // in this turn
  runtime::Timer next_turn_;       // armed while something has begun or waits
};

}  // namespace arena::net
