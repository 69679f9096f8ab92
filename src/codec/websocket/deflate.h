// Messages that are compressed (permessage-deflate, RFC 7692), each by itself: no context is taken over in either direction,
// so that nothing is kept between them. The library stays in the `.cc`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct z_stream_s;

namespace arena::websocket {

struct DeflateAgreement {
  int window_bits = 15;  // that a server may use
};

// The first offer of a Sec-WebSocket-Extensions field that can be met, and what the answer's field is to say.
std::optional<DeflateAgreement> agree_to_deflate(std::string_view offers, std::string& answer);

// What a message may become. A little one may be anything.
struct InflateLimits {
  uint64_t bytes_max = 1 << 20;
  uint32_t ratio_max = 100;  // to what came
  static constexpr uint64_t kAnyRatioBytes = 64 << 10;
};

enum class Inflated : uint8_t { good, bad, too_big };

// One message. Bounded at every step, however small what comes is.
class Inflater {
 public:
  explicit Inflater(const InflateLimits& limits);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Appends what the next bytes of it become.
  Inflated take(std::string_view piece, std::string& out);
  // There are no more.
  Inflated finish(std::string& out);

 private:
  Inflated run(std::string_view bytes, std::string& out);

  const InflateLimits limits_;
  std::unique_ptr<z_stream_s> stream_;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
};

// Any number of messages, one after the other.
class Deflater {
 public:
  explicit Deflater(const DeflateAgreement& agreed);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // Appends the message compressed.
  void deflate(std::string_view message, std::string& out);

 private:
  std::unique_ptr<z_stream_s> stream_;
};

}  // namespace arena::websocket
