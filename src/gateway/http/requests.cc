#include "gateway/http/requests.h"

#include <algorithm>
#include <utility>

#include "access/secret_token.h"
#include "gateway/http/cloud_events.h"
#include "gateway/http/door.h"
#include "gateway/http/message_response.h"
#include "gateway/http/publish.h"

namespace arena::gateway::http {
namespace {
// No wildcard of a filter or of a rule reaches there, and no stream that does not name it keeps it.
constexpr std::string_view kReplyPrefix = "$replies/";
}  // namespace

class Requests::Request final : public broker::SessionSink {
 public:
  Request(Requests& owner, uint64_t id, ExchangeRef exchange, Draft draft, int64_t timeout_ms, EventSeat seat)
      : owner_(owner),
        id_(id),
        exchange_(std::move(exchange)),
        draft_(std::move(draft)),
        reply_topic_(std::string(kReplyPrefix) + access::secret_token()),
        timeout_ms_(timeout_ms),
        seat_(std::move(seat)),
        timer_(&Request::on_timer, this) {}
  ~Request() override {
    exchange_->on_gone = {};
    if (session_ != nullptr) std::exchange(session_, nullptr)->detach(broker::DetachKind::clean, std::nullopt);
  }

  void begin() {
    exchange_->on_gone = [this] { end(); };
    loop().arm(timer_, timeout_ms_);
    broker::OpenRequest request;
    request.principal = exchange_->principal;
    request.principal.internal = true;
    request.client_id = client_id_here(loop(), owner_.shard_, request.principal);
    broker::Session* session = owner_.shard_.open(request, *this);
    if (!ended_ && session_ == nullptr) session_ = session;
  }

  // ---- SessionSink ----
  void opened(broker::Session& session, bool) override {
    session_ = &session;
    session.start();
    broker::SubscribeRequest request;
    request.filter = reply_topic_;
    request.retained = broker::RetainedOnSubscribe::never;
    session.subscribe({broker::SubscribeOrder(std::move(request))}, kCookie);
  }
  void open_refused(broker::Outcome) override {
    session_ = nullptr;
    refuse({503, "failed", "the store failed, or the broker is stopping", {}});
  }
  void subscribed(uint64_t, std::span<const broker::SubscribeOutcome> outcomes) override {
    if (ended_) return;
    if (outcomes.front().status != broker::SubscribeStatus::granted) return refuse({503, "failed", "the store failed, or the broker is stopping", {}});
    complete();
    submit(owner_.door_, owner_.publishers_, exchange_->principal, std::move(draft_), [owner = &owner_, id = id_](const Published& published) {
      const auto it = owner->requests_.find(id);
      if (it != owner->requests_.end()) it->second->told(published);
    });
  }
  void published(uint64_t, const broker::Receipt&) override {}
  broker::DeliverResult deliver(const broker::Delivery& delivery) override {
    if (!ended_) answer_message(exchange_, delivery.message);
    end();
    return broker::DeliverResult::sent;
  }
  bool ready() const override { return !ended_; }
  void release(uint16_t, bool) override {}
  void released(uint64_t, bool) override {}
  void unsubscribed(uint64_t, std::span<const bool>) override {}
  void closed(broker::EndReason) override {
    session_ = nullptr;
    refuse({503, "unknown_outcome", "the broker ended this request: it may or may not be answered", {}});
  }
  broker::Contact contact() const override { return {"HTTP", {}}; }

  void told(const Published& published) {
    if (published.receipt.outcome == broker::Outcome::no_match) return refuse({404, "no_responder", "nobody is there to answer: nothing is subscribed to this topic", {}});
    if (const auto fault = fault_of(published)) refuse(*fault);
  }

 private:
  static constexpr uint64_t kCookie = 1;

  runtime::Loop& loop() { return owner_.door_.loop(); }
  // What nobody waits for any more need not be worked on.
  void complete() {
    Message& message = *draft_.message;
    auto extras = std::make_unique<Extras>();
    if (message.extras) *extras = *message.extras;
    extras->response_topic = reply_topic_;
    extras->has_correlation = true;
    extras->correlation = exchange_->id;
    message.extras = std::move(extras);
    const int64_t longest_ms = draft_.expiry_s ? static_cast<int64_t>(*draft_.expiry_s) * 1000 : timeout_ms_;
    message.expires_ms = loop().wall_ms() + std::min(longest_ms, timeout_ms_);
    draft_.expiry_s.reset();
  }
  void refuse(const Fault& fault) {
    if (!ended_) answer_fault(exchange_, fault);
    end();
  }
  void end() {
    if (std::exchange(ended_, true)) return;
    timer_.disarm();
    owner_.bury(id_);
  }
  static void on_timer(void* self) {
    static_cast<Request*>(self)->refuse({504, "no_reply", "nobody has answered in time", "?timeout"});
  }

  Requests& owner_;
  const uint64_t id_;
  const ExchangeRef exchange_;
  Draft draft_;
  const std::string reply_topic_;
  const int64_t timeout_ms_;
  const EventSeat seat_;
  broker::Session* session_ = nullptr;
  bool ended_ = false;
  runtime::Timer timer_;
};

Requests::Requests(Door& door, broker::Shard& shard, Publishers& publishers, EventSeats& seats) : door_(door), shard_(shard), publishers_(publishers), seats_(seats) {}
Requests::~Requests() = default;

void Requests::ask(const ExchangeRef& exchange) {
  Draft draft;
  int64_t timeout_ms = 5000;
  if (event_mode(exchange->request) == EventMode::batch) return answer_fault(exchange, {415, "bad_content_type", "a request is one event at most", "content-type:"});
  if (const auto fault = read_message(*exchange, door_.options()->messages, draft, &timeout_ms)) return answer_fault(exchange, *fault);
  if (draft.key) return answer_fault(exchange, {400, "bad_id", "a request has no idempotency key: its repetition would not be answered", "idempotency-key:"});
  Result<EventSeat, Refused> seat = seats_.take(exchange->principal, *door_.options());
  if (!seat) return answer_no_seat(door_, exchange, seat.error());
  const uint64_t id = next_id_++;
  auto request = std::make_unique<Request>(*this, id, exchange, std::move(draft), timeout_ms, std::move(*seat));
  Request& added = *request;
  requests_.emplace(id, std::move(request));
  added.begin();
}

void Requests::bury(uint64_t id) {
  const auto it = requests_.find(id);
  if (it == requests_.end()) return;
  dead_.push_back(std::move(it->second));
  requests_.erase(it);
  if (dead_.size() == 1) {
    door_.loop().defer([this] { dead_.clear(); });
  }
}

void add_request_routes(Door& door, Requests& requests) {
  door.router().add({"POST", "/v1/request/{topic}", Access::identified, [&requests](const ExchangeRef& exchange) { requests.ask(exchange); }});
}

}  // namespace arena::gateway::http
