// Publishing by request.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/http/exchange.h"
#include "gateway/http/options.h"
#include "gateway/http/publishers.h"
#include "message/topic.h"

namespace arena::gateway::http {

class Door;

// What is wrong with what was asked, as the answer tells it.
struct Fault {
  int status = 422;
  std::string code;
  std::string detail;
  std::string pointer;  // as problem() has it
};
void answer_fault(const ExchangeRef& exchange, const Fault& fault);
// Of who may not wait for messages, as too many do.
void answer_no_seat(Door& door, const ExchangeRef& exchange, Refused why);

// A message on its way in, and by what a repetition of it is known.
struct Draft {
  std::unique_ptr<Message> message = std::make_unique<Message>();
  std::optional<broker::PublishKey> key;
  std::optional<uint64_t> expiry_s;
};

// What a client takes in a field of an answer.
inline constexpr std::size_t kContentTypeBytesMax = 1024;

inline constexpr const char* kGuaranteeText = "\"guarantee\" is at_most_once, at_least_once or exactly_once";
inline constexpr const char* kExpiryText = "\"expiry_s\" is a number of seconds from 1 to 4294967295";
bool set_guarantee(std::string_view text, Message& message);
bool set_expiry(uint64_t seconds, Draft& draft);
std::optional<Fault> set_id(const std::string& id, const std::string& pointer, Draft& draft);
std::optional<Fault> add_header(const std::string& name, const std::string& value, const std::string& pointer, const MessageLimits& limits, Extras& extras);
std::optional<Fault> set_content_type(std::string type, const std::string& pointer, Extras& extras);
// Of the query; each once but `repeated`.
std::optional<Fault> read_parameters(const Exchange& exchange, arena::http::Parameters& parameters, std::string_view repeated = {});
// Of all of it together.
std::optional<Fault> check_draft(const Draft& draft, const MessageLimits& limits, const std::string& topic_pointer);
// Of POST /v1/topics/{topic}: the body is the payload, the query says how it is published, fields say what it is. With `timeout_ms` the
// query may say how long to wait for a reply, too.
std::optional<Fault> read_message(const Exchange& exchange, const MessageLimits& limits, Draft& draft, int64_t* timeout_ms = nullptr);
// "20" or, with the unit "s", "20s": a number from 1 to `most`. False: it is none.
bool read_number(std::string_view text, std::string_view unit, std::size_t most, std::size_t& number);

// `done` is called once, perhaps from inside.
void submit(Door& door, Publishers& publishers, const Principal& principal, Draft draft, Publishers::Done done);
// What a receipt comes to: nothing wrong, and then its JSON says where the message is.
std::optional<Fault> fault_of(const Published& published);
std::string receipt_json(const Published& published);

// POST /v1/topics/{topic}, POST /v1/publish. Both outlive the handlers.
void add_topic_routes(Door& door, Publishers& publishers);

}  // namespace arena::gateway::http
