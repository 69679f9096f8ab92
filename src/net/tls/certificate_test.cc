#include "net/tls/certificate.h"

#include <gtest/gtest.h>

namespace arena::net {
namespace {

constexpr int64_t kNow = 1'800'000'000;

TEST(Certificate, SaysWhatItWasMadeFor) {
  const auto authority = make_authority("an authority", kNow, 100);
  ASSERT_TRUE(authority.ok());
  const auto made = issue_certificate(*authority, {"arena.example", "10.1.2.3", "::1"}, kNow, 10);
  ASSERT_TRUE(made.ok());
  const auto facts = certificate_facts(made->certificate);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->names, (std::vector<std::string>{"arena.example", "10.1.2.3", "::1"}));
  EXPECT_NE(facts->subject.find("arena.example"), std::string::npos);
  EXPECT_LE(facts->not_before_s, kNow);
  EXPECT_EQ(facts->not_after_s, kNow + 10 * 86'400);
  EXPECT_FALSE(facts->self_signed);
  EXPECT_TRUE(certificate_facts(authority->certificate)->self_signed);
}

TEST(Certificate, OfWhatIsNoneThereIsAReason) {
  EXPECT_FALSE(certificate_facts("nothing").ok());
  EXPECT_FALSE(issue_certificate({"a", "b"}, {"c"}, kNow, 1).ok());
}

}  // namespace
}  // namespace arena::net
