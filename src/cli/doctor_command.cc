// arena doctor
#include <CLI/CLI.hpp>

#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/users.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/machine_facts.h"
#include "runtime/clock.h"
#include "server/tls_files.h"

namespace arena::cli {

namespace {

struct DoctorArguments {
  std::optional<std::string> config;
  std::string output = "text";
};

void add(std::vector<Finding>& findings, std::vector<Finding> more) {
  findings.insert(findings.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// The configuration to judge by; the defaults where it is wrong, so that the rest is judged all the same.
server::Config examine_config(const DoctorArguments& arguments, std::vector<Finding>& findings) {
  auto loaded = server::load_config(arguments.config, server::process_environment());
  if (!loaded) {
    for (const server::ConfigError& error : loaded.error()) {
      findings.push_back(
          {Verdict::fail, "configuration", error.text(), "arena config doc tells every setting"});
    }
    return {};
  }
  findings.push_back(
      {Verdict::ok, "configuration", arguments.config ? *arguments.config : "defaults and environment", {}});
  return std::move(loaded->config);
}

Finding examine_access(const server::Config& config) {
  if (config.auth.users_file.empty()) return judge_access(config, std::nullopt);
  const auto users = access::UserTable::load(config.auth.users_file);
  if (!users) {
    return {Verdict::fail, "access", users.error().reason,
            "arena user add --file " + config.auth.users_file + " NAME"};
  }
  return judge_access(config, users->size());
}

// The configuration to which files and lines belong; nothing when no listener has TLS.
void examine_tls(const DoctorArguments& arguments, std::vector<Finding>& findings) {
  const auto loaded = server::load_config(arguments.config, server::process_environment());
  if (!loaded) return;
  const auto tls = server::load_tls(*loaded);
  if (!tls) {
    findings.push_back({Verdict::fail, "certificate", tls.error().text(), "docs/tls.md tells what is needed"});
    return;
  }
  if (*tls == nullptr) return;
  const auto file = read_certificate_file(loaded->config.tls.certificate_file, loaded->config.tls.key_file);
  if (file) add(findings, judge_certificate(*file, runtime::unix_ms() / 1000));
}

int run_doctor(const DoctorArguments& arguments) {
  std::vector<Finding> findings;
  const server::Config config = examine_config(arguments, findings);
  findings.push_back(examine_access(config));
  examine_tls(arguments, findings);
  if (!config.store.data.empty()) add(findings, judge_store(read_store_facts(config.store.data), config.store.reserve_bytes));
  for (const server::Listener& listener : config.mqtt.listeners) {
    if (listener.port != 0) findings.push_back(judge_port(probe_port(listener.address, listener.port)));
  }
  add(findings, judge_machine(read_machine_facts(), config));
  add(findings, judge_clock(read_clock_facts()));
  print(arguments.output == "json" ? doctor_json(findings) : doctor_text(findings));
  for (const Finding& finding : findings) {
    if (finding.verdict == Verdict::fail) return kUnhealthy;
  }
  return kOk;
}

}  // namespace

void add_doctor_command(CLI::App& app, int& exit_code) {
  const auto a = std::make_shared<DoctorArguments>();
  CLI::App* command =
      app.add_subcommand("doctor", "Say what on this machine would hinder a server, and what to do");
  command->add_option("-c,--config", a->config, "The configuration that the server would have")
      ->type_name("FILE");
  command->add_option("--output", a->output, "text, or json: an object a line")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->type_name("text|json")
      ->capture_default_str();
  command->callback([a, &exit_code] { exit_code = run_doctor(*a); });
}

}  // namespace arena::cli
