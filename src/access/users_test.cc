// Goal: passwords verify only when right, a users file that cannot be read to its last line is refused whole, and
// edits keep what they do not concern.
#include "access/users.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "access/password.h"

namespace arena::access {
namespace {

using namespace std::string_view_literals;

// The least that the algorithm takes: tests are about meaning, not about cost.
constexpr PasswordCost kCheap{.passes = 1, .memory_bytes = 8192};

std::string cheap_hash(std::string_view password) {
  auto hash = hash_password(password, kCheap);
  EXPECT_TRUE(hash);
  return *hash;
}

struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "arena-users-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

std::string content_of(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

TEST(Password, VerifiesOnlyTheRightOne) {
  const std::string hash = cheap_hash("right");
  EXPECT_TRUE(is_password_hash(hash));
  EXPECT_TRUE(verify_password("right", hash));
  EXPECT_FALSE(verify_password("wrong", hash));
  EXPECT_FALSE(verify_password("", hash));
  EXPECT_FALSE(verify_password("right\0"sv, hash));
  EXPECT_NE(hash, cheap_hash("right")) << "salts must differ";
}

TEST(Password, RefusesEmptyAndHuge) {
  EXPECT_FALSE(hash_password("", kCheap));
  EXPECT_FALSE(hash_password(std::string(kPasswordBytesMax + 1, 'x'), kCheap));
}

TEST(Password, MalformedHashesVerifyNothing) {
  for (const std::string bad : {"", "right", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$AAAA"}) {
    EXPECT_FALSE(is_password_hash(bad)) << bad;
    EXPECT_FALSE(verify_password("right", bad)) << bad;
  }
  EXPECT_FALSE(is_password_hash(std::string(500, '$')));
}

TEST(Password, TheUnsatisfiableHashIsWellFormed) {
  EXPECT_TRUE(is_password_hash(unsatisfiable_hash()));
  EXPECT_FALSE(verify_password("", unsatisfiable_hash()));
}

TEST(Users, ChecksNames) {
  for (const auto good : {"ann"sv, "a b"sv, "é"sv, "$x"sv, "a@b.c"sv}) EXPECT_FALSE(check_user_name(good)) << good;
  for (const auto bad : {""sv, "a:b"sv, "a+"sv, "#"sv, "a/b"sv, "a\nb"sv, "a\0"sv, "\xff"sv, "a\x7f"sv, "\xc2\x85"sv, " a"sv}) {
    EXPECT_TRUE(check_user_name(bad)) << bad;
  }
  EXPECT_FALSE(check_user_name(std::string(128, 'a')));
  EXPECT_TRUE(check_user_name(std::string(129, 'a')));
}

TEST(Users, ParsesNamesCommentsAndBlankLines) {
  const std::string hash = cheap_hash("p");
  const auto table = UserTable::parse("# who\n\nann:" + hash + "\nbob:" + hash, "users");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->names(), (std::vector<std::string>{"ann", "bob"}));
  ASSERT_NE(table->hash_of("bob"), nullptr);
  EXPECT_EQ(*table->hash_of("bob"), hash);
  EXPECT_EQ(table->hash_of("cy"), nullptr);
  EXPECT_EQ(table->hash_like("cy"), hash);
}

// THREATS.md §2: a malformed password line must not become a valid user, a broken file must not open the door.
TEST(Users, OneBadLineRefusesTheFile) {
  const std::string hash = cheap_hash("p");
  const std::string good = "ann:" + hash + "\n";
  for (const std::string& bad : {std::string("bob"), std::string("bob:"), std::string("bob:secret"), ":" + hash,
                                "b/b:" + hash, "bob:" + hash + "\r", "ann:" + hash, "bob:" + hash.substr(0, 40)}) {
    const auto table = UserTable::parse(good + bad + "\n", "users");
    ASSERT_FALSE(table) << bad;
    EXPECT_TRUE(table.error().reason.starts_with("users:2: ")) << table.error().reason;
    EXPECT_EQ(table.error().reason.find("secret"), std::string::npos);
  }
}

// Who keeps the file elsewhere and links to it keeps the link.
TEST(Users, AChangeFollowsASymbolicLink) {
  const Folder folder, elsewhere;
  const std::string link = folder.path + "/users", file = elsewhere.path + "/users";
  ASSERT_TRUE(UsersFile(file).apply(UsersFile::Change::add, "ann", cheap_hash("p")));
  std::filesystem::create_symlink(file, link);
  ASSERT_TRUE(UsersFile(link).apply(UsersFile::Change::add, "bob", cheap_hash("p")));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(UserTable::load(file)->names(), (std::vector<std::string>{"ann", "bob"}));
}

// mosquitto CVE-2017-7652: reloading without a free file descriptor fell back to no security at all.
TEST(Users, AFileThatCannotBeOpenedIsAnError) {
  const Folder folder;
  std::ofstream(folder.path + "/users") << "ann:" << cheap_hash("p") << '\n';
  ASSERT_TRUE(UserTable::load(folder.path + "/users"));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto table = UserTable::load(folder.path + "/users");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(table);
  EXPECT_NE(table.error().reason.find("cannot open the users file"), std::string::npos) << table.error().reason;
}

TEST(Users, AMissingFileIsAnError) {
  const Folder folder;
  EXPECT_FALSE(UserTable::load(folder.path + "/none"));
  EXPECT_FALSE(UserTable::load(folder.path));
}

TEST(Users, EditsKeepTheRestAndTheMode) {
  const Folder folder;
  const std::string path = folder.path + "/users";
  UsersFile file(path);
  const std::string hash = cheap_hash("p");
  using Change = UsersFile::Change;
  EXPECT_FALSE(file.apply(Change::remove, "ann", ""));
  ASSERT_TRUE(file.apply(Change::add, "ann", hash));
  std::ofstream(path, std::ios::app) << "# ann2:comment\nbob:" << hash;  // no newline at the end
  ASSERT_TRUE(file.apply(Change::add, "cy", hash));
  EXPECT_FALSE(file.apply(Change::add, "cy", hash));
  EXPECT_FALSE(file.apply(Change::replace, "nobody", hash));
  EXPECT_FALSE(file.apply(Change::add, "a/b", hash));
  const std::string other = cheap_hash("q");
  ASSERT_TRUE(file.apply(Change::replace, "ann", other));
  ASSERT_TRUE(file.apply(Change::remove, "bob", ""));
  EXPECT_EQ(content_of(path), "# ann2:comment\ncy:" + hash + "\nann:" + other + "\n");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(Users, ABrokenFileIsNotEdited) {
  const Folder folder;
  const std::string path = folder.path + "/users";
  std::ofstream(path) << "broken\n";
  EXPECT_FALSE(UsersFile(path).apply(UsersFile::Change::add, "ann", cheap_hash("p")));
  EXPECT_EQ(content_of(path), "broken\n");
}

}  // namespace
}  // namespace arena::access
