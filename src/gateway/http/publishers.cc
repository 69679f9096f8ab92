#include "gateway/http/publishers.h"

#include <fmt/format.h>

#include <utility>

namespace arena::gateway::http {

std::string client_id_here(runtime::Loop& loop, const broker::Shard& shard, const Principal& principal) {
  for (;;) {
    std::string id = fmt::format("http-{:016x}", loop.random());
    if (shard.home_core(broker::session_key(principal, id)) == shard.core()) return id;
  }
}

class Publishers::Publisher final : public broker::SessionSink {
 public:
  Publisher(Publishers& owner, std::string name, const Principal& principal)
      : owner_(owner), name_(std::move(name)), timer_(&Publisher::on_timer, this) {
    broker::OpenRequest request;
    request.principal = principal;
    request.client_id = client_id_here(owner_.loop_, owner_.shard_, principal);
    broker::Session* session = owner_.shard_.open(request, *this);
    if (!ended_ && session_ == nullptr) session_ = session;
    owner_.loop_.arm(timer_, kQuietMs);
  }
  ~Publisher() override {
    if (session_ != nullptr) std::exchange(session_, nullptr)->detach(broker::DetachKind::clean, std::nullopt);
  }

  const std::string& name() const { return name_; }

  void publish(std::unique_ptr<Message> message, const broker::PublishKey* known_by, Done done) {
    if (!open_) {
      waiting_.push_back({std::move(message), known_by == nullptr ? std::nullopt : std::optional(*known_by), std::move(done)});
      if (ended_) end();
      return;
    }
    send({std::move(message), known_by == nullptr ? std::nullopt : std::optional(*known_by), std::move(done)});
  }

  // ---- SessionSink ----
  void opened(broker::Session& session, bool) override {
    session_ = &session;
    open_ = true;
    session.start();
    for (Waiting& one : std::exchange(waiting_, {})) send(std::move(one));
  }
  void open_refused(broker::Outcome) override { end(); }
  broker::DeliverResult deliver(const broker::Delivery&) override { return broker::DeliverResult::unfit; }  // it subscribes to nothing
  bool ready() const override { return true; }
  void release(uint16_t, bool) override {}
  void published(uint64_t cookie, const broker::Receipt& receipt) override {
    const auto it = pending_.find(cookie);
    if (it == pending_.end()) return;
    if (cookie == sending_) {  // its id comes next
      it->second.receipt = receipt;
      return;
    }
    finish(it, receipt);
  }
  void released(uint64_t, bool) override {}
  void subscribed(uint64_t, std::span<const broker::SubscribeOutcome>) override {}
  void unsubscribed(uint64_t, std::span<const bool>) override {}
  void closed(broker::EndReason) override { end(); }
  broker::Contact contact() const override { return {"HTTP", {}}; }

 private:
  struct Waiting {
    std::unique_ptr<Message> message;
    std::optional<broker::PublishKey> known_by;
    Done done;
  };
  struct Pending {
    Done done;
    MessageId id;
    std::optional<broker::Receipt> receipt;
  };
  using Pendings = std::map<uint64_t, Pending>;

  void send(Waiting one) {
    const uint64_t cookie = ++cookie_;
    pending_[cookie].done = std::move(one.done);
    sending_ = cookie;
    // Ids follow each other: the session takes the next one.
    MessageId id = owner_.shard_.next_message_id();
    ++id.low;
    session_->publish(std::move(one.message), 0, cookie, one.known_by ? &*one.known_by : nullptr);
    sending_ = 0;
    const auto it = pending_.find(cookie);
    if (it == pending_.end()) return;
    it->second.id = id;
    if (it->second.receipt) finish(it, *it->second.receipt);
  }
  void finish(Pendings::iterator it, broker::Receipt receipt) {
    Pending pending = std::move(it->second);
    pending_.erase(it);
    pending.done({receipt, pending.id, true});
  }
  // The session is gone, or never came to be.
  void end() {
    ended_ = true;
    open_ = false;
    session_ = nullptr;
    timer_.disarm();
    const Published unknown{{broker::Outcome::failed, broker::Level::memory, false, std::nullopt}, {}, false};
    for (auto& [cookie, pending] : std::exchange(pending_, {})) pending.done(unknown);
    for (Waiting& one : std::exchange(waiting_, {})) one.done(unknown);
    owner_.bury(*this);
  }
  static void on_timer(void* self) {
    Publisher& publisher = *static_cast<Publisher*>(self);
    const bool quiet = publisher.cookie_ == publisher.last_cookie_ && publisher.pending_.empty() && publisher.waiting_.empty();
    publisher.last_cookie_ = publisher.cookie_;
    if (!quiet) return publisher.owner_.loop_.arm(publisher.timer_, kQuietMs);
    publisher.ended_ = true;
    publisher.open_ = false;
    publisher.owner_.bury(publisher);
  }

  Publishers& owner_;
  const std::string name_;
  broker::Session* session_ = nullptr;
  bool open_ = false;
  bool ended_ = false;
  uint64_t cookie_ = 0;
  uint64_t last_cookie_ = 0;  // when the timer last looked
  uint64_t sending_ = 0;
  Pendings pending_;
  std::vector<Waiting> waiting_;
  runtime::Timer timer_;
};

Publishers::Publishers(runtime::Loop& loop, broker::Shard& shard) : loop_(loop), shard_(shard) {}
Publishers::~Publishers() = default;

void Publishers::publish(const Principal& principal, std::unique_ptr<Message> message, const broker::PublishKey* known_by, Done done) {
  std::string name = principal.space + '\0' + principal.name;
  auto it = publishers_.find(name);
  if (it == publishers_.end()) {
    auto made = std::make_unique<Publisher>(*this, name, principal);
    it = publishers_.emplace(std::move(name), std::move(made)).first;
  }
  it->second->publish(std::move(message), known_by, std::move(done));
}

void Publishers::bury(Publisher& publisher) {
  const auto it = publishers_.find(publisher.name());
  if (it == publishers_.end() || it->second.get() != &publisher) return;
  dead_.push_back(std::move(it->second));
  publishers_.erase(it);
  if (dead_.size() == 1) {
    loop_.defer([this] { dead_.clear(); });
  }
}

}  // namespace arena::gateway::http
