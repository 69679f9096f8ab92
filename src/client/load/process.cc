#include "client/load/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace arena::client {

namespace {

// The fields behind the command's name, which may hold anything, in the order of proc(5); the first is number 3.
std::optional<std::istringstream> stat_fields(unsigned pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  return std::istringstream(text.substr(name_end + 1));
}

std::optional<double> field(unsigned pid, int number) {
  auto fields = stat_fields(pid);
  if (!fields) return std::nullopt;
  std::string value;
  for (int i = 3; i <= number; ++i) *fields >> value;
  return *fields ? std::optional(std::stod(value)) : std::nullopt;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

std::optional<double> process_cpu_us(unsigned pid) {
  const auto user = field(pid, 14);
  const auto system = field(pid, 15);
  if (!user || !system) return std::nullopt;
  return (*user + *system) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::optional<double> process_rss_bytes(unsigned pid) {
  const auto pages = field(pid, 24);
  if (!pages) return std::nullopt;
  return *pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double own_cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return (seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)) * 1e6;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace arena::client
