#include "codec/websocket/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <new>
#include <utility>

namespace arena::websocket {
namespace {

constexpr std::size_t kChunkBytes = 16 << 10;
constexpr std::string_view kEmptyBlock("\x00\x00\xFF\xFF", 4);  // ends every message, and is left out (section 7.2)
constexpr int kWindowBitsMax = 15;
constexpr int kWindowBitsMin = 9;  // the library has no less; clients may, as what they use fits into ours

Bytef* bytes_of(std::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }

// ---- offers

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t end = std::min(text.find(mark), text.size());
  const std::string_view part = trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// 8 to 15, without ornament; 0: no such number.
int window_bits_of(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  if (value.size() == 1 && (value[0] == '8' || value[0] == '9')) return value[0] - '0';
  return value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5' ? 10 + (value[1] - '0') : 0;
}

struct Offer {
  bool server_no_context = false;
  bool client_no_context = false;
  bool client_window = false;
  int server_window_bits = 0;  // 0: not asked for

  // False: a parameter that is none, or stands twice.
  bool take(std::string_view name, std::string_view value, bool has_value) {
    if (name == "server_no_context_takeover") return !has_value && !std::exchange(server_no_context, true);
    if (name == "client_no_context_takeover") return !has_value && !std::exchange(client_no_context, true);
    if (name == "client_max_window_bits") return (!has_value || window_bits_of(value) != 0) && !std::exchange(client_window, true);
    if (name != "server_max_window_bits" || server_window_bits != 0) return false;
    server_window_bits = window_bits_of(value);
    return server_window_bits >= kWindowBitsMin;
  }
};

std::optional<Offer> read_offer(std::string_view text) {
  if (take_until(text, ';') != "permessage-deflate") return std::nullopt;
  Offer offer;
  while (!text.empty()) {
    std::string_view parameter = take_until(text, ';');
    const bool has_value = parameter.find('=') != std::string_view::npos;
    const std::string_view name = take_until(parameter, '=');
    if (!offer.take(name, parameter, has_value)) return std::nullopt;
  }
  return offer;
}

}  // namespace

std::optional<DeflateAgreement> agree_to_deflate(std::string_view offers, std::string& answer) {
  while (!offers.empty()) {
    const std::optional<Offer> offer = read_offer(take_until(offers, ','));
    if (!offer) continue;
    answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    if (offer->server_window_bits != 0) answer += "; server_max_window_bits=" + std::to_string(offer->server_window_bits);
    return DeflateAgreement{offer->server_window_bits != 0 ? offer->server_window_bits : kWindowBitsMax};
  }
  return std::nullopt;
}

// ---- inflating

Inflater::Inflater(const InflateLimits& limits) : limits_(limits), stream_(std::make_unique<z_stream>()) {
  if (inflateInit2(stream_.get(), -kWindowBitsMax) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() { inflateEnd(stream_.get()); }

Inflated Inflater::take(std::string_view piece, std::string& out) {
  bytes_in_ += piece.size();
  return run(piece, out);
}

Inflated Inflater::finish(std::string& out) {
  const Inflated inflated = run(kEmptyBlock, out);
  constexpr int kBetweenBlocks = 128;
  return inflated == Inflated::good && (stream_->data_type & kBetweenBlocks) == 0 ? Inflated::bad : inflated;
}

Inflated Inflater::run(std::string_view bytes, std::string& out) {
  stream_->next_in = bytes_of(bytes);
  stream_->avail_in = static_cast<uInt>(bytes.size());
  std::array<char, kChunkBytes> chunk;
  while (true) {
    stream_->next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream_->avail_out = kChunkBytes;
    const int result = inflate(stream_.get(), Z_NO_FLUSH);
    const std::size_t size = kChunkBytes - stream_->avail_out;
    bytes_out_ += size;
    const uint64_t by_ratio = std::max(InflateLimits::kAnyRatioBytes, bytes_in_ * limits_.ratio_max);
    if (bytes_out_ > std::min(limits_.bytes_max, by_ratio)) return Inflated::too_big;
    out.append(chunk.data(), size);
    if (result == Z_STREAM_END) {  // a last block may stand inside of a message (section 7.2.3.5)
      inflateReset(stream_.get());
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return Inflated::bad;
    }
    if (stream_->avail_in == 0 && stream_->avail_out != 0) return Inflated::good;
  }
}

// ---- deflating

Deflater::Deflater(const DeflateAgreement& agreed) : stream_(std::make_unique<z_stream>()) {
  if (deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED, -agreed.window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
}

Deflater::~Deflater() { deflateEnd(stream_.get()); }

void Deflater::deflate(std::string_view message, std::string& out) {
  deflateReset(stream_.get());
  stream_->next_in = bytes_of(message);
  stream_->avail_in = static_cast<uInt>(message.size());
  std::array<char, kChunkBytes> chunk;
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream_->avail_out = kChunkBytes;
    ::deflate(stream_.get(), Z_SYNC_FLUSH);
    out.append(chunk.data(), kChunkBytes - stream_->avail_out);
  } while (stream_->avail_out == 0);
  assert(out.ends_with(kEmptyBlock));
  out.resize(out.size() - kEmptyBlock.size());
}

}  // namespace arena::websocket
