// Goal: over loopback, bytes arrive whole and in order whatever the sizes; closing, half-closing, resets, pauses,
// moves to another core and handlers that destroy their stream all end as stream.h says.
#include "net/tcp.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "runtime/clock.h"
#include "runtime/runtime.h"

namespace arena::net {
namespace {

using runtime::EpollLoop;
using runtime::Runtime;

// A client that knows nothing of the code under test. Its calls give up after five seconds.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval five_seconds{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &five_seconds, sizeof five_seconds);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &five_seconds, sizeof five_seconds);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void send(std::string_view bytes) { [[maybe_unused]] const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // What is there now; nullopt when there is nothing, "" at the end of the stream or a reset.
  std::optional<std::string> poll() {
    char buffer[65536];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return std::nullopt;
    return std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  }
  void end_output() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

 private:
  int fd_;
  bool connected_ = false;
};

struct Recorder : StreamHandler {
  void on_data(std::string_view bytes) override {
    received += bytes;
    if (data) data(bytes);
  }
  void on_writable() override { ++writable; }
  void on_closed(CloseReason reason) override {
    closed = reason;
    ++closed_count;
    if (then) then();
  }
  std::string received;
  int writable = 0;
  int closed_count = 0;
  std::optional<CloseReason> closed;
  std::function<void(std::string_view)> data;
  std::function<void()> then;
};

class TcpTest : public testing::Test {
 protected:
  TcpTest() : runtime_(1, 1), loop_(runtime_.loop(0)) {}

  // Shows clients that have said nothing yet at once.
  void listen(ListenOptions options = {}) {
    options.first_bytes_wait_s = 0;
    auto made = TcpListener::listen(loop_, options, [this](std::unique_ptr<Stream> s) {
      ++accepted_;
      stream_ = std::move(s);
      stream_->set_handler(&server_);
    });
    ASSERT_TRUE(made.ok()) << made.error().reason;
    listener_ = std::move(made).value();
  }
  bool run_until(const std::function<bool()>& done, int64_t timeout_ms = 5000) {
    const int64_t end_ns = runtime::monotonic_ns() + timeout_ms * 1'000'000;
    while (!done()) {
      if (runtime::monotonic_ns() > end_ns) return false;
      loop_.turn(5);
    }
    return true;
  }
  // One accepted connection.
  void connect() {
    client_ = std::make_unique<RawClient>(listener_->local_port());
    ASSERT_TRUE(client_->connected());
    ASSERT_TRUE(run_until([this] { return stream_ != nullptr; }));
  }
  // All that the client can read until the stream ends, while the loop turns.
  std::string read_to_end() {
    std::string all;
    bool ended = false;
    EXPECT_TRUE(run_until([&] {
      while (const auto got = client_->poll()) {
        if (got->empty()) return ended = true;
        all += *got;
      }
      return false;
    }));
    EXPECT_TRUE(ended);
    return all;
  }
  bool client_gets(std::string_view wanted) {
    std::string all;
    return run_until([&] {
      while (const auto got = client_->poll()) {
        if (got->empty()) return false;
        all += *got;
      }
      return all == wanted;
    });
  }

  Runtime runtime_;
  EpollLoop& loop_;
  Recorder server_;
  int accepted_ = 0;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<RawClient> client_;
  std::unique_ptr<TcpListener> listener_;
};

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
  return out;
}

TEST_F(TcpTest, WhatCameBeforeTheAcceptIsHandedOverAndAnsweredAtOnce) {
  listen();
  server_.data = [&](std::string_view) { stream_->write("answer"); };
  client_ = std::make_unique<RawClient>(listener_->local_port());
  ASSERT_TRUE(client_->connected());
  client_->send("question");
  ASSERT_TRUE(client_gets("answer"));
  EXPECT_EQ(server_.received, "question");
  client_->send(", and more");  // it is watched from then on
  EXPECT_TRUE(run_until([&] { return server_.received == "question, and more"; }));
}

TEST_F(TcpTest, MovesOnWhatCameBeforeTheAccept) {
  listen();
  std::unique_ptr<Stream> moved;
  Recorder there;
  server_.data = [&](std::string_view) {
    moved = TcpStreamFactory(loop_).attach(stream_->detach());
    moved->set_handler(&there);
    moved->write("moved");
  };
  client_ = std::make_unique<RawClient>(listener_->local_port());
  ASSERT_TRUE(client_->connected());
  client_->send("hello");
  ASSERT_TRUE(client_gets("moved"));
  client_->send("again");
  EXPECT_TRUE(run_until([&] { return there.received == "again"; }));
  EXPECT_EQ(server_.received, "hello");
}

TEST_F(TcpTest, AClientThatIsGoneBeforeTheAcceptIsTold) {
  listen();
  client_ = std::make_unique<RawClient>(listener_->local_port());
  ASSERT_TRUE(client_->connected());
  client_->send("bye");
  client_->close();
  ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
  EXPECT_EQ(server_.received, "bye");
  EXPECT_EQ(*server_.closed, CloseReason::peer_closed);
}

TEST_F(TcpTest, ASilentClientIsShownAfterAWhileAndASpeakingOneBeforeIt) {
  std::vector<std::unique_ptr<Stream>> streams;
  auto made = TcpListener::listen(loop_, {}, [&](std::unique_ptr<Stream> s) {
    streams.push_back(std::move(s));
    streams.back()->set_handler(&server_);
  });
  ASSERT_TRUE(made.ok());
  listener_ = std::move(made).value();
  RawClient silent(listener_->local_port());
  ASSERT_TRUE(silent.connected());
  RawClient speaking(listener_->local_port());
  ASSERT_TRUE(speaking.connected());
  speaking.send("hello");
  ASSERT_TRUE(run_until([&] { return server_.received == "hello"; }));
  EXPECT_EQ(streams.size(), 1u);
  ASSERT_TRUE(run_until([&] { return streams.size() == 2; }, 10'000));
  silent.send(" at last");
  EXPECT_TRUE(run_until([&] { return server_.received == "hello at last"; }));
}

TEST_F(TcpTest, BytesGoBothWays) {
  listen();
  connect();
  EXPECT_EQ(stream_->peer().ip(), "127.0.0.1");
  EXPECT_TRUE(stream_->peer().loopback());
  client_->send("hello");
  ASSERT_TRUE(run_until([&] { return server_.received == "hello"; }));
  stream_->write("wor");
  stream_->write("ld");
  EXPECT_EQ(stream_->output_bytes(), 5u) << "nothing leaves before the end of the turn";
  EXPECT_TRUE(client_gets("world"));
  EXPECT_EQ(stream_->output_room(), std::string().capacity()) << "an idle stream holds no buffer";
}

SharedBytesRef shared(std::string text) {
  auto bytes = std::make_unique<SharedBytes>();
  bytes->text = std::move(text);
  return SharedBytesRef(bytes.release());
}

TEST_F(TcpTest, SharedBytesKeepTheirPlaceAmongWrites) {
  listen();
  connect();
  const std::string large(TcpStream::kShareBytesMin, 'L');
  stream_->write("a");
  stream_->write_shared(shared("small"));
  stream_->write_shared(shared(large));
  stream_->write_shared(shared(large));
  stream_->write("z");
  EXPECT_EQ(stream_->output_bytes(), 7 + 2 * large.size());
  EXPECT_TRUE(client_gets("asmall" + large + large + "z"));
  EXPECT_EQ(stream_->output_bytes(), 0u);
}

// More pieces than one system call takes, and more bytes than the system takes at once.
TEST_F(TcpTest, MuchSharedOutputWaitsForTheClientAndComesWhole) {
  ListenOptions options;
  options.stream.output_high_bytes = 100'000;
  options.stream.output_low_bytes = 10'000;
  listen(options);
  connect();
  const std::string block = pattern(70'001);
  std::string much;
  const SharedBytesRef bytes = shared(block);
  for (int i = 0; i < 200; ++i) {
    stream_->write_shared(bytes);
    stream_->write("own");
    much += block + "own";
  }
  EXPECT_FALSE(stream_->writable());
  ASSERT_TRUE(run_until([&] { return stream_->output_bytes() < much.size(); }));
  EXPECT_GT(stream_->output_bytes(), 0u);
  EXPECT_EQ(server_.writable, 0);
  stream_->close();
  EXPECT_EQ(read_to_end(), much);
}

TEST_F(TcpTest, WritesOfDeferredTasksLeaveInTheSameTurn) {
  listen();
  connect();
  loop_.defer([&] { stream_->write("late"); });
  loop_.turn(0);
  EXPECT_EQ(client_->poll(), "late");
}

// [5 MQTT-4.2-1] [3.1.1 MQTT-7.1.1-1]
TEST_F(TcpTest, MuchOutputWaitsForTheClientAndTellsWhenItIsDown) {
  ListenOptions options;
  options.stream.output_high_bytes = 100'000;
  options.stream.output_low_bytes = 10'000;
  listen(options);
  connect();
  const std::string much = pattern(20 << 20);
  stream_->write(much);
  EXPECT_FALSE(stream_->writable());
  ASSERT_TRUE(run_until([&] { return stream_->output_bytes() < much.size(); }));
  EXPECT_GT(stream_->output_bytes(), 0u);
  EXPECT_EQ(server_.writable, 0);
  stream_->close();
  EXPECT_EQ(read_to_end(), much);
  client_->close();
  ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
  EXPECT_EQ(server_.closed, CloseReason::local);
}

TEST_F(TcpTest, OnWritableComesOncePerOverflow) {
  ListenOptions options;
  options.stream.output_high_bytes = 1000;
  options.stream.output_low_bytes = 100;
  listen(options);
  connect();
  stream_->write(std::string(900, 'a'));
  loop_.turn(0);
  EXPECT_EQ(server_.writable, 0);
  stream_->write(std::string(5000, 'b'));
  loop_.turn(0);
  EXPECT_EQ(server_.writable, 1);
  loop_.turn(0);
  EXPECT_EQ(server_.writable, 1);
}

// What others hold leaves this one a little room, and it hears of it when that is free again.
TEST_F(TcpTest, HasLittleRoomWhileTheSharedBudgetIsFull) {
  OutputBudget budget(1000);
  ListenOptions options;
  options.stream.budget = &budget;
  listen(options);
  connect();
  stream_->write(std::string(OutputBudget::kLittleBytes + 1, 'a'));
  EXPECT_TRUE(stream_->writable());
  budget.used = 1000;
  EXPECT_FALSE(stream_->writable());
  loop_.turn(0);
  EXPECT_TRUE(stream_->writable());
  EXPECT_EQ(server_.writable, 1);
}

TEST_F(TcpTest, CountsWhatTheSystemDoesNotTakeInTheSharedBudget) {
  OutputBudget budget(1 << 20);
  ListenOptions options;
  options.stream.budget = &budget;
  listen(options);
  connect();
  stream_->write(pattern(20 << 20));
  loop_.turn(0);
  EXPECT_EQ(budget.used, stream_->output_bytes());
  EXPECT_GT(budget.used, 1u << 20);
  EXPECT_EQ(budget.times_full, 1u);
  stream_->abort();
  stream_.reset();
  EXPECT_EQ(budget.used, 0u);
}

// [5 MQTT-4.2-1] [3.1.1 MQTT-7.1.1-1]
TEST_F(TcpTest, MuchInputIsReadInSharesAndWhole) {
  listen();
  connect();
  std::size_t largest = 0;
  server_.data = [&](std::string_view bytes) { largest = std::max(largest, bytes.size()); };
  const std::string much = pattern(4 << 20);
  std::size_t sent = 0;
  ASSERT_TRUE(run_until([&] {
    const ssize_t n = ::send(client_->fd(), much.data() + sent, much.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<std::size_t>(n);
    return server_.received.size() == much.size();
  }));
  EXPECT_EQ(server_.received, much);
  EXPECT_LE(largest, EpollLoop::kReadBufferBytes);
}

TEST_F(TcpTest, ThePeersEndComesAfterItsBytesAndOurOutputStillLeaves) {
  listen();
  connect();
  server_.data = [&](std::string_view) { stream_->write("answer"); };
  client_->send("question");
  client_->end_output();
  server_.then = [&] { stream_.reset(); };  // as an owner does
  EXPECT_EQ(read_to_end(), "answer");
  EXPECT_EQ(server_.received, "question");
  EXPECT_EQ(server_.closed, CloseReason::peer_closed);
  EXPECT_EQ(server_.closed_count, 1);
}

TEST_F(TcpTest, AResetIsToldAsAReset) {
  listen();
  connect();
  client_->reset();
  ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
  EXPECT_EQ(server_.closed, CloseReason::reset);
}

TEST_F(TcpTest, TheLastBytesOfAPeerThatWentAreReadThoughWritingFailed) {
  listen();
  connect();
  // The client says goodbye and goes without reading; our write then meets a reset.
  stream_->write("ignored");
  loop_.turn(0);
  server_.data = [&](std::string_view) {};
  client_->send("goodbye");
  client_->close();  // unread bytes: the system sends a reset
  stream_->write("more");
  ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
  EXPECT_EQ(server_.received, "goodbye");
}

TEST_F(TcpTest, CloseIsGivenUpWhenThePeerDoesNotRead) {
  ListenOptions options;
  options.stream.close_timeout_ms = 50;
  listen(options);
  connect();
  stream_->write(pattern(20 << 20));
  stream_->close();
  const int64_t start_ms = loop_.now_ms();
  ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
  EXPECT_EQ(server_.closed, CloseReason::local);
  EXPECT_GE(loop_.now_ms() - start_ms, 50);
}

TEST_F(TcpTest, CloseSendsTheLastWordsThoughThePeerKeepsSending) {
  listen();
  connect();
  client_->send(std::string(100'000, 'x'));
  server_.data = [&](std::string_view) {
    stream_->write("too much");
    stream_->close();
  };
  ASSERT_TRUE(run_until([&] { return !server_.received.empty(); }));
  const std::size_t received = server_.received.size();
  client_->send(std::string(100'000, 'x'));  // unread bytes would make an immediate close a reset
  EXPECT_EQ(read_to_end(), "too much");
  EXPECT_EQ(server_.received.size(), received) << "nothing is handed over after close()";
  client_->close();
  ASSERT_TRUE(run_until([&] { return server_.closed.has_value(); }));
  EXPECT_EQ(server_.closed, CloseReason::local);
}

TEST_F(TcpTest, AbortDropsEverythingAndIsSilent) {
  listen();
  connect();
  stream_->write("never seen");
  stream_->abort();
  EXPECT_EQ(read_to_end(), "");
  EXPECT_EQ(server_.closed_count, 0);
}

TEST_F(TcpTest, AStreamMayBeDestroyedInsideItsOwnCallbacks) {
  listen();
  connect();
  server_.data = [&](std::string_view) { stream_.reset(); };
  client_->send("bye");
  ASSERT_TRUE(run_until([&] { return stream_ == nullptr; }));
  EXPECT_EQ(server_.closed_count, 0);

  server_.data = nullptr;
  connect();
  server_.then = [&] { stream_.reset(); };
  client_->close();
  ASSERT_TRUE(run_until([&] { return stream_ == nullptr; }));
  EXPECT_EQ(server_.closed, CloseReason::peer_closed);
}

TEST_F(TcpTest, APausedStreamReadsNothingUntilItResumes) {
  listen();
  connect();
  stream_->pause_reading();
  client_->send("later");
  for (int i = 0; i < 5; ++i) loop_.turn(1);
  EXPECT_EQ(server_.received, "");
  stream_->resume_reading();
  ASSERT_TRUE(run_until([&] { return server_.received == "later"; }));
}

TEST_F(TcpTest, TwoListenersShareAPortWhenAskedTo) {
  ListenOptions options;
  listen(options);
  options.port = listener_->local_port();
  EXPECT_FALSE(TcpListener::listen(loop_, options, [](std::unique_ptr<Stream>) {}).ok());
  listener_.reset();
  options.port = 0;
  options.reuse_port = true;
  listen(options);
  options.port = listener_->local_port();
  EXPECT_TRUE(TcpListener::listen(loop_, options, [](std::unique_ptr<Stream>) {}).ok());
}

// Also beside listeners that share the port; and it is taken by nobody meanwhile, so that no client is hung up on.
TEST_F(TcpTest, AProbeTellsWhetherAPortIsFree) {
  ListenOptions options;
  options.reuse_port = true;
  listen(options);
  ListenOptions probed;
  probed.port = listener_->local_port();
  EXPECT_FALSE(TcpListener::probe(probed).ok());
  listener_.reset();
  EXPECT_TRUE(TcpListener::probe(probed).ok());
  EXPECT_FALSE(RawClient(probed.port).connected());
}

TEST_F(TcpTest, ABadAddressIsAReason) {
  ListenOptions options;
  options.address = "not an address";
  const auto made = TcpListener::listen(loop_, options, [](std::unique_ptr<Stream>) {});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().reason.find("not an address"), std::string::npos);
}

TEST_F(TcpTest, WithoutDescriptorsItPausesWithoutSpinningAndGoesOnLater) {
  listen();
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  client_ = std::make_unique<RawClient>(listener_->local_port());
  ASSERT_TRUE(client_->connected());
  rlimit none = before;
  none.rlim_cur = 3;
  setrlimit(RLIMIT_NOFILE, &none);
  const int64_t end_ns = runtime::monotonic_ns() + 60'000'000;
  int turns = 0;
  while (runtime::monotonic_ns() < end_ns) {
    loop_.turn(20);
    ++turns;
  }
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(accepted_, 0);
  EXPECT_LT(turns, 30) << "it spins";
  EXPECT_TRUE(run_until([&] { return accepted_ == 1; }));
}

TEST_F(TcpTest, ConnectReachesAListenerByNumberAndByName) {
  listen();
  for (const char* host : {"127.0.0.1", "localhost"}) {
    accepted_ = 0;
    Recorder recorder;
    std::unique_ptr<Stream> client;
    std::string reason;
    connect_tcp(loop_, host, listener_->local_port(), [&](Result<std::unique_ptr<Stream>> result) {
      if (!result) {
        reason = result.error().reason;
        return;
      }
      client = std::move(result).value();
      client->set_handler(&recorder);
      client->write("ping");
    });
    EXPECT_EQ(client, nullptr);
    ASSERT_TRUE(run_until([&] { return client != nullptr && accepted_ == 1; })) << host << ": " << reason;
    ASSERT_TRUE(run_until([&] { return server_.received == "ping"; }));
    stream_->write("pong");
    ASSERT_TRUE(run_until([&] { return recorder.received == "pong"; }));
    server_.received.clear();
  }
}

TEST_F(TcpTest, ConnectTellsWhyItFailed) {
  listen();
  const uint16_t port = listener_->local_port();
  listener_.reset();
  std::string reason;
  connect_tcp(loop_, "127.0.0.1", port,
              [&](Result<std::unique_ptr<Stream>> result) { reason = result.ok() ? "connected" : result.error().reason; });
  ASSERT_TRUE(run_until([&] { return !reason.empty(); }));
  EXPECT_NE(reason.find("refused"), std::string::npos) << reason;
}

TEST_F(TcpTest, AnUnfinishedConnectDiesWithTheLoop) {
  connect_tcp(loop_, "localhost", 1, [](Result<std::unique_ptr<Stream>>) {});
  connect_tcp(loop_, "127.0.0.1", 1, [](Result<std::unique_ptr<Stream>>) {});
  loop_.turn(0);
}

// Several cores: a stream is accepted on core 0, moved to core 1, answers there.
TEST(TcpThreads, AStreamMovesToAnotherCore) {
  uint16_t port = 0;  // written before start() returns
  std::atomic<bool> moved{false};
  struct Core1 {
    std::unique_ptr<Stream> stream;
    Recorder recorder;
  } core1;
  std::unique_ptr<TcpListener> listener;
  std::unique_ptr<Stream> accepted;
  Recorder first;
  Runtime runtime(2, 1);
  const auto answer_on_core1 = [&](std::unique_ptr<DetachedStream> detached) {
    TcpStreamFactory factory(runtime.loop(1));
    core1.stream = factory.attach(std::move(detached));
    core1.recorder.data = [&](std::string_view bytes) { core1.stream->write("moved:" + std::string(bytes)); };
    core1.stream->set_handler(&core1.recorder);
    moved = true;
  };
  runtime.start(
      [&](EpollLoop& loop) {
        if (loop.core() != 0) return;
        auto made = TcpListener::listen(loop, {}, [&](std::unique_ptr<Stream> s) {
          accepted = std::move(s);
          accepted->set_handler(&first);
          first.data = [&](std::string_view) {
            auto detached = accepted->detach();
            accepted.reset();
            runtime.loop(0).post(1, [&, d = std::move(detached)]() mutable { answer_on_core1(std::move(d)); });
          };
        });
        ASSERT_TRUE(made.ok());
        listener = std::move(made).value();
        port = listener->local_port();
      },
      [&](EpollLoop& loop) {
        if (loop.core() == 0) {
          listener.reset();
          accepted.reset();
        } else {
          core1.stream.reset();
        }
      });
  RawClient client(port);
  client.send("a");
  const int64_t end_ns = runtime::monotonic_ns() + 5'000'000'000;
  while (!moved && runtime::monotonic_ns() < end_ns) usleep(100);
  ASSERT_TRUE(moved);
  client.send("b");
  std::string got;
  while (got != "moved:b" && runtime::monotonic_ns() < end_ns) {
    if (const auto some = client.poll()) got += *some;
    usleep(100);
  }
  EXPECT_EQ(got, "moved:b");
  EXPECT_EQ(first.closed_count, 0);
}

}  // namespace
}  // namespace arena::net
