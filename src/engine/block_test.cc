// Goal: what is written is read back unchanged, and no damage to stored bytes goes unnoticed or crashes the reader.
#include "engine/block.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "base/wire.h"
#include "engine/varint.h"

namespace arena::engine {
namespace {

MessageRef plain(std::string topic, std::string payload) {
  auto* made = new Message;
  made->topic = std::move(topic);
  made->payload = std::move(payload);
  return MessageRef(made);
}

MessageRef rich() {
  auto* made = new Message;
  made->id = {0x0102030405060708, 0xf1f2f3f4f5f6f7f8};
  made->topic = "a/b/c";
  made->payload = std::string("\0payload\xff", 9);
  made->principal = "ann";
  made->publisher = 0x8000000000000001;
  made->published_ms = 1'700'000'000'123;
  made->expires_ms = 1'700'000'060'123;
  made->guarantee = Guarantee::exactly_once;
  made->retain = true;
  auto extras = std::make_unique<Extras>();
  extras->content_type = "text/plain";
  extras->has_content_type = true;
  extras->response_topic = "answers/1";
  extras->has_correlation = true;  // there, but empty
  extras->has_payload_kind = true;
  extras->payload_is_text = true;
  extras->headers = {{"b", "2"}, {"a", "1"}, {"", ""}, {"b", std::string(300, 'x')}};
  made->extras = std::move(extras);
  return MessageRef(made);
}

void expect_same(const Message& a, const Message& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.topic, b.topic);
  EXPECT_EQ(a.payload, b.payload);
  EXPECT_EQ(a.principal, b.principal);
  EXPECT_EQ(a.publisher, b.publisher);
  EXPECT_EQ(a.published_ms, b.published_ms);
  EXPECT_EQ(a.expires_ms, b.expires_ms);
  EXPECT_EQ(a.guarantee, b.guarantee);
  EXPECT_EQ(a.retain, b.retain);
  ASSERT_EQ(a.extras == nullptr, b.extras == nullptr);
  if (!a.extras) return;
  EXPECT_EQ(a.extras->content_type, b.extras->content_type);
  EXPECT_EQ(a.extras->has_content_type, b.extras->has_content_type);
  EXPECT_EQ(a.extras->response_topic, b.extras->response_topic);
  EXPECT_EQ(a.extras->correlation, b.extras->correlation);
  EXPECT_EQ(a.extras->has_correlation, b.extras->has_correlation);
  EXPECT_EQ(a.extras->payload_is_text, b.extras->payload_is_text);
  EXPECT_EQ(a.extras->has_payload_kind, b.extras->has_payload_kind);
  EXPECT_EQ(a.extras->headers, b.extras->headers);
}

// True if the whole block can be read and every record decoded.
bool readable(std::string_view block) {
  Result<BlockReader> reader = BlockReader::open(block);
  if (!reader.ok()) return false;
  while (reader->next()) {
    if (!reader->decode().ok()) return false;
  }
  return reader->status().ok();
}

TEST(Block, RoundTrip) {
  const std::vector<MessageRef> records = {plain("t", ""), rich(), plain("t/2", std::string(200'000, 'p'))};
  const std::string block = encode_block(41, records, 0xdeadbeef);
  Result<BlockReader> reader = BlockReader::open(block);
  ASSERT_TRUE(reader.ok()) << reader.error().reason;
  EXPECT_EQ(reader->header().base_offset, 41u);
  EXPECT_EQ(reader->header().end_offset, 44u);
  EXPECT_EQ(reader->header().count, 3u);
  EXPECT_EQ(reader->header().previous_checksum, 0xdeadbeefu);
  for (std::size_t i = 0; i < records.size(); ++i) {
    ASSERT_TRUE(reader->next());
    EXPECT_EQ(reader->offset(), 41 + i);
    EXPECT_EQ(reader->topic(), records[i]->topic);
    const Result<MessageRef> decoded = reader->decode();
    ASSERT_TRUE(decoded.ok()) << decoded.error().reason;
    expect_same(**decoded, *records[i]);
  }
  EXPECT_FALSE(reader->next());
  EXPECT_TRUE(reader->status().ok());
  EXPECT_EQ(read_block_header(block)->checksum, reader->header().checksum);
}

TEST(Block, KeepsHoles) {
  const std::vector<MessageRef> records = {plain("a", "1"), rich(), plain("c", "3")};
  BlockWriter sparse(10);
  sparse.add(11, *records[0]);
  sparse.add(13, *records[1]);
  sparse.add(1'000'000, *records[2]);
  const std::size_t bytes = sparse.bytes();
  const std::string block = sparse.finish(7);
  EXPECT_EQ(block.size(), bytes);
  Result<BlockReader> reader = BlockReader::open(block);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->header().count, 3u);
  EXPECT_EQ(reader->header().end_offset, 1'000'001u);
  std::vector<uint64_t> offsets;
  while (reader->next()) offsets.push_back(reader->offset());
  EXPECT_TRUE(reader->status().ok());
  EXPECT_EQ(offsets, (std::vector<uint64_t>{11, 13, 1'000'000}));
}

// Each field of a head as the record before had it, and changed from there, to its default, too.
TEST(Block, RecordsSayOnlyWhatIsNew) {
  std::vector<MessageRef> records;
  const auto add = [&](auto change) {
    auto* next = new Message;
    if (!records.empty()) {
      const Message& last = *records.back();
      next->topic = last.topic;
      next->principal = last.principal;
      next->id = last.id;
      next->publisher = last.publisher;
      next->published_ms = last.published_ms;
      next->guarantee = last.guarantee;
      next->retain = last.retain;
    }
    next->payload = std::string(64, 'p');
    change(*next);
    records.push_back(MessageRef(next));
  };
  add([](Message& m) { m.topic = "sensors/1/temperature"; m.principal = "ann"; m.id = {7, 10}; m.publisher = 9; m.published_ms = 1'700'000'000'000; m.guarantee = Guarantee::at_least_once; m.retain = true; });
  const std::size_t first = encode_block(0, records, 0).size();
  add([](Message& m) { ++m.id.low; });
  EXPECT_LE(encode_block(0, records, 0).size() - first, 64u + 2 + 2 + 3) << "the payload, two lengths, the step of the id";
  add([](Message&) {});
  add([](Message& m) { m.id.low -= 5; });
  add([](Message& m) { ++m.id.high; });
  add([](Message& m) { m.id.low = UINT64_MAX; });
  add([](Message& m) { m.id = {}; });
  add([](Message& m) { m.topic = "t"; });
  add([](Message& m) { m.principal = ""; });
  add([](Message& m) { m.publisher = 0; });
  add([](Message& m) { m.published_ms = 0; });
  add([](Message& m) { m.guarantee = Guarantee::at_most_once; });
  add([](Message& m) { m.retain = false; });
  records.push_back(rich());
  add([](Message& m) { m.payload = ""; });  // what is not of the head is not handed on
  const std::string block = encode_block(0, records, 0);
  Result<BlockReader> reader = BlockReader::open(block);
  ASSERT_TRUE(reader.ok());
  for (const MessageRef& record : records) {
    ASSERT_TRUE(reader->next());
    EXPECT_EQ(reader->topic(), record->topic);
    const Result<MessageRef> decoded = reader->decode();
    ASSERT_TRUE(decoded.ok()) << decoded.error().reason;
    expect_same(**decoded, *record);
  }
  EXPECT_FALSE(reader->next());
  EXPECT_TRUE(reader->status().ok());
}

// As the first version wrote them: each record for itself.
TEST(Block, ReadsTheFirstVersion) {
  std::string body;
  for (int i = 0; i < 2; ++i) {
    std::string fields;
    append_fields(fields, i == 0 ? *rich() : *plain("t", "x"));
    put_varint(body, 0);
    put_varint(body, fields.size());
    body += fields;
  }
  std::string block = seal_block(BlockHeader{3, 5, 2, 0, 0}, body);
  block[2] = 1;
  block.resize(32);
  put_be(block, checksum32(block));
  block += body;
  Result<BlockReader> reader = BlockReader::open(block);
  ASSERT_TRUE(reader.ok()) << reader.error().reason;
  ASSERT_TRUE(reader->next());
  expect_same(**reader->decode(), *rich());
  ASSERT_TRUE(reader->next());
  expect_same(**reader->decode(), *plain("t", "x"));
  EXPECT_FALSE(reader->next());
  block[2] = 3;
  block.replace(32, 4, "");
  std::string next(block, 0, 32);
  put_be(next, checksum32(next));
  next += body;
  const auto refused = BlockReader::open(next);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().reason.find("version 3"), std::string::npos) << refused.error().reason;
}

TEST(Block, EveryFlippedBitIsNoticed) {
  std::string block = encode_block(5, std::vector<MessageRef>{plain("t", "x"), rich()}, 9);
  ASSERT_TRUE(readable(block));
  for (std::size_t at = 0; at < block.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      block[at] = static_cast<char>(block[at] ^ (1 << bit));
      EXPECT_FALSE(BlockReader::open(block).ok()) << at << ' ' << bit;
      block[at] = static_cast<char>(block[at] ^ (1 << bit));
    }
  }
}

TEST(Block, EveryTruncationAndExtensionIsNoticed) {
  const std::string block = encode_block(5, std::vector<MessageRef>{plain("t", "x"), rich()}, 9);
  for (std::size_t size = 0; size < block.size(); ++size) {
    EXPECT_FALSE(BlockReader::open(std::string_view(block).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(BlockReader::open(block + '\0').ok());
}

// Checksums that fit, contents that do not: what a bug in a writer, or an attacker, could store.
TEST(Block, MalformedBodiesAreErrors) {
  const auto sealed = [](uint64_t base, uint64_t end, uint32_t count, std::string_view body) {
    return seal_block(BlockHeader{base, end, count, 0, 0}, body);
  };
  std::string record;
  put_varint(record, 0);
  std::string fields;
  append_fields(fields, *rich());
  put_varint(record, fields.size());
  record += fields;
  ASSERT_TRUE(readable(sealed(3, 4, 1, record)));
  EXPECT_FALSE(readable(sealed(3, 4, 0, record)));           // more records than said
  EXPECT_FALSE(readable(sealed(3, 5, 2, record)));           // fewer
  EXPECT_FALSE(readable(sealed(3, 5, 1, record)));           // another end
  EXPECT_FALSE(readable(sealed(3, 4, 2, record + record)));  // count beyond the span
  EXPECT_FALSE(readable(sealed(UINT64_MAX, 3, 1, record)));  // span past the last offset
  EXPECT_FALSE(readable(sealed(3, 4, 1, std::string(11, '\xff'))));
  for (std::size_t size = 1; size < record.size(); ++size) {
    EXPECT_FALSE(readable(sealed(3, 4, 1, std::string_view(record).substr(0, size)))) << size;
  }
}

Result<MessageRef> decode_alone(std::string_view fields) {
  RecordHead head;
  if (Status known = head.advance(fields); !known) return fail(known.error());
  return decode_fields(head, fields);
}

TEST(Record, UnknownFieldsAreSkippedAndKnownOnesChecked) {
  std::string fields;
  put_varint(fields, 99'999);
  put_varint(fields, 3);
  fields += "new";
  append_fields(fields, *rich());
  const Result<MessageRef> decoded = decode_alone(fields);
  ASSERT_TRUE(decoded.ok());
  expect_same(**decoded, *rich());

  EXPECT_FALSE(decode_alone("").ok());                                       // no topic
  EXPECT_TRUE(decode_alone("\1\1t").ok());                                   // topic alone
  EXPECT_FALSE(decode_alone("\1\1t\3\2xx").ok());                            // short id
  EXPECT_FALSE(decode_alone("\1\1t\10\1\3").ok());                           // no such guarantee
  EXPECT_FALSE(decode_alone("\1\1t\11\1\2").ok());                           // retain is 0 or 1
  EXPECT_FALSE(decode_alone("\1\1t\6\11\1\1\1\1\1\1\1\1\1").ok());           // number of nine bytes
  EXPECT_FALSE(decode_alone("\1\1t\16\1\5").ok());                           // header name past its field
  std::string past_the_last("\1\1t\3\20", 5);
  past_the_last += std::string(16, '\xff') + "\22\1\1";
  EXPECT_FALSE(decode_alone(past_the_last).ok());                            // a step past the last id
}

TEST(Record, MessageByItself) {
  for (const MessageRef& message : {rich(), plain("t", "")}) {
    std::string bytes = encode_message(*message);
    const Result<MessageRef> decoded = decode_message(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.error().reason;
    expect_same(**decoded, *message);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      EXPECT_FALSE(decode_message(std::string_view(bytes).substr(0, at)).ok()) << at;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
      EXPECT_FALSE(decode_message(bytes).ok()) << at;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    }
    EXPECT_FALSE(decode_message(bytes + "x").ok());
  }
}

TEST(Varint, RoundTripAndLimits) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 35, UINT64_MAX}) {
    std::string bytes;
    put_varint(bytes, value);
    EXPECT_EQ(bytes.size(), varint_size(value));
    uint64_t read = 1;
    VarintReader reader(bytes);
    EXPECT_TRUE(reader.varint(read));
    EXPECT_EQ(read, value);
    EXPECT_TRUE(reader.empty());
  }
  uint64_t read = 0;
  EXPECT_FALSE(VarintReader("\x80").varint(read));
  EXPECT_FALSE(VarintReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02").varint(read));
}

}  // namespace
}  // namespace arena::engine
