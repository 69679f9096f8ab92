#include "net/sim_network.h"

#include "net/sim_link.h"

namespace arena::net {
namespace {

constexpr uint16_t kFirstClientPort = 40000;

// The server's end comes to be, on its own loop.
void accept(const std::shared_ptr<SimLink>& link, runtime::SimLoop& loop, const std::string& client_ip) {
  SimNetState& net = link->net();
  const auto found = net.listeners.find(loop.core());
  if (found == net.listeners.end()) {
    net.count("refuse");
    return link->refuse();
  }
  const std::shared_ptr<SimNetState::Listener> listener = found->second;  // on_accept may replace it
  const auto port = static_cast<uint16_t>(kFirstClientPort + link->id() % 20000);
  const PeerAddress peer(client_ip, port, client_ip.starts_with("127."));
  listener->on_accept(std::make_unique<SimStream>(link, 1, loop, peer, listener->options));
}

SimLink* link_of(Stream& end) {
  auto* stream = dynamic_cast<SimStream*>(&end);
  return stream == nullptr ? nullptr : stream->link();
}

unsigned side_of(Stream& end) { return static_cast<SimStream&>(end).side(); }

}  // namespace

SimFaults SimFaults::harsh() {
  SimFaults faults;
  faults.split = 300'000;
  faults.cut = 5'000;
  faults.half_close = 2'000;
  faults.stall = 10'000;
  faults.zero_window = 10'000;
  faults.delay_max_us = 20'000;
  return faults;
}

SimNetwork::SimNetwork(runtime::SimWorld& world, const SimFaults& faults)
    : state_(std::make_shared<SimNetState>(world)) {
  state_->faults = faults;
}

// Links may live on; nobody accepts any more.
SimNetwork::~SimNetwork() { state_->listeners.clear(); }

void SimNetwork::listen(unsigned core, OnAccept on_accept, const StreamOptions& options) {
  state_->listeners[core] =
      std::make_shared<SimNetState::Listener>(SimNetState::Listener{std::move(on_accept), share(options)});
}

void SimNetwork::stop_listening(unsigned core) { state_->listeners.erase(core); }

std::unique_ptr<Stream> SimNetwork::connect(runtime::SimLoop& client, unsigned core, const StreamOptions& options,
                                            const std::string& client_ip) {
  state_->count("connect");
  auto link = std::make_shared<SimLink>(state_, ++state_->connections);
  auto stream = std::make_unique<SimStream>(link, 0, client, PeerAddress("10.0.0.1", 1883, false), share(options));
  runtime::SimLoop& server = state_->world.loop(core);
  server.schedule_io(state_->random_delay_us(), [link, &server, client_ip] { accept(link, server, client_ip); });
  return stream;
}

void SimNetwork::set_faults(const SimFaults& faults) { state_->faults = faults; }

void SimNetwork::cut(Stream& end) {
  if (SimLink* link = link_of(end)) link->cut();
}

void SimNetwork::stall(Stream& end, int64_t ms) {
  SimLink* link = link_of(end);
  if (link == nullptr) return;
  link->stall(0, ms);
  link->stall(1, ms);
}

void SimNetwork::zero_window(Stream& end, int64_t ms) {
  if (SimLink* link = link_of(end)) link->zero_window(side_of(end), ms);
}

void SimNetwork::half_close(Stream& end) {
  if (SimLink* link = link_of(end)) link->half_close(side_of(end));
}

const std::map<std::string, uint64_t>& SimNetwork::report() const { return state_->counters; }

}  // namespace arena::net
