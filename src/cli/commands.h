// The commands of `arena`, one file each. Each adds itself to the application and leaves its exit code in `exit_code`.
#pragma once

namespace CLI {
class App;
}

namespace arena::cli {

// 0 ok · 1 failed · 2 usage or configuration · 3 not allowed in · 124 timed out
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kRefused = 3;
inline constexpr int kTimedOut = 124;

void add_dev_command(CLI::App& app, int& exit_code);

}  // namespace arena::cli
