// Goal: what the server says of streams is told in a table that can be read, whatever the answer is.
#include "cli/stream_text.h"

#include <gtest/gtest.h>

namespace arena::cli {
namespace {

constexpr const char* kOrders =
    R"({"name":"orders","filters":["orders/#","a"],"max_age_ms":604800000,"max_bytes":1000000000,"max_messages":0,"budget_bytes":7,)"
    R"("created":"2026-11-26T10:00:00.000Z","messages":12,"bytes":3400,"full":true})";

TEST(StreamText, ListsTheLargestFirst) {
  const std::string small = R"({"name":"s","filters":["s"],"messages":1,"bytes":94,"full":false})";
  EXPECT_EQ(streams_table("{\"items\":[" + small + "," + kOrders + "]}"),
            "STREAM  MESSAGES          BYTES  KEEPS       TOPICS\n"
            "orders        12  3.4 KB (full)  7d, 1.0 GB  orders/# a\n"
            "s              1           94 B  everything  s\n");
  EXPECT_EQ(streams_table(R"({"items":[]})"), "");
}

TEST(StreamText, ShowsOne) {
  const std::string text = stream_text(kOrders);
  for (const char* line : {"name          orders\n", "bytes         3400 (over its budget", "max age       7d\n", "max messages  none\n", "budget        7\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(StreamText, OfWhatIsNoAnswerThereIsNothingToTell) {
  for (const char* answer : {"", "[]", "{", "{\"items\":3}"}) EXPECT_EQ(streams_table(answer), "") << answer;
}

}  // namespace
}  // namespace arena::cli
