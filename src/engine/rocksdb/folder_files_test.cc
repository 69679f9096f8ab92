// Goal: whatever file of a store's folder is gone, empty or changed, the check names it; a server that starts, or the tool,
// puts in order what costs nothing, and nobody serves a store of which it is not known whether all is there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/rocksdb/backup.h"
#include "engine/rocksdb/test_damaged_store.h"
#include "engine/rocksdb/store_check.h"

namespace arena::engine {
namespace {

namespace fs = std::filesystem;

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes; }

class FolderFiles : public DamagedStore {
 protected:
  std::string file(const std::string& name) const { return harness.path() + "/" + name; }
  Findings check(const std::string& path) {
    auto found = check_store(path);
    EXPECT_TRUE(found.ok()) << found.error().reason;
    return found.ok() ? std::move(*found) : Findings{};
  }
  Findings check() { return check(harness.path()); }
  static bool names(const Findings& found, const std::string& file) {
    return std::any_of(found.damages.begin(), found.damages.end(), [&](const Damage& one) { return one.file == file; });
  }
  void quarantine_again() {
    const auto done = quarantine_store(harness.path(), "quarantine " + std::to_string(++quarantines_));
    ASSERT_TRUE(done.ok()) << done.error().reason;
    EXPECT_TRUE(done->lost.empty());
    EXPECT_FALSE(done->keys.hit());
    EXPECT_TRUE(check().sound());
  }
  void expect_all() {
    harness.open();
    EXPECT_EQ(read_all(1), range(0, 150));
    EXPECT_EQ(told_, 0u);
    EXPECT_EQ(value(1, "k"), "new");
    harness.close();
  }
  // Gone, empty, or with a bit changed, one by one; `then` sees each.
  template <typename Then>
  void damage_each_way(const std::string& path, Then then) {
    const std::string whole = content(path);
    for (const char* way : {"gone", "empty", "changed"}) {
      SCOPED_TRACE(path + " is " + way);
      if (way[0] == 'g') fs::remove(path);
      if (way[0] == 'e') write(path, "");
      if (way[0] == 'c') change(path, whole.size() / 2);
      then();
      write(path, whole);
    }
  }

 private:
  int quarantines_ = 0;
};

TEST_F(FolderFiles, ACopyOfTheFormatThatIsNoneIsNamedAndWrittenAgain) {
  fill_files();
  for (const bool by_tool : {true, false}) {
    damage_each_way(file("format.copy"), [&] {
      const Findings found = check();
      EXPECT_TRUE(names(found, "format.copy"));
      EXPECT_EQ(found.refused, "") << "a server does not need it";
      if (by_tool) quarantine_again();
      expect_all();
      EXPECT_EQ(content(file("format.copy")), content(file("format")));
      EXPECT_TRUE(check().sound());
    });
  }
}

TEST_F(FolderFiles, WithoutAMarkItIsNotKnownWhetherAllIsThere) {
  fill_files();
  for (const bool gone : {true, false}) {
    if (gone) {
      fs::remove(file("high-water"));
    } else {
      write(file("high-water"), "");
    }
    const Findings found = check();
    EXPECT_TRUE(names(found, "high-water"));
    EXPECT_NE(found.refused, "");
    const std::string reason = harness.try_open();
    EXPECT_NE(reason.find("high-water"), std::string::npos) << reason;
    EXPECT_NE(reason.find("--quarantine " + harness.path()), std::string::npos) << reason;
    quarantine_again();
    expect_all();
  }
}

TEST_F(FolderFiles, AMarkIsThereBeforeAnythingIsAcknowledged) {
  harness.close();
  EXPECT_FALSE(content(file("high-water")).empty());
  EXPECT_TRUE(check().sound());
}

// Who is killed within the first tenth of a second, again and again, has a mark all the same.
TEST_F(FolderFiles, AStartMarksWhatItFound) {
  fill_files();
  ASSERT_TRUE(HighWater(file("high-water")).reset(0).ok());
  harness.open();
  HighWater mark(file("high-water"));
  ASSERT_TRUE(mark.open(false).ok());
  EXPECT_GT(mark.read()->sequence.value_or(0), 0u);
}

TEST_F(FolderFiles, EveryByteOfTheMarksCounts) {
  fill_files();
  harness.open();
  fill(2, 10, 20);
  harness.close();
  const std::string whole = content(file("high-water"));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    change(file("high-water"), at);
    const Findings found = check();
    EXPECT_TRUE(names(found, "high-water")) << at;
    EXPECT_EQ(found.refused, "") << at;
    write(file("high-water"), whole);
    at += at < 25 || at > 505 ? 0 : 40;
  }
  for (const std::size_t size : {std::size_t{20}, std::size_t{512}, std::size_t{531}}) {
    fs::resize_file(file("high-water"), size);
    EXPECT_TRUE(names(check(), "high-water")) << size;
    write(file("high-water"), whole);
  }
}

TEST_F(FolderFiles, OneOfTwoMarksDoesAndTheOtherIsWrittenAgain) {
  fill_files();
  for (const bool by_tool : {true, false}) {
    for (const uint64_t at : {3u, 515u}) {
      harness.open();
      fill(2, store().bounds(2, LogId::inbox).end, store().bounds(2, LogId::inbox).end + 1);  // a newer mark
      harness.close();
      change(file("high-water"), at);
      EXPECT_TRUE(names(check(), "high-water"));
      if (by_tool) quarantine_again();
      expect_all();
      EXPECT_TRUE(check().sound());
    }
  }
}

// Else the logs would go on where the store that was copied went on, too.
TEST_F(FolderFiles, TheFloorOfACopyIsMissed) {
  fill_files();
  for (const bool opened : {false, true}) {
    for (const bool by_tool : {true, false}) {
      ASSERT_TRUE(copy_stopped_store(harness.path(), harness.beside("copy")).ok());
      const auto open_copy = [&] {
        RocksOptions options;
        options.path = harness.beside("copy");
        options.partitions = kPartitions;
        options.reserve_bytes = 0;
        auto disk = RocksDisk::open(std::move(options));
        ASSERT_TRUE(disk.ok()) << disk.error().reason;
        EXPECT_GT((*disk)->logs().find({1, LogId::inbox})->tail().end, 150 + kBlockSpanMax - 1);
        EXPECT_GT((*disk)->logs().find({3, LogId{9}})->tail().end, kBlockSpanMax - 1) << "one that is made later";
      };
      if (opened) open_copy();
      damage_each_way(harness.beside("copy") + "/floor", [&] {
        EXPECT_TRUE(names(check(harness.beside("copy")), "floor"));
        if (by_tool) {
          const auto done = quarantine_store(harness.beside("copy"), "quarantine");
          ASSERT_TRUE(done.ok()) << done.error().reason;
          EXPECT_TRUE(done->lost.empty());
          EXPECT_TRUE(check(harness.beside("copy")).sound());
          fs::remove_all(harness.beside("copy") + "/quarantine");
        }
        open_copy();
        EXPECT_TRUE(check(harness.beside("copy")).sound());
      });
      fs::remove_all(harness.beside("copy"));
    }
  }
}

// What is left out here docs/storage-format.md calls harmless.
TEST_F(FolderFiles, EveryOtherFileIsMissedToo) {
  fill_files();
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(harness.path())) {
    const std::string name = entry.path().filename().string();
    const bool harmless = name == "lock" || name == "LOCK" || name.starts_with("LOG") || name == "IDENTITY" || name.starts_with("OPTIONS-");
    const bool unused = entry.path().extension() == ".log" && entry.is_regular_file() && entry.file_size() == 0;
    if (entry.is_regular_file() && !harmless && !unused) names.push_back(fs::relative(entry.path(), harness.path()).string());
  }
  EXPECT_GE(names.size(), 9u);
  for (const std::string& name : names) {
    damage_each_way(file(name), [&] { EXPECT_FALSE(check().sound()); });
  }
  EXPECT_TRUE(check().sound());
}

TEST_F(FolderFiles, EveryByteOfRocksDBsFilesCounts) {
  ASSERT_EQ(commit(operation(1, put("k", "old"))), CommitStatus::committed);
  fill(1, 0, 5);
  ASSERT_TRUE(harness.disk().database().flush().ok());
  fill(1, 5, 8);
  harness.close();
  for (const fs::directory_entry& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
    const std::string path = entry.path().string(), name = entry.path().filename().string();
    const bool is_table = entry.path().extension() == ".sst";
    if (!is_table && !name.starts_with("MANIFEST") && name != "CURRENT" && entry.path().extension() != ".log") continue;
    const std::string whole = content(path);
    for (std::size_t at = 0; at < whole.size(); at += is_table && at + 60 > whole.size() ? 3 : 61) {
      change(path, at);
      EXPECT_FALSE(check().sound()) << name << " at " << at << " of " << whole.size();
      write(path, whole);
    }
  }
  EXPECT_TRUE(check().sound());
}

TEST_F(FolderFiles, AFileOfKeysThatIsChangedWhereNobodyReadsCostsNothing) {
  fill_files();
  for (const fs::directory_entry& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
    if (entry.path().extension() == ".sst") change(entry.path().string(), entry.file_size() - 14);  // before version and magic number
  }
  quarantine_again();
  expect_all();
}

TEST_F(FolderFiles, WhatIsHarmlessHindersNobody) {
  fill_files();
  for (const fs::directory_entry& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
    const std::string name = entry.path().filename().string();
    if (name == "IDENTITY" || name.starts_with("OPTIONS-")) write(entry.path().string(), "nonsense");
  }
  EXPECT_TRUE(check().sound());
  expect_all();
  for (const fs::directory_entry& entry : fs::directory_iterator(harness.path() + "/rocksdb")) {
    const std::string name = entry.path().filename().string();
    if (name == "IDENTITY" || name.starts_with("OPTIONS-")) write(entry.path().string(), "nonsense");
  }
  fs::remove(database_file(middle_));
  ASSERT_TRUE(quarantine_store(harness.path(), "quarantine").ok());
  EXPECT_TRUE(check().sound());
}

}  // namespace
}  // namespace arena::engine
