// Goal: whatever moment the power goes, or whichever call to the disk fails, everything that was answered is there
// afterwards, whole and in order; what was not answered is there wholly or not at all; and the store opens. And
// whatever is damaged, nothing is served that was not stored, and what is missing is told.
//
//   arena_power_loss [--seeds N] [--first SEED] [--faults N] [--damages N] [--first-damage N: a multiple of 50]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "crash/load.h"
#include "engine/rocksdb/quarantine.h"

namespace arena::crash {
namespace {

namespace fs = std::filesystem;

// Several lives, each ended by a cut at some call.
std::string lose_power(const std::string& folder, uint64_t seed) {
  Load load(folder, seed);
  for (int life = 0; life < 3; ++life) {
    const bool cut_early = load.random().below(4) == 0;  // perhaps while it opens
    load.files().cut_after(load.random().below(cut_early ? 60 : 600));
    if (load.open()) {
      if (std::string wrong = load.verify(); !wrong.empty()) return wrong;
      load.work(20 + load.random().below(120));
    } else if (!load.files().is_cut()) {
      return "it does not open: " + load.reason();
    }
    load.close();
    load.files().lose_power(seed * 8 + static_cast<uint64_t>(life));
  }
  return load.open_and_verify();
}

// The call after `calls` fails; nothing is lost. `reached`: there was such a call.
std::string fail_call(const std::string& folder, uint64_t calls, bool& reached) {
  Load load(folder, 1);
  load.files().fail_after(calls);
  if (load.open()) {
    if (std::string wrong = load.verify(); !wrong.empty()) return wrong;
    load.work(250);
  }
  reached = load.files().calls() > calls;
  load.close();
  load.files().restore();
  return load.open_and_verify();
}

// One of the files that matter, by chance: a byte changed, its end cut off, or the whole of it gone.
std::string damage_a_file(const std::string& store, Random& random) {
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(store)) {
    const std::string name = entry.path().filename().string();
    const bool counts = name.ends_with(".sst") || name.ends_with(".log") || name.starts_with("MANIFEST") || name == "CURRENT" ||
                        name == "format" || name == "format.copy" || name == "high-water";
    if (entry.is_regular_file() && counts && entry.file_size() != 0) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  const std::string path = paths[random.below(paths.size())];
  const std::string name = fs::path(path).filename().string();
  const uint64_t size = fs::file_size(path);
  const uint64_t kind = random.below(10);
  if (kind == 0) {
    fs::remove(path);
    return name + " removed";
  }
  const uint64_t at = random.below(size);
  if (kind < 3) {
    fs::resize_file(path, at);
    return name + " cut at " + std::to_string(at);
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char flipped = static_cast<char>(file.get() ^ (1 << random.below(8)));
  file.seekp(static_cast<std::streamoff>(at));
  file.put(flipped);
  return name + " changed at " + std::to_string(at);
}

class Runner {
 public:
  explicit Runner(std::string folder) : folder_(std::move(folder)) {}
  ~Runner() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void power_loss(uint64_t first, uint64_t seeds) {
    for (uint64_t seed = first; seed < first + seeds; ++seed) {
      note("seed " + std::to_string(seed), lose_power(folder_, seed));
    }
  }
  // Each of the first `most` calls of the same load fails once.
  void faults(uint64_t most) {
    bool reached = true;
    for (uint64_t call = 0; reached && call < most; ++call) {
      note("fault at call " + std::to_string(call), fail_call(folder_, call, reached));
    }
  }
  // Copies of a few stores, each with one damage.
  void damages(uint64_t first, uint64_t count) {
    for (uint64_t done = first; done < first + count;) {
      Load load(folder_, 1000 + done);
      load.open();
      load.work(1000 + load.random().below(1000));  // several segments
      load.settle();
      load.close();
      load.files().restore();
      const std::string whole = folder_ + "/whole";
      fs::rename(load.store_path(), whole);
      for (int copy = 0; copy < 50 && done < first + count; ++copy, ++done) {
        fs::remove_all(load.store_path());
        fs::copy(whole, load.store_path(), fs::copy_options::recursive);
        const std::string what = damage_a_file(load.store_path(), load.random());
        fs::remove_all(folder_ + "/damaged");
        fs::copy(load.store_path(), folder_ + "/damaged", fs::copy_options::recursive);
        // Not to open is an answer too.
        const bool opened = load.open();
        note("damage " + std::to_string(done) + ", " + what, opened ? load.verify_damaged() : "");
        ++(opened ? opened_ : refused_);
        load.close();
        load.files().restore();
        note("quarantine " + std::to_string(done) + ", " + what, quarantine(load, opened));
        load.close();
        load.files().restore();
      }
    }
    std::printf("quarantine: %llu stores sound, %llu saved with %.2f %% of their messages, %llu beyond help\n",
                static_cast<unsigned long long>(sound_), static_cast<unsigned long long>(saved_),
                wanted_ == 0 ? 100.0 : 100.0 * static_cast<double>(found_) / static_cast<double>(wanted_),
                static_cast<unsigned long long>(beyond_help_));
    std::printf("damaged stores: %llu opened, %llu refused\n", static_cast<unsigned long long>(opened_), static_cast<unsigned long long>(refused_));
  }
  int finish() const {
    std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed_), static_cast<unsigned long long>(failed_));
    return failed_ == 0 && passed_ > 0 ? 0 : 1;
  }

 private:
  void note(const std::string& what, const std::string& wrong) {
    if (wrong.empty()) {
      ++passed_;
      return;
    }
    ++failed_;
    std::printf("%s: %s\n", what.c_str(), wrong.c_str());
    std::fflush(stdout);
  }

  // The same damaged store, put in order by a tool before it is opened.
  std::string quarantine(Load& load, bool opened_without) {
    fs::remove_all(load.store_path());
    fs::rename(folder_ + "/damaged", load.store_path());
    const auto done = engine::quarantine_store(load.store_path(), "quarantine");
    if (!done.ok()) {
      ++beyond_help_;
      return "quarantine fails: " + done.error().reason;
    }
    if (!load.open()) return "quarantine leaves a store that does not open: " + load.reason();
    if (done->findings.sound()) {
      ++sound_;
      return opened_without ? load.verify_damaged() : "called sound, and did not open";
    }
    const std::string wrong = load.verify_quarantined(done->keys.hit());
    ++saved_;
    found_ += load.found();
    wanted_ += load.wanted();
    return wrong;
  }

  std::string folder_;
  uint64_t sound_ = 0;
  uint64_t saved_ = 0;
  uint64_t beyond_help_ = 0;
  uint64_t found_ = 0;
  uint64_t wanted_ = 0;
  uint64_t opened_ = 0;
  uint64_t refused_ = 0;
  uint64_t passed_ = 0;
  uint64_t failed_ = 0;
};

int run(int argc, char** argv) {
  uint64_t seeds = 100, first = 1, faults = 0, damages = 0, first_damage = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const uint64_t number = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = number;
    if (std::strcmp(argv[i], "--first") == 0) first = number;
    if (std::strcmp(argv[i], "--faults") == 0) faults = number;
    if (std::strcmp(argv[i], "--damages") == 0) damages = number;
    if (std::strcmp(argv[i], "--first-damage") == 0) first_damage = number;
  }
  if (std::getenv("ARENA_VERBOSE") == nullptr && std::freopen("/dev/null", "w", stderr) == nullptr) return 2;
  const char* shared = fs::exists("/dev/shm") ? "/dev/shm" : nullptr;
  std::string folder = (shared != nullptr ? std::string(shared) : fs::temp_directory_path().string()) + "/arena-power-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 2;
  Runner runner(folder);
  runner.power_loss(first, seeds);
  if (faults > 0) runner.faults(faults);
  if (damages > 0) runner.damages(first_damage, damages);
  return runner.finish();
}

}  // namespace
}  // namespace arena::crash

int main(int argc, char** argv) { return arena::crash::run(argc, argv); }
