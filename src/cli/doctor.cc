#include "cli/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/message_text.h"

namespace arena::cli {

namespace {

constexpr uint64_t kOwnFiles = 64;  // logs, loops, listeners, mailboxes
constexpr uint64_t kFilesMin = 256;
constexpr uint64_t kBacklogMin = 1024;
constexpr uint64_t kMemoryMinBytes = 256 << 20;
constexpr uint64_t kKernelBytesPerConnection = 8192;  // a page for each direction of a socket that is in use
constexpr int64_t kYear2025Ms = 1'735'689'600'000;
constexpr int64_t kClockStepMs = 20;
constexpr int64_t kDayS = 86'400;
constexpr int64_t kExpiryWarnDays = 14;

std::string size_text(uint64_t bytes) {
  if (bytes >= uint64_t{1} << 30) return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
  return fmt::format("{} MiB", bytes >> 20);
}

Finding ok(std::string subject, std::string what) {
  return {Verdict::ok, std::move(subject), std::move(what), {}};
}

Finding judge_files(const MachineFacts& facts, const server::Config& config) {
  const uint64_t wanted = config.limits.connections_max + kOwnFiles;
  const std::string what = fmt::format("this process may open {} files; limits.connections_max is {}",
                                       facts.files_max, config.limits.connections_max);
  if (facts.files_max >= wanted) return ok("files", what);
  return {facts.files_max < kFilesMin ? Verdict::fail : Verdict::warn, "files",
          what + ": later connections would have to wait",
          fmt::format("allow {} (ulimit -n, or LimitNOFILE= of the service), or lower limits.connections_max",
                      wanted)};
}

Finding judge_cores(const MachineFacts& facts, const server::Config& config) {
  const uint64_t threads = config.server.threads != 0 ? config.server.threads : facts.cores;
  std::string what = fmt::format("{} worker threads on {} cores", threads, facts.cores);
  if (threads <= facts.cores) return ok("cores", std::move(what));
  return {Verdict::warn, "cores", std::move(what), "let server.threads be 0: one thread per core"};
}

Finding judge_memory(const MachineFacts& facts, const server::Config& config) {
  const uint64_t stored = config.limits.retained_bytes_max + config.limits.inbox_bytes_max;
  const uint64_t limit = facts.memory_limit_bytes.value_or(UINT64_MAX);
  const uint64_t available = std::min(facts.memory_available_bytes.value_or(UINT64_MAX), limit);
  if (available == UINT64_MAX)
    return {Verdict::warn, "memory", "the system does not tell how much there is", {}};
  const std::string what = fmt::format("{} available; messages that are kept may take {}",
                                       size_text(available), size_text(stored));
  if (available < kMemoryMinBytes)
    return {Verdict::fail, "memory", what, "free some, or give this machine more"};
  if (stored <= available) return ok("memory", what);
  return {Verdict::warn, "memory", what,
          "lower limits.retained_bytes_max and limits.inbox_bytes_max, or add memory"};
}

// A kernel setting that should be at least so much.
Finding judge_kernel(std::string_view name, std::optional<uint64_t> value, uint64_t wanted,
                     std::string_view otherwise) {
  const std::string subject(name);
  if (!value) return ok(subject, "not told by this system");
  if (*value >= wanted) return ok(subject, fmt::format("{}", *value));
  return {Verdict::warn, subject, fmt::format("{}: {}", *value, otherwise),
          fmt::format("sysctl -w {}={}", name, wanted)};
}

Finding judge_socket_memory(const MachineFacts& facts, const server::Config& config) {
  const uint64_t wanted = config.limits.connections_max * kKernelBytesPerConnection;
  if (!facts.tcp_memory_bytes) return ok("net.ipv4.tcp_mem", "not told by this system");
  const std::string what = fmt::format("{} for all sockets together", size_text(*facts.tcp_memory_bytes));
  if (*facts.tcp_memory_bytes >= wanted) return ok("net.ipv4.tcp_mem", what);
  return {Verdict::warn, "net.ipv4.tcp_mem",
          what + fmt::format("; {} connections in use may want {}", config.limits.connections_max,
                             size_text(wanted)),
          fmt::format("raise its last number to {} pages, or lower limits.connections_max", wanted / 4096)};
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warn:
      return "warn";
    case Verdict::fail:
      return "fail";
  }
  return "?";
}

std::vector<Finding> judge_machine(const MachineFacts& facts, const server::Config& config) {
  std::vector<Finding> findings{judge_files(facts, config), judge_cores(facts, config),
                                judge_memory(facts, config)};
  findings.push_back(judge_kernel("net.core.somaxconn", facts.accept_backlog_max, kBacklogMin,
                                  "clients that connect all at once would be turned away"));
  findings.push_back(judge_kernel("net.ipv4.tcp_max_syn_backlog", facts.syn_backlog_max, kBacklogMin,
                                  "clients that connect all at once would be turned away"));
  findings.push_back(judge_socket_memory(facts, config));
  if (facts.tracked_max) {
    findings.push_back(
        judge_kernel("net.netfilter.nf_conntrack_max", facts.tracked_max, config.limits.connections_max,
                     "the firewall would drop connections before limits.connections_max is reached"));
  }
  return findings;
}

std::vector<Finding> judge_clock(const ClockFacts& facts) {
  std::vector<Finding> findings;
  if (facts.unix_ms < kYear2025Ms) {
    findings.push_back({Verdict::fail, "clock",
                        "it is set to a time before 2025: times and expiry would be wrong",
                        "set the clock: timedatectl set-ntp true"});
  }
  const int64_t step_ms = facts.wall_passed_ms - facts.monotonic_passed_ms;
  if (std::abs(step_ms) > kClockStepMs) {
    findings.push_back({Verdict::warn, "clock",
                        fmt::format("it jumped by {} ms while it was watched", step_ms),
                        "let one program alone set it, slowly (chrony, systemd-timesyncd)"});
  }
  if (facts.synchronised == false) {
    findings.push_back({Verdict::warn, "clock", "it is not synchronised with other clocks",
                        "timedatectl set-ntp true, or install chrony"});
  }
  if (findings.empty()) {
    findings.push_back(ok("clock", facts.synchronised ? "synchronised and steady"
                                                      : "steady; whether it is synchronised is not told"));
  }
  return findings;
}

std::vector<Finding> judge_certificate(const CertificateFile& file, int64_t now_s) {
  const net::CertificateFacts& facts = file.facts;
  std::vector<Finding> findings;
  const int64_t days = (facts.not_after_s - now_s) / kDayS;
  const std::string renew = "put a new one in its place and send SIGHUP";
  if (facts.not_after_s <= now_s) {
    findings.push_back({Verdict::fail, "certificate", file.path + " has expired: no client that looks will connect", renew});
  } else if (facts.not_before_s > now_s) {
    findings.push_back({Verdict::fail, "certificate", file.path + " is not good yet", "is the clock right? Else wait, or get another"});
  } else if (days < kExpiryWarnDays) {
    findings.push_back({Verdict::warn, "certificate", fmt::format("{} expires in {} days", file.path, days), renew});
  } else if (facts.names.empty()) {
    findings.push_back({Verdict::warn, "certificate", file.path + " names no server: clients look for one in its subjectAltName",
                        "get one with the names that clients connect to"});
  } else {
    findings.push_back(ok("certificate", fmt::format("{} is for {}, {} days more", file.path, fmt::join(facts.names, ", "), days)));
  }
  if (file.key_readable_by_others) {
    findings.push_back({Verdict::warn, "key", file.key_path + " can be read by everybody on this machine", "chmod o= " + file.key_path});
  }
  return findings;
}

Finding judge_port(const PortFacts& facts) {
  const std::string subject = fmt::format("port {}", facts.port);
  const std::string where = facts.address.find(':') != std::string::npos
                                ? fmt::format("[{}]:{}", facts.address, facts.port)
                                : fmt::format("{}:{}", facts.address, facts.port);
  switch (facts.state) {
    case PortFacts::State::free:
      return ok(subject, where + " is free");
    case PortFacts::State::answers_mqtt:
      return ok(subject, where + " is taken by an MQTT server that answers: is Arena running?");
    case PortFacts::State::taken:
      return {Verdict::fail, subject, where + " is taken by something that does not answer as an MQTT server",
              fmt::format("find it: ss -ltnp 'sport = :{}'; or choose another port in mqtt.listeners",
                          facts.port)};
    case PortFacts::State::refused:
      break;
  }
  return {Verdict::fail, subject, facts.reason,
          facts.port < 1024 ? "ports below 1024 need CAP_NET_BIND_SERVICE; or choose a port above"
                            : "choose an address of this machine in mqtt.listeners"};
}

namespace {

Finding judge_store_folder(const StoreFacts& facts) {
  using State = StoreFacts::State;
  const std::string elsewhere = ", or name another folder in store.data";
  switch (facts.state) {
    case State::no_place:
      return {Verdict::fail, "store", facts.path + " is not there, and cannot be made", "make the folder above it, for the user that the server runs as" + elsewhere};
    case State::no_folder:
      return {Verdict::fail, "store", facts.path + " is no folder", "name another one in store.data"};
    case State::not_writable:
      return {Verdict::fail, "store", facts.path + " may not be written to by this user", fmt::format("chown -R USER {}, with the user that the server runs as{}", facts.path, elsewhere)};
    case State::not_there:
      return ok("store", facts.path + " is made at the first start");
    case State::free:
    case State::in_use:
      break;
  }
  if (!facts.fault.empty()) return {Verdict::fail, "store", facts.fault, "arena store check " + facts.path};
  const std::string what = facts.format == 0 ? facts.path + " is empty" : fmt::format("{} is a store of format {}", facts.path, facts.format);
  return ok("store", facts.state == State::in_use ? what + ", and in use: is Arena running?" : what);
}

Finding judge_store_space(uint64_t free_bytes, uint64_t reserve_bytes) {
  const std::string what = fmt::format("{} free where the store is; with less than store.reserve_bytes, {}, what is to be kept is refused", size_text(free_bytes), size_text(reserve_bytes));
  if (free_bytes >= 2 * reserve_bytes) return ok("disk space", what);
  return {free_bytes < reserve_bytes ? Verdict::fail : Verdict::warn, "disk space", what, "free some, take a larger disk, or lower store.reserve_bytes"};
}

}  // namespace

std::vector<Finding> judge_store(const StoreFacts& facts, uint64_t reserve_bytes) {
  std::vector<Finding> findings{judge_store_folder(facts)};
  if (facts.free_bytes) findings.push_back(judge_store_space(*facts.free_bytes, reserve_bytes));
  return findings;
}

Finding judge_access(const server::Config& config, std::optional<std::size_t> users) {
  if (config.auth.allow_anonymous.value_or(false)) {
    return {Verdict::warn, "access", "anonymous clients are let in from anywhere",
            "make users with arena user add, and take auth.allow_anonymous away"};
  }
  if (users.value_or(0) == 0) {
    return {Verdict::warn, "access", "there is no user: only clients on this machine are let in",
            "arena user add --file users NAME, and name the file in auth.users_file"};
  }
  if (config.auth.rules.empty()) {
    return {Verdict::warn, "access",
            fmt::format("{} users, and no rule: nobody may publish or subscribe", *users),
            "write [[auth.rules]]; arena config default shows how"};
  }
  return ok("access", fmt::format("{} users, {} rules", *users, config.auth.rules.size()));
}

std::string doctor_text(const std::vector<Finding>& findings) {
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.subject.size());
  std::string text;
  std::size_t counts[3] = {};
  for (const Finding& finding : findings) {
    ++counts[static_cast<std::size_t>(finding.verdict)];
    text +=
        fmt::format("{:4}  {:{}}  {}\n", to_string(finding.verdict), finding.subject, width, finding.what);
    if (!finding.next.empty()) text += fmt::format("{:{}}  next: {}\n", "", width + 6, finding.next);
  }
  return text + fmt::format("{} ok, {} to look at, {} in the way\n", counts[0], counts[1], counts[2]);
}

std::string doctor_json(const std::vector<Finding>& findings) {
  std::string json;
  for (const Finding& finding : findings) {
    json += fmt::format("{{\"verdict\":\"{}\",\"subject\":", to_string(finding.verdict));
    append_json_string(json, finding.subject);
    json += ",\"what\":";
    append_json_string(json, finding.what);
    json += ",\"next\":";
    append_json_string(json, finding.next);
    json += "}\n";
  }
  return json;
}

}  // namespace arena::cli
