// One client's server-sent events, from its request to its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/session/session.h"
#include "gateway/http/event_id.h"
#include "gateway/http/exchange.h"
#include "message/slow_policy.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

class Events;

// What was asked for.
struct EventOrder {
  std::vector<std::string> filters;                  // none twice
  std::optional<std::vector<Reached>> after;         // where to go on; unset: with what comes
  std::optional<SlowPolicy> slow;
};

class EventStream final : public broker::SessionSink {
 public:
  EventStream(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order);
  ~EventStream() override;
  // May end it.
  void begin();
  void on_ends(std::size_t filter, broker::Places ends);

  // ---- SessionSink ----
  void opened(broker::Session& session, bool present) override;
  void open_refused(broker::Outcome reason) override;
  broker::DeliverResult deliver(const broker::Delivery& delivery) override;
  bool ready() const override;
  void release(uint16_t, bool) override {}
  void published(uint64_t, const broker::Receipt&) override {}
  void released(uint64_t, bool) override {}
  void subscribed(uint64_t cookie, std::span<const broker::SubscribeOutcome> outcomes) override;
  void unsubscribed(uint64_t, std::span<const bool>) override {}
  void closed(broker::EndReason reason) override;

 private:
  void ask_ends();
  void subscribe_replays();
  void refuse(broker::SubscribeStatus status);
  void start();
  bool is_first(const broker::Delivery& delivery, std::size_t& filter) const;
  void write_event(const broker::Delivery& delivery);
  void owe_id();
  void write_id();
  bool id_is_short() const;
  void write(const std::string& text);
  void end();
  static void on_beat(void* self);

  Events& events_;
  const uint64_t id_;
  const ExchangeRef exchange_;
  EventOrder order_;
  std::vector<Reached> reached_;
  broker::Session* session_ = nullptr;
  std::size_t ends_open_ = 0;
  std::vector<std::size_t> plain_;   // filters that no stream reaches
  bool started_ = false;
  bool ended_ = false;
  bool id_owed_ = false;             // comes at the end of this turn
  int64_t written_ms_ = 0;
  int64_t took_ms_ = 0;              // when the client last had room
  runtime::Timer timer_;
};

}  // namespace arena::gateway::http
