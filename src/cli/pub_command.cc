// arena pub TOPIC [DATA|-|@FILE]
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/client_run.h"
#include "cli/commands.h"
#include "message/topic.h"

namespace arena::cli {

namespace {

constexpr std::size_t kUnfinishedMax = 1000;  // messages that wait for their receipts
constexpr std::size_t kLineBytesMax = 256u << 20;

struct PubArguments {
  Target target;
  std::string topic;
  std::string data;
  std::optional<std::string> message;
  int qos = 0;
  bool retain = false;
  bool empty = false;
  bool lines = false;
  uint64_t count = 1;
  double rate = 0;
  std::vector<std::string> headers;
  std::optional<uint32_t> expiry_s;
  std::optional<std::string> content_type;
  std::optional<std::string> publish_id;
  std::optional<std::string> producer;
  std::string timeout;

  bool once() const { return publish_id || producer; }
};

// Of NAME:EPOCH:SEQUENCE what stands before the sequence, with its colon, and the sequence.
std::optional<std::pair<std::string_view, uint64_t>> split_producer(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find(':') == colon) return std::nullopt;
  uint64_t sequence = 0;
  const auto [end, fault] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), sequence);
  if (fault != std::errc{} || end != text.data() + text.size() || sequence == 0) return std::nullopt;
  return std::pair(text.substr(0, colon + 1), sequence);
}

// Sends a payload some times, or each line of standard input, and waits for the receipts.
class PubRun final : public ClientRun {
 public:
  PubRun(const PubArguments& arguments, client::ClientOptions options, std::string payload)
      : ClientRun(arguments.target, std::move(options)),
        arguments_(arguments),
        payload_(std::move(payload)),
        pace_(&PubRun::on_pace, this) {
    packet_.topic = arguments.topic;
    packet_.qos = static_cast<Guarantee>(arguments.qos);
    packet_.retain = arguments.retain;
    packet_.properties.message_expiry_interval_s = arguments.expiry_s;
    if (arguments.content_type) packet_.properties.content_type = *arguments.content_type;
    for (const std::string& header : arguments.headers) {
      const std::size_t equals = header.find('=');
      packet_.properties.user_properties.push_back(
          {std::string_view(header).substr(0, equals), std::string_view(header).substr(equals + 1)});
    }
    if (arguments.publish_id) packet_.properties.user_properties.push_back({"arena-id", *arguments.publish_id});
    const std::string given = arguments.producer.value_or("");
    if (const auto producer = split_producer(given)) {
      producer_ = producer->first;
      sequence_ = producer->second;
      packet_.properties.user_properties.push_back({"arena-producer", {}});
    }
  }

 private:
  void on_ready() override {
    began_ms_ = loop().now_ms();
    proceed();
  }
  void on_writable() override { proceed(); }
  void on_answered(const mqtt::Ack& answer) override {
    why_ = answer.properties.reason_string.value_or("");
    std::string_view position;
    bool duplicate = false;
    for (const mqtt::UserProperty& property : answer.properties.user_properties) {
      if (property.name == "arena-duplicate") duplicate = true;
      if (property.name == "arena-position") position = property.value;
    }
    if (duplicate && ++duplicates_ == 1) first_position_ = position;
  }
  void on_published(uint16_t, mqtt::Reason reason) override {
    if (is_error(reason) && !finished()) {
      const int code = exit_code_of(reason);
      return finish(complain(code, fmt::format("the server refused the message: {}", why_.empty() ? to_string(reason) : why_), next_after(code)));
    }
    proceed();
  }
  std::string next_after(int code) const {
    if (code == kRefused) return "may this user publish here? Ask whoever runs the server";
    if (why_.starts_with("conflict")) {
      return arguments_.producer ? "what was published under this sequence stays; if this is another message, give it the next sequence that was not used"
                                 : "what was published under this id stays; if this is another message, give it an id of its own: --publish-id";
    }
    if (why_.starts_with("unknown-producer")) return fmt::format("{}EPOCH:1, with a higher EPOCH than before: --producer", producer_.substr(0, producer_.find(':') + 1));
    return {};
  }
  static void on_pace(void* self) { static_cast<PubRun*>(self)->proceed(); }

  void proceed() {
    if (finished() || !client().connected()) return;
    arguments_.lines ? send_lines() : send_copies();
    if (!finished() && all_said_ && client().session().unfinished() == 0) {
      tell_duplicates();
      finish(kOk);
    }
  }

  // That is what was asked for, so it is no failure; but who did not mean to repeat anything must hear of it.
  void tell_duplicates() {
    if (duplicates_ == 0) return;
    const std::string place = first_position_.empty() ? "" : fmt::format(", at {}", first_position_);
    say(sent_ == 1 ? fmt::format("published before{}: not stored again", place)
                   : fmt::format("{} of {} messages were published before, the first{}: not stored again", duplicates_, sent_, place));
  }

  bool has_room() { return client().writable() && client().session().unfinished() < kUnfinishedMax; }

  void send(std::string_view payload) {
    packet_.payload = payload;
    if (!producer_.empty()) {
      numbered_ = producer_ + std::to_string(sequence_++);
      packet_.properties.user_properties.back().value = numbered_;
    }
    if (!client().publish(packet_)) {
      return finish(complain(kFailed, fmt::format("a message of {} bytes is too large for this server", payload.size())));
    }
    ++sent_;
  }

  void send_copies() {
    while (!finished() && sent_ < arguments_.count && has_room()) {
      if (const int64_t wait_ms = pace_ms(); wait_ms > 0) return loop().arm(pace_, wait_ms);
      send(payload_);
    }
    all_said_ = sent_ == arguments_.count;
  }

  // How long the next message has to wait for the rate.
  int64_t pace_ms() {
    if (arguments_.rate <= 0) return 0;
    const int64_t due_ms = static_cast<int64_t>(static_cast<double>(sent_) * 1000 / arguments_.rate);
    return began_ms_ + due_ms - loop().now_ms();
  }

  void send_lines() {
    std::size_t at = 0;
    while (!finished() && has_room()) {
      const std::size_t end = input_.find('\n', at);
      if (end == std::string::npos) break;
      send(std::string_view(input_).substr(at, end - at));
      at = end + 1;
    }
    input_.erase(0, at);
    if (finished() || !has_room()) return;
    if (!input_ended_) return read_more();
    if (!input_.empty()) send(std::exchange(input_, {}));  // a last line without its end
    all_said_ = true;
  }

  // Reads off the loop, as standard input may be anything; a short poll lets the program end meanwhile.
  void read_more() {
    if (reading_) return;
    struct Piece {
      std::string bytes;
      bool ended = false;
    };
    auto piece = std::make_shared<Piece>();
    auto work = [piece] {
      pollfd ready{STDIN_FILENO, POLLIN, 0};
      if (::poll(&ready, 1, 100) == 0) return;
      piece->bytes.resize(64 << 10);
      const ssize_t n = ::read(STDIN_FILENO, piece->bytes.data(), piece->bytes.size());
      piece->ended = n <= 0;
      piece->bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    };
    auto done = [this, piece] {
      reading_ = false;
      input_ended_ = piece->ended;
      input_ += piece->bytes;
      if (input_.size() > kLineBytesMax) return finish(complain(kFailed, "a line is longer than 256 MB"));
      proceed();
    };
    reading_ = loop().run_blocking(runtime::Lane::general, std::move(work), std::move(done));
  }

  const PubArguments& arguments_;
  const std::string payload_;
  mqtt::Publish packet_;
  runtime::Timer pace_;
  int64_t began_ms_ = 0;
  std::string producer_;  // "<name>:<epoch>:"; empty: none
  uint64_t sequence_ = 0;
  std::string numbered_;
  std::string why_;  // the server's last word
  uint64_t duplicates_ = 0;
  std::string first_position_;
  uint64_t sent_ = 0;
  bool all_said_ = false;
  bool reading_ = false;
  bool input_ended_ = false;
  std::string input_;
};

std::string read_all(std::istream& from) { return {std::istreambuf_iterator<char>(from), {}}; }

Result<std::string> payload_of(const PubArguments& arguments) {
  if (arguments.lines || arguments.empty) return std::string();
  if (arguments.message) return *arguments.message;
  if (arguments.data == "-") return read_all(std::cin);
  if (!arguments.data.starts_with('@')) return arguments.data;
  const std::string path = arguments.data.substr(1);
  if (std::error_code error; std::filesystem::is_directory(path, error)) return fail_with(fmt::format("{} is a folder", path));
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  if (file) bytes = read_all(file);
  if (!file.is_open() || file.bad()) return fail_with(fmt::format("cannot read {}", path));
  return bytes;
}

// What is published once.
Status check_once(const PubArguments& arguments) {
  if (!arguments.once()) return Unit{};
  if (arguments.publish_id && arguments.producer) return fail("give one of --publish-id and --producer");
  if (arguments.target.version != "5") return fail("--publish-id and --producer need --mqtt-version 5");
  if (arguments.qos == 0) return fail("--publish-id and --producer need -q 1 or 2: at 0 nobody is told what came of it");
  if (arguments.publish_id && (arguments.lines || arguments.count > 1)) {
    return fail("--publish-id names one message; --producer numbers several");
  }
  if (arguments.publish_id && arguments.publish_id->empty()) return fail("--publish-id is empty");
  if (arguments.producer && !split_producer(*arguments.producer)) {
    return fail_with(fmt::format("\"{}\" is not a producer; write NAME:EPOCH:SEQUENCE, such as meter:1:1", *arguments.producer));
  }
  return Unit{};
}

Status check(const PubArguments& arguments, bool has_data) {
  if (const auto fault = check_topic(arguments.topic)) {
    return fail_with(fmt::format("\"{}\" is not a topic: {}", arguments.topic, to_string(*fault)));
  }
  const int sources = int{has_data} + int{arguments.message.has_value()} + int{arguments.lines} + int{arguments.empty};
  if (sources == 0) return fail("there is no message; give DATA, - (standard input), @FILE, -l (lines) or --null");
  if (sources > 1) return fail("give one of DATA, -m, -l and --null, not several");
  const bool has_properties = !arguments.headers.empty() || arguments.expiry_s || arguments.content_type;
  if (has_properties && arguments.target.version != "5") {
    return fail("headers, expiry and content type need --mqtt-version 5");
  }
  for (const std::string& header : arguments.headers) {
    if (header.find('=') == std::string::npos || header.starts_with('=')) {
      return fail_with(fmt::format("\"{}\" is not a header; write name=value", header));
    }
  }
  return check_once(arguments);
}

int run_pub(const PubArguments& arguments, bool has_data) {
  if (const Status status = check(arguments, has_data); !status) {
    return complain(kUsage, status.error().reason, "arena pub --help");
  }
  int64_t timeout_ms = 0;
  if (!arguments.timeout.empty()) {
    const auto parsed = parse_duration_ms(arguments.timeout);
    if (!parsed) return complain(kUsage, parsed.error().reason, "arena pub --help");
    timeout_ms = std::max<int64_t>(*parsed, 1);
  }
  auto payload = payload_of(arguments);
  if (!payload) return complain(kFailed, payload.error().reason);
  return PubRun(arguments, client_options(arguments.target), std::move(*payload)).run(timeout_ms);
}

}  // namespace

void add_pub_command(CLI::App& app, int& exit_code) {
  const auto a = std::make_shared<PubArguments>();
  CLI::App* command = app.add_subcommand("pub", "Publish a message, some copies of it, or lines");
  add_target_flags(*command, a->target);
  command->add_option("topic,-t,--topic", a->topic, "Where it goes")->required();
  CLI::Option* data = command->add_option("data", a->data, "The payload; -: standard input; @FILE: the file's content");
  command->add_option("-m,--message", a->message, "The payload, taken as it is");
  command->add_flag("-l,--lines", a->lines, "Each line of standard input is a message");
  command->add_flag("-n,--null", a->empty, "An empty payload; with -r it clears the topic's retained value");
  CLI::Option* qos = command->add_option("-q,--qos", a->qos, "0: at most once, 1: at least once, 2: exactly once")
      ->check(CLI::Range(0, 2).description(""))
      ->type_name("0|1|2")
      ->capture_default_str();
  command->add_flag("-r,--retain", a->retain, "Keep it as the topic's last value");
  command->add_option("--count", a->count, "How often it is sent")->check(check_not_negative)->capture_default_str();
  command->add_option("--rate", a->rate, "At most so many a second (default: as fast as it goes)")
      ->check(check_not_negative);
  command->add_option("--header", a->headers, "A header, name=value; may be repeated")->allow_extra_args(false);
  command->add_option("--expiry", a->expiry_s, "Seconds after which nobody gets it any more")->check(check_not_negative);
  command->add_option("--content-type", a->content_type, "What the payload is, such as application/json");
  command->add_option("--publish-id", a->publish_id,
                      "Once: what is repeated under the same id is not stored again (implies -q 1)");
  command->add_option("--producer", a->producer,
                      "NAME:EPOCH:SEQUENCE, once by number: each further message has the next (implies -q 1)")
      ->type_name("PRODUCER");
  command->add_option("-W,--timeout", a->timeout, "End with exit code 124 after so long, such as 5s");
  command->callback([a, data, qos, &exit_code] {
    if (a->once() && qos->count() == 0) a->qos = 1;
    exit_code = run_pub(*a, data->count() > 0);
  });
}

}  // namespace arena::cli
