// One request that follows topics, from its subscriptions to its end: what streams keep is read from them, the rest is heard like by
// any subscriber. How it is told to the client is left to what is made of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/session/session.h"
#include "gateway/http/event_id.h"
#include "gateway/http/event_seats.h"
#include "gateway/http/exchange.h"
#include "message/slow_policy.h"

namespace arena::gateway::http {

class Events;

// What was asked for.
struct EventOrder {
  std::vector<std::string> filters;                  // none twice
  std::optional<std::vector<Reached>> after;         // where to go on; unset: with what comes
  std::optional<SlowPolicy> slow;
};

class Follower : public broker::SessionSink {
 public:
  Follower(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order, EventSeat seat);
  ~Follower() override;
  // May end it.
  void begin();
  void on_ends(std::size_t filter, broker::Places ends);
  // This turn, after what comes in it.
  virtual void on_turn_end() {}

  // ---- SessionSink ----
  void opened(broker::Session& session, bool present) override;
  void open_refused(broker::Outcome reason) override;
  broker::DeliverResult deliver(const broker::Delivery& delivery) override;
  bool ready() const override { return started_ && !ended_ && has_room(); }
  void release(uint16_t, bool) override {}
  void published(uint64_t, const broker::Receipt&) override {}
  void released(uint64_t, bool) override {}
  void subscribed(uint64_t cookie, std::span<const broker::SubscribeOutcome> outcomes) override;
  void unsubscribed(uint64_t, std::span<const bool>) override {}
  void closed(broker::EndReason reason) override;
  broker::Contact contact() const override { return {"HTTP", {}}; }

 protected:
  // All is subscribed to: what comes is delivered from now on.
  virtual void on_started() = 0;
  virtual bool has_room() const = 0;
  // `first`: it was not given for another filter. `kept`: it has a position, which is reached with it.
  virtual void take(const broker::Delivery& delivery, bool first, bool kept) = 0;
  // Only after on_started().
  virtual void on_ended() = 0;

  Events& events() { return events_; }
  uint64_t id() const { return id_; }
  Exchange& exchange() const { return *exchange_; }
  const ExchangeRef& exchange_ref() const { return exchange_; }
  const std::vector<Reached>& reached() const { return reached_; }
  // A log has begun again since the id was given out: what is missing of it nobody can tell.
  bool began_again() const { return began_again_; }
  bool ended() const { return ended_; }
  void resume() {
    if (session_ != nullptr) session_->resume();
  }
  void call_at_turn_end();
  void end();

 private:
  void ask_ends();
  void subscribe_replays();
  void refuse(broker::SubscribeStatus status);
  void start();
  bool is_first(const broker::Delivery& delivery, std::size_t& filter) const;

  Events& events_;
  const uint64_t id_;
  const ExchangeRef exchange_;
  EventOrder order_;
  const EventSeat seat_;
  std::vector<Reached> reached_;
  broker::Session* session_ = nullptr;
  std::size_t ends_open_ = 0;
  std::vector<std::size_t> plain_;   // filters that no stream reaches
  bool began_again_ = false;
  bool started_ = false;
  bool ended_ = false;
};

}  // namespace arena::gateway::http
