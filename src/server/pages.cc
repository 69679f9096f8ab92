#include "server/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "server/api/operations.h"

namespace arena::server {
namespace {

constexpr std::string_view kHead =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"stylesheet\" href=\"/style.css\"><title>{0}</title><h1>{0}</h1>\n";

std::string words_in_code(std::string_view words) {
  std::string out;
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (end != 0) out += fmt::format("{}<code>{}</code>", out.empty() ? "" : " ", words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return out;
}

std::string statuses_of(std::string_view answers) {
  std::string out;
  for (std::size_t at = 0; at < answers.size(); at = std::min(answers.find(' ', at), answers.size() - 1) + 1) out += (out.empty() ? "" : " ") + std::string(answers.substr(at, 3));
  return out;
}

std::vector<std::string_view> tags() {
  std::vector<std::string_view> out;
  for (const Operation& operation : operations()) {
    if (std::find(out.begin(), out.end(), operation.tag) == out.end()) out.push_back(operation.tag);
  }
  return out;
}

}  // namespace

std::string welcome_page(std::string_view version) {
  return fmt::format(kHead, fmt::format("Arena {} is running", version)) +
         "<p>A real-time messaging broker. This port speaks HTTP; devices speak MQTT to the other one, on the same topics.</p>"
         "<ul><li><a href=\"/docs\">/docs</a>: all that can be asked here; <a href=\"/openapi.json\">/openapi.json</a>: the same for programs</li>"
         "<li><code>POST /v1/topics/{topic}</code> publishes its body; <code>GET /v1/events?topic={topic}</code> follows it</li>"
         "<li><a href=\"/readyz\">/readyz</a>: is it ready?</li><li><a href=\"/metrics\">/metrics</a>: its counters, for Prometheus</li></ul></html>\n";
}

std::string docs_page(std::string_view version) {
  std::string out = fmt::format(kHead, fmt::format("Arena {} over HTTP", version));
  out += "<p>The same for programs: <a href=\"/openapi.json\">/openapi.json</a>, OpenAPI 3.1. Who asks is told by HTTP Basic, unless marked open. "
         "<code>{topic}</code> is the rest of the path. What goes wrong is told as <code>application/problem+json</code> with a <code>code</code>.</p>\n";
  for (const std::string_view tag : tags()) {
    out += fmt::format("<h2>{}</h2><table><tr><th>Request<th>What it does<th>Parameters<th>Statuses</tr>\n", tag);
    for (const Operation& operation : operations()) {
      if (operation.tag != tag) continue;
      out += fmt::format("<tr id=\"{}\"><td><code>{} {}</code><td>{}{}<td>{}<td>{}</tr>\n", operation.id, operation.method, operation.path, operation.summary,
                         operation.open ? " (open)" : "", words_in_code(operation.parameters), statuses_of(operation.answers));
    }
    out += "</table>\n";
  }
  return out + "</html>\n";
}

std::string_view page_style() {
  return ":root{font:16px/1.5 system-ui,sans-serif}body{max-width:70rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.6rem}h2{margin-top:2rem;font-size:1.2rem}"
         "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #8884}"
         "code{font:.875em ui-monospace,monospace;overflow-wrap:anywhere}\n";
}

}  // namespace arena::server
