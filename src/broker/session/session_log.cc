// A session behind the log: what it reads, and the seam to what comes live. CURSORS.md 6, 7.
#include <algorithm>
#include <utility>

#include "broker/session/session.h"
#include "broker/shard.h"
#include "message/topic.h"

namespace arena::broker {

void Session::read_if_room() {
  if (!open_for_sending() || waiting_bytes_ >= queued_bytes_max() / 4) return;
  if (rare_) {
    for (auto& [name, replay] : rare_->replays) replay->read_more();
  }
  if (groups_refused_) {
    groups_refused_ = false;
    tell_groups();
  }
  if (has_last_values() || (!waiting_.empty() && !has_room())) return;
  if (feed_.behind()) feed_.read_more(shard_, id_, durable_filters());
}

// Only a durable subscription makes the message mine; one for which nothing is kept has a say in how it comes, if it matches
// now [MQTT-3.3.4-4].
std::optional<Merged> Session::merge_own(const Message& message, LogName log, uint64_t offset) {
  Merged merged;
  bool mine = false;
  for (const auto& subscription : subscriptions_) {
    const SubscribeRequest& request = subscription->request;
    if (!request.group.empty() || (subscription->durable && !subscription->is_born(log, offset))) continue;
    if (!filter_matches(request.filter, message.topic)) continue;
    if (request.no_local && message.publisher == identity_) continue;
    if (!may_read(*subscription, message.topic)) {
      if (subscription->durable) shard_.counters().drop(Drop::denied_delivery);
      continue;
    }
    mine = mine || subscription->durable;
    merged.guarantee = std::max(merged.guarantee, std::min(message.guarantee, request.granted));
    merged.positions = merged.positions || request.positions;
    merged.retained = merged.retained || (request.keep_retained_flag && message.retain);
    if (request.id != 0) merged.ids.push_back(request.id);
  }
  if (!mine) return std::nullopt;
  return merged;
}

void Session::take_record(LogName log, engine::Record& record) {
  Cursor* cursor = feed_.find(log);
  if (record.offset < cursor->next()) return;
  // What was published at most once is in a stream's log for those who replay it; to me it came live, or never.
  if (record.message->guarantee == Guarantee::at_most_once) return;
  std::optional<Merged> merged = merge_own(*record.message, log, record.offset);
  if (!merged || !cursor->take(record.offset)) return;
  Item item{std::move(record.message), merged->guarantee, merged->retained, true, log, record.offset};
  item.positions = merged->positions;
  item.ids = std::move(merged->ids);
  if (const uint16_t restored = take_restored_tag(log, record.offset)) {
    item.restored_tag = restored;
    item.guarantee = Guarantee::exactly_once;  // as it began, whatever the subscription says now
  }
  if (item.guarantee == Guarantee::at_most_once) {
    // The subscription is just being lowered to that: nobody would ever settle it under a tag [MQTT-3.3.1-2].
    settled(item);
    item.stored = false;
    enqueue_transient(std::move(item));
    return;
  }
  count_in(item);
  waiting_.push_back(std::move(item));
}

// 0: nothing of that place was sent before a restart.
uint16_t Session::take_restored_tag(LogName log, uint64_t offset) {
  if (!rare_) return 0;
  const auto it = rare_->restored_tags.find({log, offset});
  if (it == rare_->restored_tags.end()) return 0;
  const uint16_t tag = it->second;
  rare_->restored_tags.erase(it);
  return tag;
}

// Tags of deliveries begun before a restart that the log does not give back: settled, or not mine as the rules are now. The
// receiver may still hold them open, so they are released; and were they mine again when the log is read again, they would come
// twice.
void Session::release_unread(LogName log, uint64_t next) {
  if (!rare_) return;
  Cursor* cursor = feed_.find(log);
  std::vector<uint16_t> tags;
  for (auto it = rare_->restored_tags.begin(); it != rare_->restored_tags.end();) {
    if (it->first.first != log || it->first.second >= next) {
      ++it;
      continue;
    }
    tags.push_back(it->second);
    if (cursor != nullptr) cursor->restore_settled(it->first.second);
    it = rare_->restored_tags.erase(it);
  }
  for (uint16_t tag : tags) release_tag(tag);
}

void Session::release_tag(uint16_t tag) {
  Item item;
  item.guarantee = Guarantee::exactly_once;
  window_.add(std::move(item), Stage::releasing, tag).ever_sent = true;
  release_when_written(tag);
}

// Whether any of it was mine nobody knows. Who asked where messages lie is told, as far as this connection lasts.
void Session::take_loss(const ReadAnswer& answer) {
  shard_.counters().drop(Drop::damaged, answer.lost.counted());
  const bool asked = std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const auto& subscription) {
    return subscription->durable && subscription->request.positions && subscription->request.group.empty() && subscription->is_known(answer.log);
  });
  if (!asked || sink_ == nullptr) return;
  Item item{gap_message(shard_, answer.log, answer.next, answer.lost, Gone::damaged, Guarantee::at_most_once)};
  if (!item.message) return;
  item.positions = true;
  item.log = answer.log;
  item.offset = answer.next - 1;
  item.replay = kBrokersWord;
  count_in(item);
  waiting_.push_back(std::move(item));
}

void Session::on_read(ReadAnswer answer) {
  if (!feed_.accept(answer)) return;
  for (engine::Record& record : answer.records) {
    if (waiting_bytes_ >= queued_bytes_max()) {
      answer.stop_at(record.offset);
      break;
    }
    take_record(answer.log, record);
  }
  if (answer.lost) take_loss(answer);
  feed_.finish(answer);
  if (!feed_.behind()) forget_durable_filters();
  release_unread(answer.log, answer.next);
  pump();
}

void Session::on_end(LogName log, uint64_t end) {
  Cursor* cursor = feed_.find(log);
  if (cursor != nullptr && cursor->seam == Cursor::Seam::live) cursor->advance(end);
}

void Session::on_stream_added(const Stream& stream, std::vector<LogName>& joined) {
  for (const auto& subscription : subscriptions_) join_stream(*subscription, feed_, stream, joined);
}

void Session::on_stream_removed(const Stream& stream) {
  feed_.leave(stream.log);
  for (const auto& subscription : subscriptions_) leave_stream(*subscription, stream);
  for (PartitionId id = 0; rare_ && id < shard_.placement().partitions(); ++id) release_unread({id, stream.log}, UINT64_MAX);
}

void Session::on_tick() {
  feed_.report_floors(shard_, id_);
  if (releases_failed_) write_releases();
  if (recording_ && recording_failed_) {
    write_recording();
  } else if (dirty()) {
    write({});
  }
  if (dirty()) shard_.want_tick();
}

}  // namespace arena::broker
