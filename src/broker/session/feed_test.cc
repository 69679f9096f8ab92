// In what order a reader reads its logs.
#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

// The owner of a topic may write a stream that this core has not been told of: what lies in front of it in $inbox is read first.
TEST(BrokerFeed, ReadsNothingOfAStreamThatIsNotKnownYetWhileItIsBehindInTheInbox) {
  World world;
  Shard& shard = world.shard(0);
  auto filters = std::make_unique<FilterList>();
  filters->filters = {"#"};
  const Filters all(filters.release());
  const LogName inbox{0, LogId::inbox}, coming{0, LogId{7}};
  Feed feed;
  feed.join(inbox, 4, false);
  feed.start();
  feed.join_new(coming);
  feed.read_more(shard, 1, all);
  EXPECT_TRUE(feed.find(inbox)->reading);
  EXPECT_FALSE(feed.find(coming)->reading);
  feed.find(coming)->seam = Cursor::Seam::live;
  EXPECT_FALSE(feed.admits(shard, coming, 0)) << "it would overtake";
  feed.find(inbox)->seam = Cursor::Seam::live;
  feed.read_more(shard, 1, all);
  EXPECT_TRUE(feed.find(coming)->reading);
  world.run_ms(10);
}

}  // namespace
}  // namespace arena::broker::test
