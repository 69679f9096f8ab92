// What `arena doctor` finds: pure judgements over facts that machine_facts.h reads and tests make up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls/certificate.h"
#include "server/config.h"

namespace arena::cli {

enum class Verdict : uint8_t { ok, warn, fail };
std::string_view to_string(Verdict verdict);

struct Finding {
  Verdict verdict = Verdict::ok;
  std::string subject;  // "files", "port 1883", ...
  std::string what;
  std::string next;  // what to do; empty when nothing is to be done
};

// nullopt: the system does not tell.
struct MachineFacts {
  unsigned cores = 1;
  uint64_t files_max = 0;  // descriptors this process may have, once it has asked for all
  std::optional<uint64_t> memory_available_bytes;
  std::optional<uint64_t> memory_limit_bytes;  // the machine's, or less if this process may have less
  std::optional<uint64_t> accept_backlog_max;  // net.core.somaxconn
  std::optional<uint64_t> syn_backlog_max;     // net.ipv4.tcp_max_syn_backlog
  std::optional<uint64_t> tcp_memory_bytes;    // the end of net.ipv4.tcp_mem
  std::optional<uint64_t> tracked_max;         // net.netfilter.nf_conntrack_max, where it is loaded
};

struct ClockFacts {
  int64_t unix_ms = 0;
  std::optional<bool> synchronised;
  // How far both clocks came meanwhile: a difference is a step of the wall clock.
  int64_t wall_passed_ms = 0;
  int64_t monotonic_passed_ms = 0;
};

struct PortFacts {
  enum class State : uint8_t { free, answers_mqtt, taken, refused };
  std::string address;
  uint16_t port = 0;
  State state = State::free;
  std::string reason;  // why it is taken or refused, in the system's words
};

// The folder that store.data names.
struct StoreFacts {
  enum class State : uint8_t {
    not_there,     // a server makes it
    no_place,      // and cannot: the folder above is missing, or may not be written to
    no_folder,     // something else has the name
    not_writable,
    free,          // a store or an empty folder that nobody uses
    in_use,        // by a server
  };
  std::string path;
  State state = State::free;
  uint64_t format = 0;  // 0: it is no store yet
  std::string fault;    // why this release does not take its format
  std::optional<uint64_t> free_bytes;  // of its disk, for this user
};

struct CertificateFile {
  std::string path;
  net::CertificateFacts facts;
  bool key_readable_by_others = false;
  std::string key_path;
};

std::vector<Finding> judge_machine(const MachineFacts& facts, const server::Config& config);
std::vector<Finding> judge_clock(const ClockFacts& facts);
Finding judge_port(const PortFacts& facts);
std::vector<Finding> judge_store(const StoreFacts& facts, uint64_t reserve_bytes);
// What a server shows to its TLS clients.
std::vector<Finding> judge_certificate(const CertificateFile& file, int64_t now_s);
// Who is let in. `users`: how many the users file has; nullopt: none is configured.
Finding judge_access(const server::Config& config, std::optional<std::size_t> users);

// "ok", "warn" and "fail" lines, what to do below each; then the counts.
std::string doctor_text(const std::vector<Finding>& findings);
// One JSON object a line.
std::string doctor_json(const std::vector<Finding>& findings);

}  // namespace arena::cli
