// Bodies of requests that are JSON. The first byte chooses what they are taken for: a batch, one message a line, a CloudEvent, a batch
// of them. Promises: each item is a message that may be published, or says what is wrong; what a message is shown as can be published
// again, and is the same.
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "check.h"
#include "codec/json/message_json.h"
#include "codec/json/slices.h"
#include "gateway/http/batch.h"
#include "gateway/http/cloud_events.h"
#include "input.h"

using namespace arena;
using namespace arena::gateway::http;

namespace {

constexpr std::size_t kItemsMax = 50;

void check_fault(const Fault& fault) {
  FUZZ_CHECK(fault.status >= 400 && fault.status < 500);
  FUZZ_CHECK(!fault.code.empty() && !fault.detail.empty());
}

std::map<std::string, std::vector<std::string>> headers_of(const Message& message) {
  std::map<std::string, std::vector<std::string>> out;
  if (!message.extras) return out;
  for (const auto& [name, value] : message.extras->headers) out[name].push_back(value);
  return out;
}

std::string content_type_of(const Message& message) { return message.extras && message.extras->has_content_type ? message.extras->content_type : ""; }

void check_message(const Message& message) {
  FUZZ_CHECK(!check_topic(message.topic));
  for (const auto& [name, values] : headers_of(message)) {
    FUZZ_CHECK(is_utf8_without_nul(name) && !name.starts_with("arena-"));
    for (const std::string& value : values) FUZZ_CHECK(is_utf8_without_nul(value));
  }
  FUZZ_CHECK(is_utf8_without_nul(content_type_of(message)));
}

void check_shown(const Message& message) {
  auto shown = nlohmann::ordered_json::parse(message_json(message, {}));
  for (const char* ours : {"id", "time"}) shown.erase(ours);
  std::vector<Item> again;
  FUZZ_CHECK(!read_batch(nlohmann::ordered_json::array({shown}).dump(), false, 1, {}, again));
  FUZZ_CHECK(again.size() == 1 && !again[0].fault);
  const Message& read = *again[0].draft.message;
  FUZZ_CHECK(read.topic == message.topic && read.payload == message.payload);
  FUZZ_CHECK(content_type_of(read) == content_type_of(message) && headers_of(read) == headers_of(message));
}

void check_items(const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (item.fault) {
      check_fault(*item.fault);
      continue;
    }
    check_message(*item.draft.message);
    check_shown(*item.draft.message);
  }
}

void read_one_event(const std::string& body) {
  Item item;
  item.draft.message->topic = "a";
  auto extras = std::make_unique<Extras>();
  item.fault = read_event_body(body, {}, *extras, *item.draft.message);
  if (!item.fault) FUZZ_CHECK(!event_key(*extras).empty());
  item.draft.message->extras = std::move(extras);
  std::vector<Item> items;
  items.push_back(std::move(item));
  check_items(items);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t choice = input.below(4);
  const std::string body = input.rest();
  if (choice == 2) {
    read_one_event(body);
    return 0;
  }
  std::vector<Item> items;
  const std::optional<Fault> fault = choice == 3 ? read_event_batch(body, "a", kItemsMax, {}, items) : read_batch(body, choice == 1, kItemsMax, {}, items);
  if (fault) check_fault(*fault);
  FUZZ_CHECK(items.size() <= kItemsMax);
  check_items(items);
  return 0;
}
