// What the TLS streams of one core share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/intrusive_list.h"
#include "net/count.h"
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

// Outlives its streams. What they write in a turn is encrypted together before the turn ends, so that it leaves in as few
// records and system calls as may be.
class TlsCore {
 public:
  static constexpr std::size_t kScratchBytes = 64 << 10;
  static constexpr std::size_t kSpareBytesMin = 512;
  // A handshake is a fraction of a millisecond of work, or with RSA most of one; who has a connection feels no more of them.
  static constexpr unsigned kHandshakesPerTurn = 4;

  TlsCore(runtime::Loop& loop, const TicketSeed& tickets);
  ~TlsCore();
  TlsCore(const TlsCore&) = delete;
  TlsCore& operator=(const TlsCore&) = delete;

  const TlsCounters& counters() const { return counters_; }

  // ---- for streams ----
  runtime::Loop& loop() { return loop_; }
  TlsCounters& count() { return counters_; }
  TicketKeys& tickets() { return tickets_; }
  // Lets it work at the end of this turn.
  void at_turn_end(TlsStream& stream);
  // Whether a handshake may begin in this turn. If not, it waits for wait().
  bool may_begin();
  // First come, first served.
  void wait(TlsHello& hello);
  // Room for what is decrypted; its content lasts until the next read on this core.
  std::span<char> scratch();
  // Buffers for output, so that a turn costs no allocations. Bounded.
  std::string take_spare();
  void give_spare(std::string buffer);

 private:
  void run();
  static void on_next_turn(void* self);

  runtime::Loop& loop_;
  TicketKeys tickets_;
  TlsCounters counters_;
  IntrusiveList<TlsStream, TlsOutputTag> waiting_;
  bool run_due_ = false;
  IntrusiveList<TlsHello, TlsHelloTag> hellos_;
  unsigned begun_ = 0;             // in this turn
  runtime::Timer next_turn_;       // armed while something has begun or waits
  std::unique_ptr<char[]> scratch_;
  std::vector<std::string> spares_;
};

}  // namespace arena::net
