// Paths and queries of requests, a line break between them. Promises: what was decoded and is encoded again decodes to the same; a path
// leads where the plainest reading of the patterns leads it; what a query said can be said again; a cursor is read as it was written.
#include <cstdint>
#include <string>
#include <string_view>

#include "check.h"
#include "codec/http/message.h"
#include "gateway/http/router.h"
#include "input.h"
#include "server/api/operations.h"
#include "server/api/paging.h"

using namespace arena;

namespace {

namespace web = gateway::http;

class Nobody final : public web::AnswerSink {
 public:
  void on_answer(web::Exchange&, web::Response) override {}
  void on_begin(web::Exchange&, web::Response) override {}
  void on_write(web::Exchange&, std::string_view) override {}
  void on_end(web::Exchange&) override {}
  bool can_write(const web::Exchange&) const override { return false; }
  void on_abandon(web::Exchange&) override {}
};

// Every byte, so that nothing of it means anything.
std::string encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    out += '%';
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

const web::Router& router() {
  static const web::Router made = [] {
    web::Router out;
    for (const server::Operation& operation : server::operations()) out.add({std::string(operation.method), std::string(operation.path), web::Access::open, {}});
    return out;
  }();
  return made;
}

void check_path(const std::string& method, const std::string& path) {
  Nobody nobody;
  web::Exchange exchange(nobody, {}, "x");
  exchange.request.method = method;
  exchange.request.path = path;
  const web::Router::Found found = router().find(exchange);
  if (found.route == nullptr) return;
  const std::string& pattern = found.route->pattern;
  const std::size_t open = pattern.find('{');
  if (open == std::string::npos) {
    FUZZ_CHECK(path == pattern);
    return;
  }
  const std::string behind = pattern.substr(pattern.find('}') + 1);
  FUZZ_CHECK(path.starts_with(pattern.substr(0, open)) && path.ends_with(behind));
  // What was meant, however it was written, leads there.
  web::Exchange again(nobody, {}, "x");
  again.request.method = method;
  again.request.path = pattern.substr(0, open) + encoded(exchange.target) + behind;
  FUZZ_CHECK(router().find(again).route == found.route);
  FUZZ_CHECK(again.target == exchange.target);
}

void check_query(const std::string& query) {
  http::Parameters parameters, again;
  if (!http::read_query(query, parameters)) return;
  std::string said;
  for (const auto& [name, value] : parameters) said += (said.empty() ? "" : "&") + encoded(name) + "=" + encoded(value);
  FUZZ_CHECK(http::read_query(said, again) && again.size() <= parameters.size());
  for (std::size_t i = 0, j = 0; i < parameters.size(); ++i) {
    if (parameters.size() == again.size()) FUZZ_CHECK(parameters[i] == again[j++]);
    std::size_t limit = 0;
    if (!server::read_limit(parameters[i].second, limit)) FUZZ_CHECK(limit >= 1 && limit <= server::kPageMax);
  }
}

void check_cursor(const std::string& text) {
  std::string place;
  if (!text.empty()) FUZZ_CHECK(!server::read_cursor(server::cursor_of(text), place) && place == text);
  if (!server::read_cursor(text, place)) {
    std::string again;
    FUZZ_CHECK(!server::read_cursor(server::cursor_of(place), again) && again == place);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
  const std::string method(input.one_of(kMethods));
  const std::string all = input.rest();
  const std::size_t end = std::min(all.find('\n'), all.size());
  const std::string path = all.substr(0, end), query = all.substr(std::min(end + 1, all.size()));
  std::string plain;
  if (http::percent_decode(path, plain)) {
    std::string again;
    FUZZ_CHECK(http::percent_decode(encoded(plain), again) && again == plain);
  }
  check_path(method, path);
  check_query(query);
  check_cursor(query);
  return 0;
}
