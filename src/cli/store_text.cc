#include "cli/store_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "cli/message_text.h"

namespace arena::cli {
namespace {

using engine::Damage;
using engine::Findings;
using engine::KeyLosses;
using engine::LostOffsets;
using engine::PartitionStats;
using engine::Quarantined;
using engine::Space;
using engine::StoreStats;

uint64_t keys_of(const PartitionStats& stats, Space space) { return stats.keys[static_cast<std::size_t>(space) - 1]; }

std::string keys_json(const PartitionStats& stats) {
  return fmt::format("\"sessions\":{},\"groups\":{},\"retained\":{},\"retained_own\":{},\"due\":{},\"handshakes\":{},\"streams\":{},\"published\":{}",
                     keys_of(stats, Space::sessions), keys_of(stats, Space::groups), keys_of(stats, Space::retained), stats.own_retained, keys_of(stats, Space::due),
                     keys_of(stats, Space::handshakes), keys_of(stats, Space::streams), keys_of(stats, Space::published));
}

void append_field(std::string& out, const char* name, const std::string& text) {
  out += fmt::format("\"{}\":", name);
  append_json_string(out, text);
}

// What stands in a space, for people and for programs.
struct Kind {
  Space space;
  std::string_view text;
  std::string_view name;
};
constexpr std::array<Kind, 7> kKinds = {{
    {Space::streams, "streams' declarations", "streams"},
    {Space::sessions, "sessions and their subscriptions", "sessions"},
    {Space::groups, "places of shared subscriptions", "groups"},
    {Space::retained, "last values", "retained"},
    {Space::due, "when sessions expire", "due"},
    {Space::handshakes, "QoS 2 handshakes", "handshakes"},
    {Space::published, "remembered ids and producers", "published"},
}};

std::string kinds_text(const std::set<Space>& spaces) {
  std::string out;
  for (const Kind& kind : kKinds) {
    if (spaces.contains(kind.space)) out += fmt::format("{}{}", out.empty() ? "" : ", ", kind.text);
  }
  return out;
}

std::string kinds_json(const std::set<Space>& spaces) {
  std::string out;
  for (const Kind& kind : kKinds) {
    if (spaces.contains(kind.space)) out += fmt::format("{}\"{}\"", out.empty() ? "" : ",", kind.name);
  }
  return "[" + out + "]";
}

uint64_t left_of(const KeyLosses& keys, Space space) { return keys.left[static_cast<std::size_t>(space) - 1]; }

std::string count_text(uint64_t count, std::string_view one) { return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s"); }

std::string keys_text(const KeyLosses& keys) {
  if (!keys.hit()) return {};
  const bool none_left = std::ranges::all_of(keys.left, [](uint64_t count) { return count == 0; });
  std::string out = fmt::format("{}: {}\n", !keys.gone ? "may be older than they were" : none_left ? "gone" : "gone, or older than they were", kinds_text(keys.kinds));
  out += fmt::format("left: {}, {}, {}, {}\n", count_text(left_of(keys, Space::streams), "stream"), count_text(left_of(keys, Space::sessions), "session"),
                     count_text(left_of(keys, Space::retained), "last value"), count_text(left_of(keys, Space::published), "remembered id"));
  uint64_t messages = 0;
  for (const KeyLosses::Undeclared& one : keys.undeclared) messages += one.messages;
  if (!keys.undeclared.empty()) {
    out += fmt::format("{} of {} whose declaration is gone: nobody can read them any more, and a server deletes them in time\n", count_text(messages, "message"), count_text(keys.undeclared.size(), "stream"));
  }
  if (keys.gone && left_of(keys, Space::sessions) + left_of(keys, Space::groups) == 0 && keys.inbox_messages != 0) {
    out += fmt::format("{} waited for sessions that are gone\n", count_text(keys.inbox_messages, "message"));
  }
  return out;
}

std::string key_losses_json(const KeyLosses& keys) {
  std::string left, undeclared;
  for (const Kind& kind : kKinds) left += fmt::format("{}\"{}\":{}", left.empty() ? "" : ",", kind.name, left_of(keys, kind.space));
  for (const KeyLosses::Undeclared& one : keys.undeclared) {
    undeclared += fmt::format("{}{{\"log\":{},\"messages\":{}}}", undeclared.empty() ? "" : ",", static_cast<uint32_t>(one.log), one.messages);
  }
  return fmt::format("{{\"gone\":{},\"older\":{},\"kinds\":{},\"left\":{{{}}},\"undeclared\":[{}],\"inbox_messages\":{}}}", keys.gone, keys.older, kinds_json(keys.kinds),
                     keys.hit() ? left : "", undeclared, keys.inbox_messages);
}

std::string damage_text(const Damage& damage) {
  std::string out = "damaged: ";
  if (!damage.file.empty()) out += damage.file + ": ";
  if (damage.log) out += "offsets " + offsets_text(*damage.log, damage.from, damage.upto) + ": ";
  if (!damage.keys.empty()) out += "keys (" + kinds_text(damage.keys) + "): ";
  return out + damage.reason + "\n";
}

std::string damage_json(const Damage& damage) {
  std::string out = "{";
  append_field(out, "file", damage.file);
  if (damage.log) {
    out += fmt::format(",\"partition\":{},\"log\":{},\"from\":{}", damage.log->partition, static_cast<uint32_t>(damage.log->log), damage.from);
    out += damage.upto == UINT64_MAX ? std::string(",\"upto\":null") : fmt::format(",\"upto\":{}", damage.upto);
  }
  if (!damage.keys.empty()) out += ",\"keys\":" + kinds_json(damage.keys);
  out += ",";
  append_field(out, "reason", damage.reason);
  return out + fmt::format(",\"mended_at_start\":{}}}", damage.mended_at_start);
}

std::string findings_fields(const Findings& findings) {
  std::string out = fmt::format("\"sound\":{},\"files\":{},\"blocks\":{},\"messages\":{},\"keys\":{},", findings.sound(), findings.files,
                                findings.blocks, findings.messages, findings.keys);
  append_field(out, "refused", findings.refused);
  out += ",\"damages\":[";
  bool first = true;
  for (const Damage& damage : findings.damages) {
    if (!first) out += ",";
    first = false;
    out += damage_json(damage);
  }
  return out + "]";
}

}  // namespace

std::string offsets_text(engine::LogName log, uint64_t from, uint64_t upto) {
  const std::string end = upto == UINT64_MAX ? "?" : std::to_string(upto);
  return fmt::format("[{}, {}) of partition {}", from, end, log.partition);
}

std::string stats_text(const StoreStats& stats) {
  const PartitionStats all = stats.total();
  std::string out = fmt::format(
      "format      {}\npartitions  {}\nfiles       {} bytes\nblocks      {} ({} bytes)\nmessages    {}\nstreams     {}\nsessions    {}\n"
      "retained    {} (and {} of the broker's own)\ngroups      {}\ndue         {}\nhandshakes  {}\nlost        {} offsets\n\n",
      stats.format, stats.partitions, stats.file_bytes, all.blocks, all.bytes, all.messages, keys_of(all, Space::streams), keys_of(all, Space::sessions),
      keys_of(all, Space::retained), all.own_retained, keys_of(all, Space::groups), keys_of(all, Space::due), keys_of(all, Space::handshakes), all.lost);
  out += fmt::format("{:>9} {:>12} {:>12} {:>10} {:>10} {:>14} {:>9} {:>9}\n", "partition", "first", "next", "blocks", "messages", "bytes",
                     "sessions", "retained");
  for (const PartitionStats& one : stats.logs) {
    out += fmt::format("{:>9} {:>12} {:>12} {:>10} {:>10} {:>14} {:>9} {:>9}\n", one.partition, one.start, one.end, one.blocks, one.messages,
                       one.bytes, keys_of(one, Space::sessions), keys_of(one, Space::retained));
  }
  return out;
}

std::string stats_json(const StoreStats& stats) {
  const PartitionStats all = stats.total();
  std::string out = fmt::format(
      "{{\"format\":{},\"partitions\":{},\"sequence\":{},\"file_bytes\":{},\"blocks\":{},\"messages\":{},\"bytes\":{},\"lost\":{},{},\"logs\":[",
      stats.format, stats.partitions, stats.sequence, stats.file_bytes, all.blocks, all.messages, all.bytes, all.lost, keys_json(all));
  bool first = true;
  for (const PartitionStats& one : stats.logs) {
    out += fmt::format("{}{{\"partition\":{},\"log\":{},\"first\":{},\"next\":{},\"blocks\":{},\"messages\":{},\"bytes\":{},\"lost\":{},{}}}",
                       first ? "" : ",", one.partition, static_cast<uint32_t>(one.log), one.start, one.end, one.blocks, one.messages, one.bytes,
                       one.lost, keys_json(one));
    first = false;
  }
  return out + "]}\n";
}

std::string findings_text(const Findings& findings) {
  std::string out;
  for (const Damage& damage : findings.damages) out += damage_text(damage);
  if (!findings.refused.empty()) out += "a server refuses it: " + findings.refused + "\n";
  return out + fmt::format("{}: {} files, {} blocks, {} messages, {} keys read\n",
                           findings.sound() ? "sound" : fmt::format("{} damages", findings.damages.size()), findings.files, findings.blocks,
                           findings.messages, findings.keys);
}

std::string findings_json(const Findings& findings) { return "{" + findings_fields(findings) + "}\n"; }

std::string quarantined_text(const Quarantined& done, const std::string& name) {
  std::string out = findings_text(done.findings);
  if (done.findings.sound()) return out;
  for (const std::string& file : done.files) out += "in " + name + ": " + file + "\n";
  for (const LostOffsets& one : done.lost) {
    out += "lost: offsets " + offsets_text(one.log, one.from, one.upto) + (one.bound ? ", or fewer: how far it went is not known\n" : "\n");
  }
  if (done.lost.empty() && done.keys.undeclared.empty()) out += "lost: no messages\n";
  if (done.deleted_may_return) out += "messages that were deleted last, by a purge or a limit, may be there again\n";
  return out + keys_text(done.keys);
}

std::string quarantined_json(const Quarantined& done, const std::string& name) {
  std::string out = "{" + findings_fields(done.findings);
  out += ",";
  append_field(out, "quarantine", done.findings.sound() ? std::string() : name);
  out += ",\"files\":[";
  for (std::size_t i = 0; i < done.files.size(); ++i) {
    if (i > 0) out += ",";
    append_json_string(out, done.files[i]);
  }
  out += "],\"lost\":[";
  for (std::size_t i = 0; i < done.lost.size(); ++i) {
    const LostOffsets& one = done.lost[i];
    out += fmt::format("{}{{\"partition\":{},\"log\":{},\"from\":{},\"upto\":{},\"bound\":{}}}", i > 0 ? "," : "", one.log.partition,
                       static_cast<uint32_t>(one.log.log), one.from, one.upto, one.bound);
  }
  return out + fmt::format("],\"deleted_may_return\":{},\"keys_may_be_older\":{},\"keys\":{}}}\n", done.deleted_may_return, done.keys.hit(), key_losses_json(done.keys));
}

}  // namespace arena::cli
