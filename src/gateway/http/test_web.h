// For tests: HTTP clients made of bytes, talking to a real door over a simulated broker. No sockets, virtual time.
#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <memory>
#include <string>
#include <utility>

#include "broker/test_world.h"
#include "gateway/http/door.h"
#include "gateway/mqtt/test_door.h"

namespace arena::gateway::http::test {

using mqtt::test::FakeStream;
using mqtt::test::Wire;

class WebWorld {
 public:
  explicit WebWorld(Options options = {}, std::shared_ptr<const access::AuthSettings> auth = std::make_shared<const access::AuthSettings>(),
                    unsigned cores = 1)
      : broker(cores),
        authenticator_(loop(), std::move(auth), passwords_),
        door(loop(), authenticator_, std::make_shared<const Options>(std::move(options)), admission, uploads, counters) {}

  runtime::Loop& loop() { return broker.sim().loop(0); }
  access::Authenticator& authenticator() { return authenticator_; }
  uint64_t refused(Refused reason) const { return counters.refused[static_cast<std::size_t>(reason)].get(); }
  // Answers what handlers were not quick to.
  void let_answer(std::size_t which, Response response = text_response(200, "late")) { waiting.at(which)->answer(std::move(response)); }
  // "/now" answers with its query, "/later" when told to, "/who" with the name of its principal.
  void add_routes() {
    door.router().add({"GET", "/now", Access::open, [](const ExchangeRef& exchange) { exchange->answer(text_response(200, exchange->request.query)); }});
    door.router().add({"POST", "/now", Access::open, [](const ExchangeRef& exchange) { exchange->answer(text_response(200, exchange->request.body)); }});
    door.router().add({"GET", "/later", Access::open, [this](const ExchangeRef& exchange) { waiting.push_back(exchange); }});
    for (const char* method : {"GET", "POST"}) {
      door.router().add({method, "/who", Access::identified, [](const ExchangeRef& exchange) {
                           exchange->answer(text_response(200, exchange->principal.anonymous() ? "anonymous" : exchange->principal.name));
                         }});
    }
  }

  Uploads uploads;  // goes last: what waits in a loop may have a share
  broker::test::World broker;
  access::Admission admission;
  Counters counters;
  std::vector<ExchangeRef> waiting;

 private:
  std::shared_ptr<access::PasswordQueue> passwords_ = std::make_shared<access::PasswordQueue>(64);
  access::Authenticator authenticator_;

 public:
  Door door;  // goes first
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
};

struct SizedStream final : FakeStream {
  SizedStream(runtime::Loop& loop, std::shared_ptr<Wire> wire, const net::StreamOptions& options) : FakeStream(loop, std::move(wire)) {
    options_ = net::share(options);
  }
};

class Browser {
 public:
  explicit Browser(WebWorld& world, const std::string& ip = "127.0.0.1", const net::StreamOptions& options = {}, bool encrypted = false) : world_(world), wire_(std::make_shared<Wire>()) {
    wire_->ip = ip;
    wire_->loopback = ip.starts_with("127.");
    world_.door.accept(std::make_unique<SizedStream>(world_.loop(), wire_, options), encrypted);
  }
  ~Browser() {
    wire_->gone = true;
    if (wire_->stream != nullptr) wire_->stream->finish(net::CloseReason::reset);
    world_.broker.run_ms(1);
  }

  void bytes(std::string_view raw) {
    wire_->to_server += raw;
    if (wire_->stream != nullptr) wire_->stream->pump();
  }
  // The next answer, which comes within `within_ms`; status 0: none.
  Answer answer(int64_t within_ms = 1000) {
    world_.broker.sim().run_until([this] { return complete() || wire_->closed; }, within_ms);
    Answer out;
    if (!complete()) return out;
    std::string& in = wire_->to_client;
    const std::size_t end = in.find("\r\n\r\n");
    out.head = in.substr(0, end + 4);
    std::from_chars(in.data() + 9, in.data() + 12, out.status);
    out.body = in.substr(end + 4, length(out.head));
    in.erase(0, end + 4 + out.body.size());
    return out;
  }
  Answer ask(std::string_view raw) {
    bytes(raw);
    return answer();
  }
  Answer get(const std::string& target, const std::string& fields = {}) {
    return ask("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
  }
  bool closed(int64_t within_ms = 1000) {
    return world_.broker.sim().run_until([this] { return wire_->closed; }, within_ms);
  }
  bool open() const { return !wire_->closed; }
  std::string& received() {
    if (wire_->stream != nullptr) wire_->stream->collect();
    return wire_->to_client;
  }

 private:
  static std::size_t length(const std::string& head) {
    std::size_t size = 0;
    const std::size_t at = head.find("content-length: ");
    if (at != std::string::npos) std::from_chars(head.data() + at + 16, head.data() + head.size(), size);
    return size;
  }
  bool complete() {
    const std::string& in = received();
    const std::size_t end = in.find("\r\n\r\n");
    return end != std::string::npos && in.size() >= end + 4 + length(in.substr(0, end));
  }

  WebWorld& world_;
  std::shared_ptr<Wire> wire_;
};

}  // namespace arena::gateway::http::test
