// arena sub FILTER...
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/stream/from.h"
#include "cli/client_run.h"
#include "cli/commands.h"
#include "cli/message_text.h"
#include "message/topic.h"
#include "base/units.h"

namespace arena::cli {

namespace {

struct SubArguments {
  Target target;
  std::vector<std::string> filters;
  int qos = 0;
  std::string format;
  bool json = false;
  bool raw = false;
  bool verbose = false;
  bool keep = false;
  uint32_t expiry_s = client::kNeverExpires;
  uint64_t count = 0;
  std::string timeout;
  std::string since;
  std::string from;
  bool positions = false;

  const std::string& replay() const { return since.empty() ? from : since; }
};

constexpr std::size_t kFiltersPerPacket = 100;  // servers take only so many

// Prints what comes. Messages of QoS 1 and 2 are acknowledged once they are printed.
class SubRun final : public ClientRun {
 public:
  SubRun(const SubArguments& arguments, client::ClientOptions options)
      : ClientRun(arguments.target, std::move(options)), arguments_(arguments) {}

 private:
  void on_ready() override {
    answered_ = 0;
    std::vector<std::string> filters = arguments_.filters;
    if (!arguments_.replay().empty()) {
      for (std::string& filter : filters) filter.insert(0, fmt::format("$replay/{}/", arguments_.replay()));
    }
    mqtt::Subscribe packet;
    for (const std::string& filter : filters) {
      packet.subscriptions.push_back({filter, static_cast<Guarantee>(arguments_.qos)});
      if (packet.subscriptions.size() == kFiltersPerPacket) subscribe(std::exchange(packet, {}));
    }
    if (!packet.subscriptions.empty()) subscribe(std::move(packet));
  }

  void subscribe(mqtt::Subscribe packet) {
    if (arguments_.positions) packet.properties.user_properties.push_back({"arena-positions", "true"});
    if (!client().subscribe(std::move(packet))) finish(complain(kFailed, "the filters are too long for one packet"));
  }

  void on_suback(const mqtt::Suback& suback) override {
    const std::size_t first = std::exchange(answered_, answered_ + suback.reasons.size());  // answers come in order
    const auto filter = arguments_.filters.begin() + static_cast<std::ptrdiff_t>(std::min(first, arguments_.filters.size()));
    for (std::size_t i = 0; i < suback.reasons.size() && filter + static_cast<std::ptrdiff_t>(i) != arguments_.filters.end(); ++i) {
      const mqtt::Reason reason = suback.reasons[i];
      if (!is_error(reason)) continue;
      // MQTT 3.1.1 gives no reasons; permissions are by far the usual one.
      const bool unsaid = arguments_.target.version != "5";
      const int code = unsaid ? kRefused : exit_code_of(reason);
      complain(code, fmt::format("the server refused the filter \"{}\"{}{}", filter[static_cast<std::ptrdiff_t>(i)], unsaid ? "" : ": ",
                                 unsaid ? "" : to_string(reason)),
               code == kRefused               ? "may this user read it? Ask whoever runs the server"
               : arguments_.replay().empty() ? ""
                                             : "is there a stream that keeps its topics? arena stream ls");
      finish(code);
    }
  }

  void on_message(const mqtt::Publish& message) override {
    if (message.topic.starts_with(kGapPrefix)) {
      say(gap_text(message));
      client().acknowledge(message.packet_id, message.qos);
      return;
    }
    text_.clear();
    if (arguments_.json) {
      append_json(text_, message);
    } else if (arguments_.raw) {
      text_ = message.payload;
    } else {
      append_formatted(text_, format(), message);
      text_.push_back('\n');
    }
    print(text_);
    // An acknowledged message is gone at the server: it must have arrived before.
    const bool wanted_back = message.qos != Guarantee::at_most_once;
    if ((wanted_back && std::fflush(stdout) != 0) || std::ferror(stdout) != 0) {
      finish(complain(kFailed, "cannot write the output"));
      return;
    }
    client().acknowledge(message.packet_id, message.qos);
    if (++seen_ == arguments_.count) finish(kOk);
  }

  std::string_view format() const {
    if (!arguments_.format.empty()) return arguments_.format;
    if (arguments_.positions) return arguments_.verbose ? "%o %t %p" : "%o %p";
    return arguments_.verbose ? "%t %p" : "%p";
  }

  const SubArguments& arguments_;
  std::string text_;
  uint64_t seen_ = 0;
  std::size_t answered_ = 0;  // filters
};

Status check(const SubArguments& arguments) {
  for (const std::string& filter : arguments.filters) {
    TopicFault fault{};
    if (!parse_filter(filter, fault)) {
      return fail_with(fmt::format("\"{}\" is not a filter: {}", filter, to_string(fault)));
    }
  }
  if (!arguments.since.empty() && !age_of(arguments.since)) {
    return fail_with(fmt::format("--since: \"{}\" is no time such as 10m, 2h or 7d", arguments.since));
  }
  if (!arguments.from.empty()) {
    if (const auto from = broker::parse_from(arguments.from, 0); !from) return fail_with("--from: " + from.error().reason);
  }
  if (arguments.positions && arguments.target.version != "5") return fail("--positions needs MQTT 5");
  if (arguments.keep && !arguments.replay().empty()) return fail("a replay ends with its connection, so there is nothing to --keep");
  if (arguments.keep && arguments.target.client_id.empty()) {
    return fail("--keep needs a client id: the server finds the session by it; add -i NAME");
  }
  return check_format(arguments.format);
}

int run_sub(const SubArguments& arguments) {
  if (const Status status = check(arguments); !status) {
    return complain(kUsage, status.error().reason, "arena sub --help");
  }
  int64_t timeout_ms = 0;
  if (!arguments.timeout.empty()) {
    const auto parsed = parse_duration_ms(arguments.timeout);
    if (!parsed) return complain(kUsage, parsed.error().reason, "arena sub --help");
    timeout_ms = std::max<int64_t>(*parsed, 1);
  }
  client::ClientOptions options = client_options(arguments.target);
  options.manual_acks = true;
  options.topic_alias_maximum = 64;
  if (arguments.keep) {
    options.clean_start = false;
    options.session_expiry_s = arguments.expiry_s;
  }
  return SubRun(arguments, std::move(options)).run(timeout_ms);
}

}  // namespace

void add_sub_command(CLI::App& app, int& exit_code) {
  const auto a = std::make_shared<SubArguments>();
  CLI::App* command = app.add_subcommand("sub", "Subscribe and print what comes");
  add_target_flags(*command, a->target);
  command->add_option("filters,-t,--topic", a->filters, "Topic filters; several are one subscription request")->required();
  command->add_option("-q,--qos", a->qos, "The most that messages come with")
      ->check(CLI::Range(0, 2).description(""))
      ->type_name("0|1|2")
      ->capture_default_str();
  CLI::Option* format = command->add_option(
      "--format", a->format, "%t topic, %p payload, %c publisher, %q QoS, %r retained, %l bytes, %o position (default: %p)");
  CLI::Option* json = command->add_flag("--json", a->json, "A JSON object a line, with headers and all")->excludes(format);
  command->add_flag("--raw", a->raw, "Payloads only, without line ends")->excludes(format)->excludes(json);
  command->add_flag("-v,--verbose", a->verbose, "The same as --format '%t %p'");
  command->add_option("-C,--count", a->count, "End after so many messages")->check(check_not_negative);
  command->add_option("-W,--timeout", a->timeout, "End with exit code 124 after so long, such as 5s");
  CLI::Option* since = command->add_option("--since", a->since, "First what streams keep of the last, such as 10m; then what comes");
  command
      ->add_option("--from", a->from, "First what streams keep from there on: earliest, latest, an offset, a time such as 2026-11-26T10:00:00Z, or what follows a position")
      ->excludes(since);
  command->add_flag("--positions", a->positions, "Tell where messages are kept: in --json, as %o, or before all else");
  CLI::Option* keep = command->add_flag("--keep", a->keep, "Keep the session at the server: what comes meanwhile waits there");
  command->add_option("--session-expiry", a->expiry_s, "With --keep: seconds until it is forgotten (default: never)")
      ->needs(keep)
      ->check(check_not_negative);
  command->callback([a, &exit_code] { exit_code = run_sub(*a); });
}

}  // namespace arena::cli
