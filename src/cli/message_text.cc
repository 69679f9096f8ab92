#include "cli/message_text.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/base64.h"
#include "base/utf8.h"

namespace arena::cli {

namespace {

void append_base64(std::string& out, std::string_view bytes) { out += '"' + base64(bytes) + '"'; }

// What the server adds for who has asked for it.
constexpr std::string_view kPositionProperty = "arena-position";

std::string_view position_of(const mqtt::Publish& message) {
  for (const mqtt::UserProperty& property : message.properties.user_properties) {
    if (property.name == kPositionProperty) return property.value;
  }
  return {};
}

// Not the position, which has a place of its own.
mqtt::UserProperties headers_of(const mqtt::Publish& message) {
  mqtt::UserProperties headers = message.properties.user_properties;
  std::erase_if(headers, [](const mqtt::UserProperty& property) { return property.name == kPositionProperty; });
  return headers;
}

void append_headers(std::string& out, const mqtt::UserProperties& headers) {
  out += ",\"headers\":{";
  std::vector<bool> written(headers.size());
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (written[i]) continue;
    std::vector<std::string_view> values;
    for (std::size_t k = i; k < headers.size(); ++k) {
      if (headers[k].name != headers[i].name) continue;
      values.push_back(headers[k].value);
      written[k] = true;
    }
    if (i != 0) out.push_back(',');
    append_json_string(out, headers[i].name);
    out.push_back(':');
    if (values.size() > 1) out.push_back('[');
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (k != 0) out.push_back(',');
      append_json_string(out, values[k]);
    }
    if (values.size() > 1) out.push_back(']');
  }
  out.push_back('}');
}

void append_field(std::string& out, std::string_view name, const mqtt::Text& value) {
  if (!value) return;
  fmt::format_to(std::back_inserter(out), ",\"{}\":", name);
  append_json_string(out, *value);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

Status check_format(std::string_view format) {
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    const std::string_view letter = format.substr(i + 1, 1);
    if (letter.empty() || std::string_view("tpcqrlo%").find(letter) == std::string_view::npos) {
      return fail_with(fmt::format("--format knows %t %p %c %q %r %l %o and %%, not \"%{}\"", letter));
    }
    ++i;
  }
  return Unit{};
}

void append_formatted(std::string& out, std::string_view format, const mqtt::Publish& message) {
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out.push_back(format[i]);
      continue;
    }
    switch (format[++i]) {
      case 't': out += message.topic; break;
      case 'p': out += message.payload; break;
      case 'c': out += '-'; break;
      case 'q': out += std::to_string(static_cast<int>(message.qos)); break;
      case 'r': out += message.retain ? '1' : '0'; break;
      case 'o': out += position_of(message).empty() ? "-" : position_of(message); break;
      case 'l': out += std::to_string(message.payload.size()); break;
      default: out += format[i];
    }
  }
}

void append_json(std::string& out, const mqtt::Publish& message) {
  const bool is_text = is_utf8(message.payload);
  out += "{\"topic\":";
  append_json_string(out, message.topic);
  out += ",\"payload\":";
  is_text ? append_json_string(out, message.payload) : append_base64(out, message.payload);
  if (!is_text) out += ",\"enc\":\"b64\"";
  fmt::format_to(std::back_inserter(out), ",\"qos\":{},\"retain\":{}", static_cast<int>(message.qos), message.retain);
  const mqtt::PublishProperties& properties = message.properties;
  if (const mqtt::UserProperties headers = headers_of(message); !headers.empty()) append_headers(out, headers);
  append_field(out, "content_type", properties.content_type);
  append_field(out, "response_topic", properties.response_topic);
  if (properties.correlation_data) {
    out += ",\"correlation\":";
    append_base64(out, *properties.correlation_data);
  }
  if (properties.message_expiry_interval_s) {
    fmt::format_to(std::back_inserter(out), ",\"expiry_s\":{}", *properties.message_expiry_interval_s);
  }
  if (const std::string_view position = position_of(message); !position.empty()) {
    out += ",\"position\":";
    append_json_string(out, position);
  }
  out += "}\n";
}

std::string gap_text(const mqtt::Publish& message) {
  const auto told = nlohmann::json::parse(message.payload, nullptr, false);
  const bool counted = told.is_object() && told.contains("missing") && told["missing"].is_number_unsigned();
  const bool damaged = told.is_object() && told.value("reason", "") == "damaged";
  return fmt::format("arena: warning: {} of the stream \"{}\" that were asked for are gone: {}", counted ? fmt::format("{} messages", told["missing"].get<uint64_t>()) : "messages",
                     message.topic.substr(kGapPrefix.size()), damaged ? "they were lost to damage" : "they were beyond its limits");
}

}  // namespace arena::cli
