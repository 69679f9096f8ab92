#include "crash/load.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace arena::crash {
namespace {

using engine::Append;
using engine::Batch;
using engine::CommitStatus;
using engine::Operation;
using engine::Space;

constexpr const char* kStepKey = "step";

std::string topic_of(uint64_t offset) { return "t/" + std::to_string(offset % 5); }

}  // namespace

uint64_t Expected::end_after(std::size_t count) const {
  uint64_t out = 0;
  for (std::size_t i = 0; i < count; ++i) out += steps[i].payloads.size();
  return out;
}

std::map<std::string, std::string> Expected::keys_after(std::size_t count) const {
  std::map<std::string, std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    for (const auto& [key, value] : steps[i].keys) {
      if (value) {
        out[key] = *value;
      } else {
        out.erase(key);
      }
    }
  }
  return out;
}

std::vector<std::string> Expected::payloads_after(std::size_t count) const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), steps[i].payloads.begin(), steps[i].payloads.end());
  return out;
}

Load::Load(const std::string& folder, uint64_t seed)
    : random_(seed), path_(folder + "/store"), files_(folder + "/graves") {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder + "/graves");
}

bool Load::open() {
  engine::RocksOptions options;
  options.path = path_;
  options.partitions = kPartitions;
  options.env = files_.env();
  options.write_buffer_bytes = 64 << 10;
  options.free_bytes = [] { return UINT64_MAX; };
  auto disk = engine::RocksDisk::open(std::move(options));
  if (!disk.ok()) {
    reason_ = disk.error().reason;
    return false;
  }
  disk_ = std::move(*disk);
  store_ = std::make_unique<engine::RocksStore>(loop_, disk_);
  return true;
}

void Load::close() {
  store_.reset();
  disk_.reset();
  loop_.run_until_idle();  // what was under way is dropped
}

std::string Load::open_and_verify() {
  if (!open()) return "it does not open: " + reason_;
  std::string wrong = verify();
  close();
  return wrong;
}

void Load::work(uint64_t steps) {
  for (uint64_t i = 0; i < steps && !failed_; ++i) {
    submit(static_cast<PartitionId>(random_.below(kPartitions)));
    if (random_.below(3) == 0) loop_.turn();
    if (random_.below(20) == 0) trim(static_cast<PartitionId>(random_.below(kPartitions)));
    if (random_.below(30) == 0) disk_->mark_high_water();
    if (random_.below(40) == 0) disk_->clean();
    if (random_.below(60) == 0) static_cast<void>(disk_->database().compact());
  }
  if (random_.below(2) == 0) loop_.run_until_idle();
  failed_ = false;
}

void Load::submit(PartitionId partition) {
  Expected& expected = expected_[partition];
  Step step;
  Batch batch;
  batch.partition = partition;
  Append& append = batch.appends.emplace_back();
  append.base_offset = expected.end;
  for (uint64_t count = random_.below(6); count > 0; --count) {
    const uint64_t offset = expected.end + step.payloads.size();
    const uint64_t bytes = random_.below(50) == 0 ? random_.below(200'000) : random_.below(2000);
    step.payloads.push_back(std::to_string(partition) + "/" + std::to_string(offset) + "/" + std::to_string(random_.below(1'000'000)) +
                            std::string(bytes, static_cast<char>('a' + random_.below(26))));
    auto* made = new Message;
    made->topic = topic_of(offset);
    made->payload = step.payloads.back();
    append.records.emplace_back(made);
  }
  step.keys[kStepKey] = std::to_string(expected.steps.size() + 1);
  const std::string key = "key " + std::to_string(random_.below(8));
  step.keys[key] = random_.below(3) == 0 ? std::nullopt : std::optional(std::string(random_.below(300), 'v'));
  for (const auto& [name, value] : step.keys) {
    batch.operations.push_back({value ? Operation::Kind::put : Operation::Kind::erase, Space::sessions, name, value.value_or("")});
  }
  expected.end += step.payloads.size();
  expected.steps.push_back(std::move(step));
  const std::size_t number = expected.steps.size();
  store_->commit(std::move(batch), [this, &expected, number](CommitStatus status) {
    if (status == CommitStatus::committed) {
      expected.answered = number;
    } else {
      failed_ = true;
    }
  });
}

void Load::trim(PartitionId partition) {
  Expected& expected = expected_[partition];
  const uint64_t end = store_->bounds(partition, LogId::inbox).end;
  if (end == 0) return;
  const uint64_t start = random_.below(4) == 0 ? end : random_.below(end);
  expected.trim_asked = std::max(expected.trim_asked, start);
  store_->trim(partition, LogId::inbox, start);
}

std::string Load::verify() {
  if (disk_->damaged() != 0) return "it says that something is damaged";
  for (PartitionId partition = 0; partition < kPartitions; ++partition) {
    if (std::string wrong = verify(partition); !wrong.empty()) return "partition " + std::to_string(partition) + ": " + wrong;
  }
  return {};
}

std::string Load::verify(PartitionId partition) {
  Expected& expected = expected_[partition];
  std::map<std::string, std::string> keys;
  for (engine::KeyValue& entry : store_->scan(partition, Space::sessions, {}, {}, SIZE_MAX)) keys[entry.key] = entry.value;
  const std::size_t kept = keys.contains(kStepKey) ? std::stoul(keys[kStepKey]) : 0;
  if (kept < expected.answered) return "answered " + std::to_string(expected.answered) + " commits, of which " + std::to_string(kept) + " are there";
  if (kept > expected.steps.size()) return "there are commits that nobody asked for";
  if (keys != expected.keys_after(kept)) return "the keys are not those of the last commit";
  const engine::LogBounds bounds = store_->bounds(partition, LogId::inbox);
  if (bounds.end != expected.end_after(kept)) return "the log ends at " + std::to_string(bounds.end) + ", not at " + std::to_string(expected.end_after(kept));
  if (bounds.start > expected.trim_asked) return "more was trimmed than asked for";
  const std::vector<std::string> payloads = expected.payloads_after(kept);
  if (std::string wrong = verify_log(partition, bounds, payloads, {}); !wrong.empty()) return wrong;
  const std::string topic = topic_of(random_.below(5));
  if (std::string wrong = verify_log(partition, bounds, payloads, topic); !wrong.empty()) return topic + ": " + wrong;
  expected.steps.resize(kept);
  expected.answered = kept;
  expected.end = bounds.end;
  return {};
}

std::string Load::verify_log(PartitionId partition, const engine::LogBounds& bounds, const std::vector<std::string>& payloads,
                       const std::string& topic) {
  uint64_t wanted = bounds.start;
  for (uint64_t next = bounds.start; next < bounds.end;) {
    const std::optional<engine::ReadResult> got = read(partition, next, topic);
    if (!got) return "a read is not answered";
    if (!got->status.ok()) return got->status.error().reason;
    for (const engine::Record& record : got->records) {
      while (!topic.empty() && wanted < bounds.end && topic_of(wanted) != topic) ++wanted;
      if (record.offset != wanted) return "offset " + std::to_string(wanted) + " is missing";
      if (record.message->payload != payloads[wanted]) return "offset " + std::to_string(wanted) + " has another content";
      ++wanted;
    }
    if (got->next <= next) return "reading does not go on";
    next = got->next;
  }
  while (!topic.empty() && wanted < bounds.end && topic_of(wanted) != topic) ++wanted;
  return wanted == bounds.end ? "" : "offset " + std::to_string(wanted) + " is missing";
}

std::optional<engine::ReadResult> Load::read(PartitionId partition, uint64_t from, const std::string& topic) {
  engine::ReadRequest request;
  request.partition = partition;
  request.from = from;
  request.topic = topic;
  std::optional<engine::ReadResult> got;
  store_->read(std::move(request), [&](engine::ReadResult result) { got = std::move(result); });
  loop_.run_until_idle();
  return got;
}

std::string Load::verify_damaged() {
  for (PartitionId partition = 0; partition < kPartitions; ++partition) {
    if (std::string wrong = verify_damaged(partition); !wrong.empty()) return "partition " + std::to_string(partition) + ": " + wrong;
  }
  return {};
}

std::string Load::verify_damaged(PartitionId partition) {
  bool told = disk_->damaged() != 0;
  if (std::string wrong = verify_keys(partition, told, false); !wrong.empty()) return wrong;
  return verify_records(partition, told, false);
}

std::string Load::verify_quarantined(bool keys_may_be_older) {
  found_ = wanted_ = 0;
  for (PartitionId partition = 0; partition < kPartitions; ++partition) {
    bool told = keys_may_be_older;
    std::string wrong = verify_keys(partition, told, keys_may_be_older);
    if (wrong.empty()) wrong = verify_records(partition, false, true);
    if (wrong.empty()) wrong = verify_topic(partition, topic_of(random_.below(5)));
    if (wrong.empty() && store_->bounds(partition, LogId::inbox).end < expected_[partition].end) wrong = "offsets will be used twice";
    if (!wrong.empty()) return "after quarantine, partition " + std::to_string(partition) + ": " + wrong;
  }
  return {};
}

std::string Load::verify_keys(PartitionId partition, bool& told, bool may_be_older) {
  const Expected& expected = expected_[partition];
  const std::map<std::string, std::string> keys = expected.keys_after(expected.steps.size());
  const auto had = [&](const engine::KeyValue& entry) {
    return std::any_of(expected.steps.begin(), expected.steps.end(), [&](const Step& step) {
      const auto at = step.keys.find(entry.key);
      return at != step.keys.end() && at->second == entry.value;
    });
  };
  std::size_t found = 0;
  for (const engine::KeyValue& entry : store_->scan(partition, Space::sessions, {}, {}, SIZE_MAX)) {
    const auto at = keys.find(entry.key);
    const bool right = at != keys.end() && at->second == entry.value;
    if (!right && !(may_be_older && had(entry))) return "key " + entry.key + " has a value it should not have";
    ++found;
  }
  told = told || disk_->damaged() != 0;
  return found >= keys.size() || told ? "" : "a key is missing, and nothing was said";
}

std::string Load::verify_topic(PartitionId partition, const std::string& topic) {
  const Expected& expected = expected_[partition];
  const uint64_t end = store_->bounds(partition, LogId::inbox).end;
  bool told = false;
  uint64_t found = 0;
  for (uint64_t next = 0; next < end;) {
    const std::optional<engine::ReadResult> got = read(partition, next, topic);
    if (!got || got->next <= next) return topic + ": reading does not go on";
    told = told || !got->status.ok();
    for (const engine::Record& record : got->records) {
      if (record.message->topic != topic) return topic + ": a record has another topic";
      if (record.offset >= expected.trim_asked) ++found;
    }
    next = got->next;
  }
  uint64_t wanted = 0;
  for (uint64_t offset = expected.trim_asked; offset < expected.end; ++offset) {
    if (topic_of(offset) == topic) ++wanted;
  }
  return found >= wanted || told ? "" : topic + ": records are missing, and nothing was said";
}

std::string Load::verify_records(PartitionId partition, bool told, bool exact) {
  const Expected& expected = expected_[partition];
  const engine::LogBounds bounds = store_->bounds(partition, LogId::inbox);
  const std::vector<std::string> payloads = expected.payloads_after(expected.steps.size());
  std::size_t read_count = 0;
  std::vector<bool> accounted(payloads.size());  // read, or told to be lost
  for (uint64_t next = 0; next < bounds.end;) {
    const std::optional<engine::ReadResult> got = read(partition, next, {});
    if (!got || got->next <= next) return "reading does not go on";
    told = told || !got->status.ok();
    for (const engine::Record& record : got->records) {
      if (record.offset >= payloads.size() || record.message->payload != payloads[record.offset]) return "a record is not what was stored";
      accounted[record.offset] = true;
    }
    for (uint64_t at = got->next - got->damaged; at < std::min<uint64_t>(got->next, payloads.size()); ++at) {
      if (accounted[at]) return "offset " + std::to_string(at) + " was read, and told to be lost";
      accounted[at] = true;
    }
    read_count += got->records.size();
    next = got->next;
  }
  const uint64_t wanted = payloads.size() - std::min<uint64_t>(payloads.size(), expected.trim_asked);
  found_ += std::min<uint64_t>(read_count, wanted);
  wanted_ += wanted;
  for (uint64_t at = std::max(expected.trim_asked, bounds.start); exact && at < payloads.size(); ++at) {
    if (!accounted[at]) return "offset " + std::to_string(at) + " is neither there nor told to be lost";
  }
  if (read_count >= wanted || told) return {};
  return "records are missing, and nothing was said: " + std::to_string(read_count) + " of " + std::to_string(payloads.size()) +
         " are there, the log goes from " + std::to_string(bounds.start) + " to " + std::to_string(bounds.end) + ", trimmed up to " +
         std::to_string(expected.trim_asked);
}

}  // namespace arena::crash
