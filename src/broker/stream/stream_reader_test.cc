// Goal: who looks into a stream page by page sees all of it once, each partition in its order, and hears of what is gone.
#include "broker/stream/stream_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "broker/test_world.h"

namespace arena::broker::test {
namespace {

constexpr Guarantee k1 = Guarantee::at_least_once;

class StreamReader : public testing::TestWithParam<unsigned> {
 protected:
  Page page(PageRequest request) {
    std::optional<Result<Page>> result;
    request.stream = "orders";
    read_page(world.shard(world.cores() - 1), std::move(request), [&result](Result<Page> got) { result = std::move(got); });
    EXPECT_TRUE(world.settle([&] { return result.has_value(); }));
    EXPECT_TRUE(result->ok());
    return std::move(*result).value();
  }
  // Page after page, to the end.
  std::vector<PageItem> all(PageRequest request) {
    std::vector<PageItem> out;
    for (int pages = 0; pages < 1000; ++pages) {
      Page got = page(request);
      missing += got.missing;
      std::move(got.items.begin(), got.items.end(), std::back_inserter(out));
      if (!got.more) return out;
      request.from.kind = ReplayFrom::Kind::after;
      request.from.after = got.next;
    }
    ADD_FAILURE() << "it does not end";
    return out;
  }
  void publish(int upto) {
    Peer source(world, "source");
    ASSERT_TRUE(source.connect());
    for (int i = 0; i < upto; ++i) {
      source.publish("orders/" + std::to_string(i % 7), std::to_string(i), k1);
      world.run_ms(3);
    }
  }
  static std::vector<int> numbers(const std::vector<PageItem>& items) {
    std::vector<int> out;
    for (const PageItem& item : items) out.push_back(std::stoi(item.message->payload));
    return out;
  }
  static PageRequest of(std::size_t messages_max, std::size_t bytes_max = 1 << 20, std::string filter = {}) {
    PageRequest request;
    request.messages_max = messages_max;
    request.bytes_max = bytes_max;
    request.filter = std::move(filter);
    return request;
  }

  World world{GetParam()};
  Missing missing;
};

INSTANTIATE_TEST_SUITE_P(Cores, StreamReader, testing::Values(1U, 3U));

TEST_P(StreamReader, PagesHaveAllOfItOnceInTheOrderOfTheirTimes) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  publish(200);
  for (const PageRequest& request : {of(1), of(7), of(1000), of(1000, 1), of(50, 3000)}) {
    const std::vector<int> got = numbers(all(request));
    ASSERT_EQ(got.size(), 200u);
    for (int i = 0; i < 200; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], i);
  }
  EXPECT_EQ(missing.count, 0u);
}

TEST_P(StreamReader, APageHasNoMoreThanItMay) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  publish(50);
  EXPECT_EQ(page(of(10)).items.size(), 10u);
  EXPECT_EQ(page(of(10, 1)).items.size(), 1u);
}

TEST_P(StreamReader, AFilterChoosesTopics) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  publish(70);
  for (const std::string filter : {"orders/3", "+/3"}) {
    const std::vector<int> got = numbers(all(of(4, 1 << 20, filter)));
    ASSERT_EQ(got.size(), 10u) << filter;
    for (int i = 0; i < 10; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], 3 + 7 * i);
  }
}

TEST_P(StreamReader, BeginsWhereItIsTold) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}).ok());
  publish(20);
  world.run_ms(60'000);
  const int64_t between = world.sim().loop(0).wall_ms() - 30'000;
  publish(20);
  PageRequest request = of(100);
  request.from = {ReplayFrom::Kind::time, 0, between, {}};
  EXPECT_EQ(page(request).items.size(), 20u);
  request.from = {ReplayFrom::Kind::latest, 0, 0, {}};
  const Page end = page(request);
  EXPECT_TRUE(end.items.empty());
  EXPECT_FALSE(end.more);
  publish(3);
  request.from = {ReplayFrom::Kind::after, 0, 0, end.next};
  const std::vector<PageItem> later = page(request).items;
  EXPECT_GE(later.size(), 3u) << "what came since";
}

TEST_P(StreamReader, TellsWhatIsGone) {
  ASSERT_TRUE(world.create_stream("orders", {"orders/#"}, {0, 0, 10}).ok());
  publish(50);
  world.run_ms(2500);
  PageRequest request = of(1000);
  const Page earliest = page(request);
  EXPECT_EQ(earliest.items.size(), 10u);
  EXPECT_EQ(earliest.missing.count, 0u) << "that is where it begins";
  request.from = {ReplayFrom::Kind::offset, 0, 0, {}};
  const Page from_zero = page(request);
  EXPECT_EQ(from_zero.items.size(), 10u);
  EXPECT_EQ(from_zero.missing.count, 40u);
}

TEST_P(StreamReader, OfNoStreamThereIsNoPage) {
  std::optional<Result<Page>> result;
  PageRequest request;
  request.stream = "orders";
  read_page(world.shard(0), std::move(request), [&result](Result<Page> got) { result = std::move(got); });
  ASSERT_TRUE(world.settle([&] { return result.has_value(); }));
  EXPECT_FALSE(result->ok());
}

}  // namespace
}  // namespace arena::broker::test
