// Goal: what is written of servers is read back, and a file that is none is told.
#include "cli/contexts.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace arena::cli {
namespace {

class ContextsTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/arena-contexts-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string folder;
};

TEST_F(ContextsTest, AreReadAsTheyWereWritten) {
  const std::string path = folder + "/below/contexts.json";
  Contexts contexts = *load_contexts(path);
  EXPECT_TRUE(contexts.all.empty());
  contexts.put({"shop", "https://shop.example", "ann", folder + "/password", "ca.pem", false});
  contexts.put({"dev", "http://127.0.0.1:8080", "", "", "", true});
  contexts.put({"dev", "http://127.0.0.1:8081", "", "", "", true});
  contexts.chosen = "dev";
  ASSERT_TRUE(save_contexts(path, contexts).ok());
  const auto read = load_contexts(path);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->all.size(), 2u);
  EXPECT_EQ(read->chosen, "dev");
  EXPECT_EQ(read->all[0].url, "http://127.0.0.1:8081");
  EXPECT_TRUE(read->all[0].insecure);
  EXPECT_EQ(read->find("shop")->ca_file, "ca.pem");
  EXPECT_EQ(read->find("other"), nullptr);
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_FALSE(target_of(*read->find("shop"))) << "there is no such file";
  std::ofstream(folder + "/password") << "secret\nother";
  EXPECT_EQ(target_of(*read->find("shop"))->password, "secret");
}

TEST_F(ContextsTest, WhatIsNoSuchFileIsTold) {
  for (const char* text : {"", "[]", "{\"contexts\":{\"a\":1}}", "{\"contexts\":{\"a\":{\"url\":1}}}", "{\"contexts\":5}"}) {
    std::ofstream(folder + "/bad") << text;
    EXPECT_FALSE(load_contexts(folder + "/bad")) << text;
  }
}

}  // namespace
}  // namespace arena::cli
