// Goal: who once trusted the authority of `arena dev --tls` goes on to, and no key can be read by others.
#include "cli/dev_tls.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "net/tls/context.h"

namespace arena::cli {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kNow = 1'800'000'000;
constexpr int64_t kDayS = 86'400;

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct DevTls : testing::Test {
  DevTls() {
    std::string name = (fs::temp_directory_path() / "arena-dev-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~DevTls() override { fs::remove_all(folder); }
  std::string folder;
};

TEST_F(DevTls, KeepsWhatItHasAndRenewsWhatIsTooOld) {
  const std::string inner = folder + "/a/b";
  const auto first = dev_certificates(inner, kNow);
  ASSERT_TRUE(first.ok());
  const std::string authority = read(first->ca_file), server = read(first->certificate_file);
  ASSERT_TRUE(dev_certificates(inner, kNow + 300 * kDayS).ok());
  EXPECT_EQ(read(first->certificate_file), server);
  ASSERT_TRUE(dev_certificates(inner, kNow + 340 * kDayS).ok());
  EXPECT_NE(read(first->certificate_file), server);
  EXPECT_EQ(read(first->ca_file), authority);
  ASSERT_TRUE(dev_certificates(inner, kNow + 3640 * kDayS).ok());
  EXPECT_NE(read(first->ca_file), authority);
  net::TlsServerOptions options;
  options.identities = {{first->certificate_file, first->key_file}};
  EXPECT_TRUE(net::TlsServerContext::load(options).ok());
}

TEST_F(DevTls, KeysAreTheOwnersAlone) {
  const auto made = dev_certificates(folder, kNow);
  ASSERT_TRUE(made.ok());
  for (const std::string& key : {made->key_file, folder + "/ca.key"}) {
    EXPECT_EQ(fs::status(key).permissions(), fs::perms::owner_read | fs::perms::owner_write) << key;
  }
}

TEST_F(DevTls, SaysWhereItCannotWrite) {
  std::ofstream(folder + "/file") << "x";
  const auto made = dev_certificates(folder + "/file/tls", kNow);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().reason.find(folder + "/file/tls"), std::string::npos);
}

}  // namespace
}  // namespace arena::cli
