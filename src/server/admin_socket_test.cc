// Goal: commands of the same user reach a running server through its store's folder, and nobody else does.
#include "server/admin_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>

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

TEST_F(AdminSocketTest, HandsOnARequestAndBringsItsAnswer) {
  auto socket = AdminSocket::open(folder_);
  ASSERT_TRUE(socket.ok()) << socket.error().reason;
  auto asked = std::async(std::launch::async, [&] { return ask_server(folder_, {"POST", "/v1/a\n", "q=1", "{\"b\": [1, \"\\n\"]}"}); });
  while (asked.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    socket->serve([](const ApiRequest& request, ApiDone done) {
      EXPECT_EQ(request.method + request.path + request.query + request.body, "POST/v1/a\nq=1{\"b\":[1,\"\\n\"]}");
      done({201, "{\"c\":\"\\n\"}"});
    });
  }
  const auto answer = asked.get();
  ASSERT_TRUE(answer.ok()) << answer.error().reason;
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "{\"c\":\"\\n\"}");
}

TEST_F(AdminSocketTest, RefusesWhatIsNoRequest) {
  auto socket = AdminSocket::open(folder_);
  ASSERT_TRUE(socket.ok()) << socket.error().reason;
  const auto status_of = [&](const ApiRequest& request) {
    auto asked = std::async(std::launch::async, [&] { return ask_server(folder_, request); });
    while (asked.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      socket->serve([](const ApiRequest&, ApiDone done) { done({200, "{}"}); });
    }
    const auto answer = asked.get();
    return answer.ok() ? answer->status : 0;
  };
  EXPECT_EQ(status_of({"GET", "/", "", "{\"a\": \"[[[[[[[[[[[[[[[[[[[[\\\"\"}"}), 200);
  EXPECT_EQ(status_of({"GET", "/", "", "[]"}), 400);
  EXPECT_EQ(status_of({"GET", "/", "", "{\"a\": [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}"}), 400);
}

TEST_F(AdminSocketTest, OneAnswerThatDoesNotComeHoldsNobodyUp) {
  auto socket = AdminSocket::open(folder_);
  ASSERT_TRUE(socket.ok()) << socket.error().reason;
  std::optional<ApiDone> slow;
  const auto serve = [&] {
    socket->serve([&](const ApiRequest& request, ApiDone done) {
      if (request.path == "/slow") return void(slow = std::move(done));
      done({200, "{}"});
    });
  };
  auto waits = std::async(std::launch::async, [&] { return ask_server(folder_, {"GET", "/slow", "", ""}); });
  while (!slow) serve();
  auto quick = std::async(std::launch::async, [&] { return ask_server(folder_, {"GET", "/quick", "", ""}); });
  while (quick.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) serve();
  EXPECT_TRUE(quick.get().ok());
  std::thread([&] { (*slow)({200, "{\"late\":1}"}); }).join();
  serve();
  const auto answer = waits.get();
  ASSERT_TRUE(answer.ok()) << answer.error().reason;
  EXPECT_EQ(answer->body, "{\"late\":1}");
}

TEST_F(AdminSocketTest, AnAnswerThatDoesNotComeIsSaidSo) {
  auto socket = AdminSocket::open(folder_, 10);
  ASSERT_TRUE(socket.ok()) << socket.error().reason;
  std::optional<ApiDone> slow;
  auto asked = std::async(std::launch::async, [&] { return ask_server(folder_, {"GET", "/", "", ""}); });
  while (asked.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    socket->serve([&](const ApiRequest&, ApiDone done) { slow = std::move(done); });
  }
  const auto answer = asked.get();
  ASSERT_TRUE(answer.ok()) << answer.error().reason;
  EXPECT_EQ(answer->status, 504);
  (*slow)({200, "{}"});  // nobody waits any more
}

TEST_F(AdminSocketTest, WhatIsDroppedIsAnsweredToo) {
  auto socket = AdminSocket::open(folder_);
  ASSERT_TRUE(socket.ok()) << socket.error().reason;
  auto asked = std::async(std::launch::async, [&] { return ask_server(folder_, {"GET", "/", "", ""}); });
  while (asked.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    socket->serve([](const ApiRequest&, const ApiDone&) {});
  }
  const auto answer = asked.get();
  ASSERT_TRUE(answer.ok()) << answer.error().reason;
  EXPECT_EQ(answer->status, 503);
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
  const auto answer = ask_server(folder_, {"GET", "/", "", ""});
  ASSERT_FALSE(answer.ok());
  EXPECT_FALSE(answer.error().reached);
}

TEST_F(AdminSocketTest, ReplacesWhatAKilledProcessLeft) {
  auto left = AdminSocket::open(folder_);
  auto again = AdminSocket::open(folder_);
  EXPECT_TRUE(again.ok());
}

}  // namespace
}  // namespace arena::server
