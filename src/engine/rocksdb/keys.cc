#include "engine/rocksdb/keys.h"

#include <sodium.h>

#include <algorithm>

#include "base/hash.h"
#include "base/wire.h"

namespace arena::engine {
namespace {

constexpr uint8_t kValueVersion = 1;
constexpr std::size_t kEnvelopeBytes = 5;

// What of a space's keys is a number that may be seen and sorted by: times, and ids.
std::size_t front_bytes(Space space) {
  switch (space) {
    case Space::due: return 8;
    case Space::handshakes: return 10;
    case Space::streams: return 4;
    case Space::sessions:
    case Space::groups:
    case Space::retained:
    case Space::published: break;
  }
  return 0;
}

}  // namespace

std::string log_prefix(LogName name) {
  std::string out;
  put_be(out, name.partition);
  put_be(out, static_cast<uint32_t>(name.log));
  return out;
}

bool read_log_name(std::string_view key, LogName& name) {
  WireReader reader(key);
  name.partition = reader.be<uint16_t>();
  name.log = static_cast<LogId>(reader.be<uint32_t>());
  return !reader.failed();
}

std::string block_key(LogName name, uint64_t base) {
  std::string out = log_prefix(name);
  put_be(out, base);
  return out;
}

bool read_block_key(std::string_view key, LogName& name, uint64_t& base) {
  if (!read_log_name(key, name)) return false;
  WireReader reader(key.substr(kLogPrefixBytes));
  base = reader.be<uint64_t>();
  return reader.done();
}

std::string start_key(LogName name) {
  std::string out = log_prefix(name);
  put_be(out, static_cast<uint8_t>(IndexKind::start));
  return out;
}

std::string segment_key(LogName name, uint64_t base) {
  std::string out = log_prefix(name);
  put_be(out, static_cast<uint8_t>(IndexKind::segment));
  put_be(out, base);
  return out;
}

std::string topic_key(LogName name, uint64_t hash, uint64_t segment_base) {
  std::string out = log_prefix(name);
  put_be(out, static_cast<uint8_t>(IndexKind::topic));
  put_be(out, hash);
  put_be(out, segment_base);
  return out;
}

std::string lost_key(LogName name, uint64_t base) {
  std::string out = log_prefix(name);
  put_be(out, static_cast<uint8_t>(IndexKind::lost));
  put_be(out, base);
  return out;
}

std::string jump_key(LogName name, uint64_t base) {
  std::string out = log_prefix(name);
  put_be(out, static_cast<uint8_t>(IndexKind::jump));
  put_be(out, base);
  return out;
}

bool read_index_kind(std::string_view key, LogName& name, IndexKind& kind) {
  if (!read_log_name(key, name) || key.size() <= kLogPrefixBytes) return false;
  kind = static_cast<IndexKind>(key[kLogPrefixBytes]);
  return true;
}

uint64_t topic_hash(const HashKey& secret, std::string_view topic) {
  std::array<unsigned char, crypto_shorthash_BYTES> out{};
  crypto_shorthash(out.data(), reinterpret_cast<const unsigned char*>(topic.data()), topic.size(), secret.data());
  return WireReader(std::string_view(reinterpret_cast<const char*>(out.data()), out.size())).be<uint64_t>();
}

std::string space_prefix(PartitionId partition, Space space) {
  std::string out;
  put_be(out, partition);
  put_be(out, static_cast<uint8_t>(space));
  return out;
}

std::string space_front(PartitionId partition, Space space, std::string_view key) {
  std::string out = space_prefix(partition, space);
  const std::size_t bytes = front_bytes(space);
  out.append(key.substr(0, bytes));
  out.append(bytes - std::min(bytes, key.size()), '\0');
  return out;
}

std::string space_key(const HashKey& secret, PartitionId partition, Space space, std::string_view key) {
  std::string out = space_front(partition, space, key);
  std::array<unsigned char, crypto_shorthash_siphashx24_BYTES> hash{};
  crypto_shorthash_siphashx24(hash.data(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), secret.data());
  out.append(reinterpret_cast<const char*>(hash.data()), hash.size());
  return out;
}

std::string seal_value(std::string_view payload) {
  std::string out;
  out.reserve(kEnvelopeBytes + payload.size());
  put_be(out, kValueVersion);
  put_be(out, checksum32(payload));
  out.append(payload);
  return out;
}

Result<std::string_view> open_value(std::string_view sealed) {
  WireReader reader(sealed);
  const auto version = reader.be<uint8_t>();
  const auto checksum = reader.be<uint32_t>();
  if (reader.failed()) return fail("a value is cut short");
  if (version != kValueVersion) {
    return fail_with("a value has version " + std::to_string(version) + ", which this release cannot read");
  }
  if (checksum32(reader.rest()) != checksum) return fail("a value does not match its checksum");
  return reader.rest();
}

}  // namespace arena::engine
