// Goal: what others chose to send cannot act on the terminal of whoever looks at it.
#include "base/printable.h"

#include <gtest/gtest.h>

namespace arena {
namespace {

TEST(Printable, EscapesWhatATerminalActsOn) {
  EXPECT_EQ(printable("plain \u00e9\u20ac"), "plain \u00e9\u20ac");
  EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(printable("\x1b]0;owned\x07\x7f"), "\\u001b]0;owned\\u0007\\u007f");
  EXPECT_EQ(printable("\u009b2J\u2028"), "\\u009b2J\\u2028");
  EXPECT_EQ(printable("\xff\xc2"), "\uFFFD\uFFFD");
  EXPECT_EQ(printable("say \"\\\""), "say \"\\\"") << "quotes only where asked for";
  std::string quoted;
  append_printable(quoted, "say \"x\"", "\"");
  EXPECT_EQ(quoted, "say \\\"x\\\"");
}

}  // namespace
}  // namespace arena
