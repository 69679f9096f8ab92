// arena history STREAM|TOPIC-FILTER
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/printable.h"
#include "broker/stream/from.h"
#include "cli/admin.h"
#include "cli/commands.h"
#include "message/topic.h"
#include "base/units.h"

namespace arena::cli {

namespace {

constexpr std::string_view kHelp = "arena history --help";

using nlohmann::ordered_json;

struct Arguments {
  AdminTarget target;
  std::string what;
  std::string from;
  std::string since;
  uint64_t limit = 100;
  std::string output = "table";
};

// What to read: a stream, or what a filter matches of it.
struct Source {
  std::string stream;
  std::string filter;
};

constexpr uint64_t kPageMax = 1000;

// A stream's name means all of it; else every stream that has topics of the filter.
Result<std::vector<Source>, Refusal> sources_of(const AdminDoor& door, const std::string& what) {
  const auto answer = ask(door, {"GET", "/v1/streams", "", ""});
  // Who may read a stream need not be somebody who may see all of them.
  if (!answer && answer.error().status == 403) return std::vector<Source>{{what, ""}};
  if (!answer) return fail(answer.error());
  const auto body = ordered_json::parse(*answer, nullptr, false);
  std::vector<Source> out;
  for (const auto& stream : body.is_object() ? body["items"] : ordered_json::array()) {
    const std::string name = stream.value("name", "");
    if (name == what) return std::vector<Source>{{name, ""}};
    const auto filters = stream.value("filters", std::vector<std::string>());
    const bool reached = !check_filter(what) && std::ranges::any_of(filters, [&](const std::string& own) { return filters_intersect(own, what); });
    if (reached) out.push_back({name, what});
  }
  if (out.empty()) return fail(Refusal{404, fmt::format("there is no stream \"{}\", and none that keeps such topics", what), "arena stream ls" + door.flags});
  return out;
}

std::string line_of(const ordered_json& item) {
  const std::string payload = item.value("payload", "");
  const bool encoded = item.contains("encoding");
  return fmt::format("{}  {}  {}{}\n", item.value("time", ""), printable(item.value("topic", "")), encoded ? "base64:" : "", printable(payload));
}

// Prints up to `left` of one source; goes on to read where the next page begins.
int print_source(const Arguments& arguments, const AdminDoor& door, const Source& source, uint64_t& left) {
  std::string from = !arguments.since.empty() ? arguments.since : arguments.from.empty() ? "earliest" : arguments.from;
  bool more = true;
  while (more && left > 0) {
    std::string query = fmt::format("from={}&limit={}", percent_encoded(from), std::min(left, kPageMax));
    if (!source.filter.empty()) query += "&topic=" + percent_encoded(source.filter);
    const auto answer = ask(door, {"GET", fmt::format("/v1/streams/{}/messages", percent_encoded(source.stream)), query, ""});
    if (!answer) return complain_of(answer.error());
    const auto page = ordered_json::parse(*answer, nullptr, false);
    if (!page.is_object() || !page.contains("items")) return complain(kFailed, "the server's answer makes no sense", "is it an Arena of this release?");
    if (page.contains("gap")) {
      const std::string count = page["gap"].is_null() ? "" : page["gap"].dump() + " ";  // null: nobody knows how many
      say(fmt::format("arena: warning: {}messages of the stream \"{}\" that were asked for are gone", count, source.stream));
    }
    for (const auto& item : page["items"]) {
      print(arguments.output == "json" ? item.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n" : line_of(item));
      --left;
    }
    from = page.value("next", "earliest");
    more = page.value("more", false);
  }
  // A position is a place in one stream.
  if (more) say(fmt::format("there is more: arena history {} --from {}{}", shell_word(source.filter.empty() ? source.stream : source.filter), from, door.flags));
  return kOk;
}

int history(const Arguments& arguments) {
  if (!arguments.since.empty() && !age_of(arguments.since)) {
    return complain(kUsage, fmt::format("--since: \"{}\" is no time such as 10m, 2h or 7d", arguments.since), kHelp);
  }
  if (!arguments.from.empty()) {
    if (const auto from = broker::parse_from(arguments.from, 0); !from) return complain(kUsage, "--from: " + from.error().reason, kHelp);
  }
  const auto door = door_of(arguments.target);
  if (!door) return complain_of_door(door.error());
  const auto sources = sources_of(*door, arguments.what);
  if (!sources) return complain_of(sources.error());
  uint64_t left = arguments.limit == 0 ? UINT64_MAX : arguments.limit;
  for (const Source& source : *sources) {
    if (const int code = print_source(arguments, *door, source, left); code != kOk) return code;
  }
  return kOk;
}

}  // namespace

void add_history_command(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("history", "Print what streams of a running server keep");
  command->add_option("what", arguments->what, "A stream, or a topic filter (then stream by stream)")->required();
  add_admin_flags(*command, arguments->target);
  CLI::Option* since = command->add_option("--since", arguments->since, "Of the last, such as 10m");
  command
      ->add_option("--from", arguments->from, "From there on: earliest, latest, an offset, a time such as 2026-11-26T10:00:00Z, or what follows a position (default: earliest)")
      ->excludes(since);
  command->add_option("--limit", arguments->limit, "So many messages; 0: all")->check(check_not_negative)->capture_default_str();
  command->add_option("--output", arguments->output, "table: a line of time, topic and payload; json: an object a line")
      ->check(CLI::IsMember({"table", "json"}).description(""))
      ->type_name("table|json")
      ->capture_default_str();
  command->callback([arguments, &exit_code] { exit_code = history(*arguments); });
}

}  // namespace arena::cli
