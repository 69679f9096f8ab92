// Goal: commands of the same user reach a running server through its store's folder, and nobody else does.
#include "server/admin_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <string>

namespace arena::server {
namespace {

class AdminSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string made = (std::filesystem::temp_directory_path() / "arena-admin-XXXXXX").string();
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    // Longer than a socket's path may be.
    folder_ = made + "/" + std::string(150, 'x');
    root_ = made;
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string root_;
  std::string folder_;
};

TEST_F(AdminSocketTest, AnswersALineWithALine) {
  auto socket = AdminSocket::open(folder_);
  ASSERT_TRUE(socket.ok()) << socket.error().reason;
  auto asked = std::async(std::launch::async, [&] { return ask_server(folder_, "hello"); });
  while (asked.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    socket->serve([](const std::string& request) { return "ok " + request + "\nno second line"; });
  }
  const auto answer = asked.get();
  ASSERT_TRUE(answer.ok()) << answer.error().reason;
  EXPECT_EQ(*answer, "ok hello no second line");
}

TEST_F(AdminSocketTest, IsItsOwnersAloneAndGoesWithTheProcess) {
  {
    auto socket = AdminSocket::open(folder_);
    ASSERT_TRUE(socket.ok());
    struct stat info {};
    ASSERT_EQ(::stat((folder_ + "/admin.sock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/admin.sock"));
  EXPECT_FALSE(ask_server(folder_, "hello").ok());
}

TEST_F(AdminSocketTest, ReplacesWhatAKilledProcessLeft) {
  auto left = AdminSocket::open(folder_);
  auto again = AdminSocket::open(folder_);
  EXPECT_TRUE(again.ok());
}

}  // namespace
}  // namespace arena::server
