// Goal: the doctor calls good what is good, says what hinders a server, and always says what to do about it.
#include "cli/doctor.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace arena::cli {
namespace {

constexpr int64_t kNowMs = 1'800'000'000'000;

MachineFacts roomy() {
  MachineFacts facts;
  facts.cores = 4;
  facts.files_max = 1'000'000;
  facts.memory_available_bytes = uint64_t{16} << 30;
  facts.memory_limit_bytes = uint64_t{32} << 30;
  facts.accept_backlog_max = 4096;
  facts.syn_backlog_max = 4096;
  facts.tcp_memory_bytes = uint64_t{4} << 30;
  return facts;
}

Finding about(const std::string& subject, const std::vector<Finding>& findings) {
  const auto found =
      std::find_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.subject == subject; });
  return found == findings.end() ? Finding{Verdict::ok, "nothing about " + subject, {}, {}} : *found;
}

// The verdict about one subject; whatever is not ok says what to do.
Verdict verdict(const std::string& subject, const std::vector<Finding>& findings) {
  const Finding finding = about(subject, findings);
  EXPECT_EQ(finding.subject, subject);
  EXPECT_EQ(finding.verdict == Verdict::ok, finding.next.empty()) << finding.what;
  return finding.verdict;
}

TEST(Doctor, ARoomyMachineIsWell) {
  for (const Finding& finding : judge_machine(roomy(), {}))
    EXPECT_EQ(finding.verdict, Verdict::ok) << finding.what;
}

TEST(Doctor, FilesMustSufficeForTheConnections) {
  MachineFacts facts = roomy();
  server::Config config;
  config.limits.connections_max = 10'000;
  facts.files_max = 10'064;
  EXPECT_EQ(verdict("files", judge_machine(facts, config)), Verdict::ok);
  facts.files_max = 10'063;
  EXPECT_EQ(verdict("files", judge_machine(facts, config)), Verdict::warn);
  facts.files_max = 100;
  EXPECT_EQ(verdict("files", judge_machine(facts, config)), Verdict::fail);
}

TEST(Doctor, MemoryMustHoldWhatIsKept) {
  MachineFacts facts = roomy();
  server::Config config;
  config.limits.retained_bytes_max = uint64_t{3} << 30;
  config.limits.inbox_bytes_max = uint64_t{2} << 30;
  facts.memory_available_bytes = uint64_t{5} << 30;
  EXPECT_EQ(verdict("memory", judge_machine(facts, config)), Verdict::ok);
  facts.memory_limit_bytes = uint64_t{4} << 30;  // less than the machine has
  EXPECT_EQ(verdict("memory", judge_machine(facts, config)), Verdict::warn);
  facts.memory_available_bytes = uint64_t{100} << 20;
  EXPECT_EQ(verdict("memory", judge_machine(facts, config)), Verdict::fail);
}

TEST(Doctor, KernelSettingsThatAreTooSmallAreNamed) {
  MachineFacts facts = roomy();
  facts.accept_backlog_max = 128;
  facts.syn_backlog_max = 128;
  facts.tcp_memory_bytes = 1 << 20;
  facts.tracked_max = 65'536;
  const auto findings = judge_machine(facts, {});
  for (const char* subject : {"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_mem",
                              "net.netfilter.nf_conntrack_max"}) {
    EXPECT_EQ(verdict(subject, findings), Verdict::warn);
  }
  EXPECT_EQ(about("net.core.somaxconn", findings).next, "sysctl -w net.core.somaxconn=1024");
}

TEST(Doctor, MoreThreadsThanCoresAreQuestioned) {
  server::Config config;
  config.server.threads = 5;
  EXPECT_EQ(verdict("cores", judge_machine(roomy(), config)), Verdict::warn);
  config.server.threads = 4;
  EXPECT_EQ(verdict("cores", judge_machine(roomy(), config)), Verdict::ok);
}

TEST(Doctor, Clocks) {
  EXPECT_EQ(verdict("clock", judge_clock({kNowMs, true, 200, 200})), Verdict::ok);
  EXPECT_EQ(verdict("clock", judge_clock({kNowMs, std::nullopt, 200, 201})), Verdict::ok);
  EXPECT_EQ(verdict("clock", judge_clock({kNowMs, false, 200, 200})), Verdict::warn);
  EXPECT_EQ(verdict("clock", judge_clock({kNowMs, true, 1200, 200})), Verdict::warn);
  EXPECT_EQ(verdict("clock", judge_clock({kNowMs, true, -800, 200})), Verdict::warn);
  EXPECT_EQ(verdict("clock", judge_clock({86'400'000, true, 200, 200})), Verdict::fail);
}

TEST(Doctor, Ports) {
  using State = PortFacts::State;
  EXPECT_EQ(judge_port({"127.0.0.1", 1883, State::free, {}}).verdict, Verdict::ok);
  EXPECT_EQ(judge_port({"127.0.0.1", 1883, State::answers_mqtt, {}}).verdict, Verdict::ok);
  EXPECT_EQ(judge_port({"127.0.0.1", 1883, State::taken, {}}).verdict, Verdict::fail);
  const Finding low = judge_port({"127.0.0.1", 80, State::refused, "cannot listen: Permission denied"});
  EXPECT_EQ(low.verdict, Verdict::fail);
  EXPECT_NE(low.next.find("CAP_NET_BIND_SERVICE"), std::string::npos);
  EXPECT_NE(judge_port({"::1", 1883, State::free, {}}).what.find("[::1]:1883"), std::string::npos);
}

TEST(Doctor, TheStoreMustBeThereForAServer) {
  using State = StoreFacts::State;
  const auto folder = [](State state, uint64_t format = 0, const std::string& fault = {}) {
    return judge_store({"/data", state, format, fault, std::nullopt}, 1000);
  };
  EXPECT_EQ(verdict("store", folder(State::not_there)), Verdict::ok);
  EXPECT_EQ(verdict("store", folder(State::free)), Verdict::ok);
  EXPECT_EQ(about("store", folder(State::free, 2)).what, "/data is a store of format 2");
  EXPECT_EQ(verdict("store", folder(State::in_use, 2)), Verdict::ok) << "by the server that is asked about";
  EXPECT_NE(about("store", folder(State::in_use, 2)).what.find("in use"), std::string::npos);
  for (const State state : {State::no_place, State::no_folder, State::not_writable}) EXPECT_EQ(verdict("store", folder(state)), Verdict::fail);
  EXPECT_EQ(verdict("store", folder(State::free, 0, "written by a later release")), Verdict::fail);
}

TEST(Doctor, TheStoresDiskNeedsMoreThanItsReserve) {
  const auto space = [](uint64_t free_bytes) {
    return verdict("disk space", judge_store({"/data", StoreFacts::State::free, 2, {}, free_bytes}, 1000));
  };
  EXPECT_EQ(space(2000), Verdict::ok);
  EXPECT_EQ(space(1999), Verdict::warn);
  EXPECT_EQ(space(1000), Verdict::warn);
  EXPECT_EQ(space(999), Verdict::fail);
}

TEST(Doctor, Access) {
  server::Config config;
  EXPECT_EQ(judge_access(config, std::nullopt).verdict, Verdict::warn);
  EXPECT_EQ(judge_access(config, 0).verdict, Verdict::warn);
  EXPECT_EQ(judge_access(config, 2).verdict, Verdict::warn);  // no rules
  config.auth.rules.emplace_back();
  EXPECT_EQ(judge_access(config, 2).verdict, Verdict::ok);
  config.auth.allow_anonymous = true;
  EXPECT_EQ(judge_access(config, 2).verdict, Verdict::warn);
}

TEST(Doctor, TellsPeopleAndPrograms) {
  const std::vector<Finding> findings{{Verdict::ok, "files", "many", {}},
                                      {Verdict::fail, "port 1", "\"taken\"", "free it"}};
  EXPECT_EQ(doctor_text(findings),
            "ok    files   many\n"
            "fail  port 1  \"taken\"\n"
            "              next: free it\n"
            "1 ok, 0 to look at, 1 in the way\n");
  EXPECT_EQ(
      doctor_json(findings),
      "{\"verdict\":\"ok\",\"subject\":\"files\",\"what\":\"many\",\"next\":\"\"}\n"
      "{\"verdict\":\"fail\",\"subject\":\"port 1\",\"what\":\"\\\"taken\\\"\",\"next\":\"free it\"}\n");
}

}  // namespace
}  // namespace arena::cli
