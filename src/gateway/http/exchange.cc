#include "gateway/http/exchange.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "codec/http/gzip.h"

namespace arena::gateway::http {

namespace {

constexpr std::size_t kSmallBytes = 1024;  // a packet takes it as it is

bool is_text(std::string_view type) {
  type = type.substr(0, type.find(';'));
  return type.starts_with("text/") || type.ends_with("/json") || type.ends_with("+json");
}

// Where that is worth its time, and the client takes it.
void make_smaller(const Request& request, Response& response) {
  const std::string* type = arena::http::find_field(response.fields, "content-type");
  if (response.body.size() < kSmallBytes || type == nullptr || !is_text(*type)) return;
  response.fields.emplace_back("vary", "accept-encoding");
  const std::string* accepted = request.field("accept-encoding");
  if (accepted == nullptr || !arena::http::accepts_gzip(*accepted)) return;
  std::string smaller = arena::http::gzip(response.body);
  if (smaller.empty() || smaller.size() >= response.body.size()) return;
  response.body = std::move(smaller);
  response.fields.emplace_back("content-encoding", "gzip");
}

}  // namespace

void Exchange::answer(Response response) {
  if (answered_) return;
  answered_ = true;
  if (sink_ == nullptr) return;
  make_smaller(request, response);
  sink_->on_answer(*this, std::move(response));
}

void Exchange::begin(Response head) {
  if (answered_) return;
  answered_ = true;
  if (sink_ != nullptr) sink_->on_begin(*this, std::move(head));
}

void Exchange::write(std::string_view piece) {
  if (sink_ != nullptr) sink_->on_write(*this, piece);
}

void Exchange::end() {
  if (sink_ != nullptr) sink_->on_end(*this);
}

void Exchange::abandon() {
  if (sink_ != nullptr) sink_->on_abandon(*this);
}

void Exchange::when_room(const ExchangeRef& exchange, UniqueFunction<void()> make) {
  if (exchange->sink_ != nullptr) exchange->sink_->on_long(exchange, std::move(make));
}

void Exchange::upgrade(Response head, OnUpgraded done) {
  if (answered_) return;
  answered_ = true;
  if (sink_ != nullptr) sink_->on_upgrade(*this, std::move(head), std::move(done));
}

void Exchange::leave() {
  sink_ = nullptr;
  UniqueFunction<void()> gone = std::exchange(on_gone, {});
  on_room = {};
  if (gone) gone();
}

Response problem(const Exchange& exchange, int status, std::string_view code, std::string_view detail, std::string_view pointer) {
  nlohmann::ordered_json body = {{"title", arena::http::reason_phrase(status)}, {"status", status}, {"detail", detail}, {"code", code}};
  if (pointer.starts_with('?')) {
    body["parameter"] = pointer.substr(1);
  } else if (pointer.ends_with(':')) {
    body["header"] = pointer.substr(0, pointer.size() - 1);
  } else if (!pointer.empty()) {
    body["pointer"] = pointer;
  }
  body["request_id"] = exchange.id;
  Response response{status, {{"content-type", "application/problem+json"}}, {}};
  // Whatever was asked may be quoted in it.
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return response;
}

void add_security_fields(const Exchange& exchange, Response& response) {
  if (!exchange.foreign_origin.empty()) {
    response.fields.insert(response.fields.end(), {{"access-control-allow-origin", exchange.foreign_origin},
                                                   {"access-control-expose-headers", "x-request-id, arena-id, arena-time, arena-header, link, retry-after"},
                                                   {"vary", "origin"},
                                                   {"cross-origin-resource-policy", "cross-origin"}});
  }
  static constexpr arena::http::FixedField kFields[] = {
      {"x-content-type-options", "nosniff"},
      {"cache-control", "no-store"},
      {"content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
      {"x-frame-options", "DENY"},
      {"referrer-policy", "no-referrer"},
      {"cross-origin-resource-policy", "same-origin"},
  };
  const auto said = [&](const arena::http::FixedField& field) { return arena::http::find_field(response.fields, field.first) != nullptr; };
  if (std::none_of(std::begin(kFields), std::end(kFields), said)) {
    response.fixed = kFields;
    return;
  }
  for (const auto& field : kFields) {
    if (!said(field)) response.fields.emplace_back(field.first, field.second);
  }
}

Response json_response(int status, std::string body) {
  return {status, {{"content-type", "application/json"}}, std::move(body) + "\n"};
}

Response text_response(int status, std::string body) {
  return {status, {{"content-type", "text/plain; charset=utf-8"}}, std::move(body)};
}

}  // namespace arena::gateway::http
