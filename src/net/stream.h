// A byte stream to one peer, on one core: TCP, TLS or WebSocket over another stream, simulated in tests.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/ref.h"
#include "runtime/loop.h"

namespace arena::net {

// Who is at the other end. Kept as the bytes of the address: there are very many streams.
class PeerAddress {
 public:
  PeerAddress() = default;
  // `ip` is numeric; anything else is no address.
  PeerAddress(const std::string& ip, uint16_t port, bool loopback);
  // 16 bytes; IPv4 as it is mapped into IPv6.
  PeerAddress(const unsigned char* ipv6, uint16_t port, bool loopback);

  // Numeric, IPv4-mapped IPv6 shown as IPv4.
  std::string ip() const;
  uint16_t port() const { return port_; }
  bool loopback() const { return loopback_; }
  // The same without being of this machine: nothing is to follow from it.
  PeerAddress as_from_afar() const {
    PeerAddress out = *this;
    out.loopback_ = false;
    return out;
  }

 private:
  std::array<unsigned char, 16> ip_{};
  uint16_t port_ = 0;
  bool loopback_ = false;
};

enum class CloseReason : uint8_t { peer_closed, reset, output_full, timed_out, local };

// Implemented by whoever speaks a protocol over the stream. Called on the stream's core, never from inside a
// call to the stream.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // Bytes arrived; the view holds during the call only. The handler keeps what it needs of an incomplete packet.
  // It may close, abort, pause or detach the stream in here.
  virtual void on_data(std::string_view bytes) = 0;
  // Output that was above the high-water mark, or above what is certain while others hold much, has been written down to
  // the low-water mark. May come though writable() was true all the time.
  virtual void on_writable() = 0;
  // The peer is gone or the stream failed. Last call; the stream can be destroyed in here. Not called after
  // abort() or detach(). After close() it is called once the output is out, or given up.
  virtual void on_closed(CloseReason reason) = 0;
};

// What travels to another core when a connection moves: the socket and nothing that belongs to a loop.
class DetachedStream {
 public:
  virtual ~DetachedStream() = default;
};

// What the output buffers of many streams hold together of what the system would not take; any core. While it is full,
// each stream has room for a little only, so that those whose peers read go on and the others wait.
struct OutputBudget {
  static constexpr std::size_t kLittleBytes = 16 << 10;

  explicit OutputBudget(std::size_t max) : bytes_max(max) {}
  bool full() const { return used.load(std::memory_order_relaxed) >= bytes_max; }

  const std::size_t bytes_max;
  std::atomic<std::size_t> used{0};
  std::atomic<uint64_t> times_full{0};
};

struct StreamOptions {
  std::size_t output_high_bytes = 1 << 20;  // above: writable() is false; 1 GiB at most
  std::size_t output_low_bytes = 256 << 10;
  int64_t close_timeout_ms = 2000;  // how long close() waits for the output to leave
  OutputBudget* budget = nullptr;   // shared; outlives the stream
};

// The options of many streams, kept once.
struct SharedStreamOptions : RefCounted<SharedStreamOptions> {
  explicit SharedStreamOptions(const StreamOptions& options) : value(options) {}
  const StreamOptions value;
};
using StreamOptionsRef = Ref<const SharedStreamOptions>;
inline StreamOptionsRef share(const StreamOptions& options) { return StreamOptionsRef(new SharedStreamOptions(options)); }

// Bytes that several streams send; never changed once shared.
struct SharedBytes : RefCounted<SharedBytes> {
  std::string text;
};
using SharedBytesRef = Ref<const SharedBytes>;

// Belongs to one core. Destroying it closes the socket at once.
class Stream {
 public:
  virtual ~Stream() {
    output_.clear();
    ahead_bytes_ = 0;
    account_output();
  }

  void set_handler(StreamHandler* handler) { handler_ = handler; }
  // Appends to the output buffer. Everything written in one turn of the loop leaves in one system call at its end.
  void write(std::string_view bytes) {
    output().append(bytes);
    mark_dirty();
  }
  // The same as write(bytes->text), but a stream may keep the reference instead of a copy until the bytes are out.
  virtual void write_shared(const SharedBytesRef& bytes) { write(bytes->text); }
  // The buffer itself, for encoders that append in place; call mark_dirty() after.
  std::string& output() {
    if (output_.empty()) on_first_output();
    return output_;
  }
  void mark_dirty() {
    if (!dirty_) {
      dirty_ = true;
      on_dirty();
    }
  }
  std::size_t output_bytes() const { return ahead_bytes_ + output_.size(); }  // not yet accepted by the system
  bool writable() const {
    return output_bytes() <= certain_room() || (output_bytes() <= options().output_high_bytes && !options().budget->full());
  }
  std::size_t output_room() const { return output_.capacity(); }
  const PeerAddress& peer() const { return peer_; }
  const StreamOptionsRef& shared_options() const { return options_; }
  // What both ends agreed to speak while they made the connection (ALPN), once data has come; empty: nothing.
  virtual std::string_view application_protocol() const { return {}; }

  // Stops reading so that the peer is slowed; what was read already is still handed over.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // Reads no more; flushes the output, then closes and calls on_closed(local).
  virtual void close() = 0;
  // Closes at once and drops the output. on_closed is not called.
  virtual void abort() = 0;
  // Takes the socket off this core; output must be empty. The stream is dead afterwards; destroy it.
  virtual std::unique_ptr<DetachedStream> detach() = 0;

 protected:
  Stream(const PeerAddress& peer, StreamOptionsRef options) : options_(std::move(options)), peer_(peer) {}
  const StreamOptions& options() const { return options_->value; }
  virtual void on_dirty() = 0;
  virtual void on_first_output() {}  // output_ is empty and about to be written: room may be put there
  // For streams: up to here writable() is true whatever others hold. Output above it makes on_writable owed.
  std::size_t certain_room() const {
    if (options().budget == nullptr) return options().output_high_bytes;
    return std::min(options().output_high_bytes, OutputBudget::kLittleBytes);
  }
  bool drained() const { return output_bytes() <= options().output_low_bytes && writable(); }
  // For streams, after each attempt to send.
  void account_output() {
    OutputBudget* budget = options().budget;
    if (budget == nullptr || accounted_ == output_bytes()) return;
    const std::size_t before = budget->used.fetch_add(output_bytes() - accounted_);
    const std::size_t after = before + (output_bytes() - accounted_);
    if (before < budget->bytes_max && after >= budget->bytes_max) ++budget->times_full;
    accounted_ = static_cast<uint32_t>(output_bytes());
  }

  StreamHandler* handler_ = nullptr;
  std::string output_;
  StreamOptionsRef options_;
  uint32_t ahead_bytes_ = 0;  // of output that an implementation keeps elsewhere, in front of output_
  uint32_t accounted_ = 0;    // of the output in the budget
  PeerAddress peer_;
  bool dirty_ = false;
};

// The other half of detach(): makes a stream of what came from another core. Called on the new core.
class StreamFactory {
 public:
  virtual ~StreamFactory() = default;
  virtual std::unique_ptr<Stream> attach(std::unique_ptr<DetachedStream> detached) = 0;
};

}  // namespace arena::net
