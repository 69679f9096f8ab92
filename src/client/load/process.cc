#include "client/load/process.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace arena::client {

std::optional<double> process_rss_bytes(unsigned pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  double total_pages = 0;
  double resident_pages = 0;
  if (!(file >> total_pages >> resident_pages)) return std::nullopt;
  return resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace arena::client
