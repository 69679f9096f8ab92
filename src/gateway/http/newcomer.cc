#include "gateway/http/newcomer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "gateway/http/door.h"
#include "gateway/http/http1_connection.h"
#include "gateway/http/http2_connection.h"

namespace arena::gateway::http {

Newcomer::Newcomer(Door& door, Parts parts) : Connection(door, std::move(parts)) {
  door.loop().arm(timer_, first_request_ms());
}

Newcomer::Version Newcomer::version() const {
  const std::string_view agreed = stream().application_protocol();
  if (agreed == "h2") return Version::http2;
  if (!agreed.empty()) return Version::http1;
  const std::size_t common = std::min(early_.size(), arena::http::kHttp2Preface.size());
  if (early_.compare(0, common, arena::http::kHttp2Preface, 0, common) != 0) return Version::http1;
  return common == arena::http::kHttp2Preface.size() ? Version::http2 : Version::unknown;
}

void Newcomer::on_data(std::string_view bytes) {
  if (closing()) return;
  early_.append(bytes);
  switch (version()) {
    case Version::unknown: return;
    case Version::http1: return become<Http1Connection>();
    case Version::http2: return become<Http2Connection>();
  }
}

template <typename Next>
void Newcomer::become() {
  timer_.disarm();
  auto next = std::make_unique<Next>(door(), hand_on());
  Connection& successor = *next;
  door().replace(std::move(next));  // this one goes at the end of the turn
  successor.on_data(early_);
}

void Newcomer::on_time() {
  door().counters().refuse(Refused::request_timeout);
  end();
}

}  // namespace arena::gateway::http
