#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <optional>
#include <type_traits>
#include <utility>

#include "access/tickets.h"
#include "base/log.h"
#include "broker/shard.h"
#include "engine/memory/memory_store.h"
#include "engine/rocksdb/backup.h"
#include "engine/rocksdb/rocks_store.h"
#include "gateway/http/door.h"
#include "gateway/http/events.h"
#include "gateway/http/publishers.h"
#include "gateway/http/requests.h"
#include "gateway/mqtt/door.h"
#include "net/tcp.h"
#include "net/tls/stream.h"
#include "net/websocket/stream.h"
#include "runtime/main_thread.h"
#include "runtime/runtime.h"
#include "server/admin_socket.h"
#include "server/api/api.h"
#include "server/seed.h"
#include "server/sys_topics.h"
#include "server/web.h"
#include "server/websocket_routes.h"

namespace arena::server {

namespace mqtt = gateway::mqtt;

namespace {
constexpr std::string_view kMqttProtocol = "\x04mqtt";  // as ALPN has it
constexpr std::string_view kHttpProtocols = "\x02h2\x08http/1.1";
}  // namespace

// What one core owns; made and destroyed on its thread.
struct Server::Core {
  Core(runtime::EpollLoop& own_loop, State& state);

  // What a listener does with what it accepts.
  template <typename Door>
  net::TcpListener::OnAccept into(Door& to, std::string_view protocol, bool with_tls, const net::StreamOptions& options);

  runtime::EpollLoop& loop;
  broker::Counters broker_counters;
  mqtt::Counters mqtt_counters;
  gateway::http::Counters http_counters;
  std::unique_ptr<engine::Store> store;
  broker::Shard shard;
  access::Authenticator authenticator;
  net::TcpStreamFactory tcp_streams;
  net::TlsCore tls;
  std::shared_ptr<const net::TlsServerContext> tls_context;
  net::TlsStreamFactory secured_streams;
  net::WebSocketCore websocket;
  net::WebSocketLimitsRef websocket_limits;
  net::WebSocketStreamFactory streams;
  mqtt::Door door;
  gateway::http::Door http_door;
  gateway::http::Publishers publishers;
  gateway::http::Events events;
  gateway::http::Requests requests;
  std::optional<gateway::http::Echoes> echoes;
  Api api;
  std::vector<std::unique_ptr<net::TcpListener>> listeners;
  std::unique_ptr<SysTopics> sys;
};

struct Server::State {
  explicit State(Settings chosen)
      : settings(std::move(chosen)),
        runtime(settings.threads != 0 ? settings.threads : std::min(64U, runtime::machine_cores()),
                process_seed()),
        placement(std::make_shared<const broker::Placement>(settings.broker.partitions, runtime.cores())),
        memory(settings.broker.partitions),
        admission(process_seed()),
        event_seats(process_seed()),
        output(settings.output_bytes_max),
        tickets(net::TicketSeed::make(runtime.loop(0).now_ms(), settings.tls_session_s * 1000)),
        passwords(std::make_shared<access::PasswordQueue>(settings.password_queue_max)),
        cores(runtime.cores()),
        endpoints(settings.mqtt_endpoints),
        http_endpoints(settings.http_endpoints) {}

  std::unique_ptr<engine::Store> make_store(runtime::Loop& loop) {
    if (disk) return std::make_unique<engine::RocksStore>(loop, disk);
    return std::make_unique<engine::MemoryStore>(loop, memory);
  }

  std::vector<CoreView> views() const {
    std::vector<CoreView> out;
    for (const auto& core : cores) out.push_back({&core->broker_counters, &core->mqtt_counters, &core->tls.counters(), &core->http_counters, &core->websocket.counters()});
    return out;
  }

  // Blocks; on any thread.
  Result<std::string> make_checkpoint() {
    const std::string name = engine::kCheckpointPrefix + std::to_string(++checkpoints);
    if (Status made = engine::make_checkpoint(disk->database(), settings.store_path, name); !made) return fail(made.error());
    log::info("server", "made a checkpoint of the store", {{"name", name}});
    return name;
  }

  // Runs `work` on every core and waits for all of them.
  template <typename Work>
  void on_every_core(Work work) {
    std::vector<std::promise<void>> done(cores.size());
    for (std::size_t core = 0; core < cores.size(); ++core) {
      runtime.loop(static_cast<unsigned>(core)).post_from_outside([&, core] {
        work(*cores[core]);
        done[core].set_value();
      });
    }
    for (std::promise<void>& one : done) one.get_future().wait();
  }

  Settings settings;
  gateway::http::Uploads uploads;  // before the runtime, as what waits in a loop may have a share
  runtime::Runtime runtime;
  std::shared_ptr<const broker::Placement> placement;
  engine::MemoryDisk memory;
  std::shared_ptr<engine::RocksDisk> disk;  // null: the store is in memory
  std::optional<AdminSocket> admin;
  std::atomic<uint64_t> checkpoints{0};
  access::Admission admission;
  gateway::http::EventSeats event_seats;
  access::Tickets event_tickets;
  net::OutputBudget output;
  net::TicketSeed tickets;
  std::shared_ptr<access::PasswordQueue> passwords;
  std::vector<std::unique_ptr<Core>> cores;
  std::vector<Endpoint> endpoints;
  std::vector<Endpoint> http_endpoints;
  std::atomic<bool> failed{false};
  bool running = false;
};

Server::Core::Core(runtime::EpollLoop& own_loop, State& state)
    : loop(own_loop),
      store(state.make_store(own_loop)),
      shard(own_loop, *store, state.placement, state.settings.broker, state.settings.live.policy, broker_counters),
      authenticator(own_loop, state.settings.live.auth, state.passwords),
      tcp_streams(own_loop),
      tls(own_loop, state.tickets),
      tls_context(state.settings.live.tls),
      secured_streams(tls, tcp_streams),
      websocket(own_loop),
      websocket_limits(state.settings.live.websocket),
      streams(websocket, secured_streams),
      door(own_loop, shard, authenticator, streams, state.settings.live.mqtt, state.admission, mqtt_counters),
      http_door(own_loop, authenticator, state.settings.live.http, state.admission, state.uploads, http_counters),
      publishers(own_loop, shard),
      events(http_door, shard, state.event_seats),
      requests(http_door, shard, publishers, state.event_seats),
      api(shard, state.disk ? Api::Checkpoint([&state] { return state.make_checkpoint(); }) : Api::Checkpoint()) {
  if (state.settings.echo) echoes.emplace(own_loop, *state.settings.echo);
  shard.set_on_store_failed([&state] { state.failed = true; });
}

template <typename Door>
net::TcpListener::OnAccept Server::Core::into(Door& to, std::string_view protocol, bool with_tls, const net::StreamOptions& options) {
  if (!with_tls) return [&to](std::unique_ptr<net::Stream> stream) { to.accept(std::move(stream)); };
  return [this, &to, protocol, shared = net::share(options)](std::unique_ptr<net::Stream> stream) {
    auto secured = net::TlsStream::accept(tls, tls_context, protocol, std::move(stream), shared);
    if (!secured) return;
    if constexpr (std::is_same_v<Door, gateway::http::Door>) {
      to.accept(std::move(secured), true);
    } else {
      to.accept(std::move(secured));
    }
  };
}

Server::Server(Settings settings) : state_(std::make_unique<State>(std::move(settings))) {}

Server::~Server() {
  if (!state_->running) return;
  state_->runtime.stop();
  state_->runtime.join();
}

bool Server::failed() const { return state_->failed; }

std::vector<Endpoint> Server::endpoints() const { return state_->endpoints; }
std::vector<Endpoint> Server::http_endpoints() const { return state_->http_endpoints; }

Status Server::start() {
  if (Status opened = open_store(); !opened) return opened;
  state_->runtime.start([this](runtime::EpollLoop& loop) { make_core(loop.core()); },
                        [this](runtime::EpollLoop& loop) { unmake_core(loop.core()); });
  state_->running = true;
  if (Status status = recover(); !status) return status;
  if (Status status = declare_streams(); !status) return status;
  if (Status status = listen(); !status) return status;
  state_->runtime.loop(0).post_from_outside([state = state_.get()] {
    std::vector<CoreView> views = state->views();
    Core& first = *state->cores[0];
    first.sys = std::make_unique<SysTopics>(first.loop, first.shard, std::move(views), state->output,
                                            state->settings.sys_interval_ms);
  });
  return Unit{};
}

Status Server::open_store() {
  if (state_->settings.store_path.empty()) return Unit{};
  engine::RocksOptions options;
  options.path = state_->settings.store_path;
  options.partitions = state_->settings.broker.partitions;
  options.reserve_bytes = state_->settings.store_reserve_bytes;
  auto disk = engine::RocksDisk::open(std::move(options));
  if (!disk) return fail_with("the store: " + disk.error().reason);
  state_->disk = std::move(disk.value());
  auto admin = AdminSocket::open(state_->settings.store_path);
  if (admin) {
    state_->admin.emplace(std::move(admin.value()));
  } else {
    log::warn("server", "there will be no backups while this process runs", {{"reason", admin.error().reason}});
  }
  return Unit{};
}

void Server::serve_admin() {
  if (!state_->admin) return;
  state_->admin->serve([state = state_.get()](ApiRequest request, ApiDone done) {
    state->runtime.loop(0).post_from_outside([state, request = std::move(request), done = std::move(done)]() mutable {
      state->cores[0]->api.handle(std::move(request), std::move(done));
    });
  });
}

int Server::admin_descriptor() const { return state_->admin ? state_->admin->descriptor() : -1; }

void Server::make_core(unsigned core) { state_->cores[core] = std::make_unique<Core>(state_->runtime.loop(core), *state_); }

void Server::unmake_core(unsigned core) { state_->cores[core].reset(); }

Status Server::recover() {
  std::vector<broker::Shard*> shards;
  std::vector<mqtt::Door*> doors;
  for (const auto& core : state_->cores) {
    shards.push_back(&core->shard);
    doors.push_back(&core->door);
  }
  std::vector<Status> loaded(state_->cores.size(), Unit{});
  state_->on_every_core([&](Core& core) {
    core.shard.connect(shards);
    core.door.connect(doors);
  });
  state_->on_every_core([&](Core& core) { loaded[core.loop.core()] = core.shard.load(); });
  for (const Status& status : loaded) {
    if (!status) return status;
  }
  std::vector<std::promise<void>> announced(state_->cores.size());
  state_->on_every_core([&](Core& core) {
    core.shard.announce([&announced, core = core.loop.core()] { announced[core].set_value(); });
  });
  for (std::promise<void>& one : announced) one.get_future().wait();
  state_->on_every_core([](Core& core) { core.shard.start(); });
  state_->on_every_core([state = state_.get()](Core& core) {
    add_web_routes(core.http_door, {core.loop, core.shard, core.api, core.publishers, core.events, core.requests, state->event_tickets, state->views(), state->output, state->failed});
    if (core.echoes) add_debug_routes(core.http_door.router(), *core.echoes);
    add_websocket_routes({core.http_door, core.door, core.websocket, core.websocket_limits}, state->settings.mqtt_websocket_path);
  });
  return Unit{};
}

Status Server::declare_streams() {
  for (const DeclaredStream& declared : state_->settings.streams) {
    std::promise<Status> done;
    state_->runtime.loop(0).post_from_outside([&] {
      declare(state_->cores[0]->shard, declared, [&done](Status status) { done.set_value(std::move(status)); });
    });
    if (Status status = done.get_future().get(); !status) return status;
  }
  return Unit{};
}

// Listeners that share a port would also share it with another process that does the same. One that does not share
// finds out first whether the port is free.
Status Server::probe_ports() {
  for (std::vector<Endpoint>* endpoints : {&state_->endpoints, &state_->http_endpoints}) {
    for (Endpoint& endpoint : *endpoints) {
      if (endpoint.port == 0) continue;
      net::ListenOptions options;
      options.address = endpoint.address;
      options.port = endpoint.port;
      const Status free = net::TcpListener::probe(options);
      if (free) continue;
      if (!endpoint.or_any_free) return free;
      endpoint.port = 0;
    }
  }
  return Unit{};
}

// Every core has its own listener on the same port. The first decides a port that was left to the system.
Status Server::listen() {
  if (Status free = probe_ports(); !free) return free;
  std::vector<std::string> errors(state_->cores.size());
  const auto open_for = [&](Core& core, std::vector<Endpoint>& endpoints, auto& door, std::string_view protocol) {
    for (Endpoint& endpoint : endpoints) {
      net::ListenOptions options;
      options.address = endpoint.address;
      options.port = endpoint.port;
      options.reuse_port = state_->cores.size() > 1;
      options.stream.output_high_bytes = state_->settings.output_bytes_per_connection_max;
      options.stream.output_low_bytes = options.stream.output_high_bytes / 4;
      options.stream.budget = &state_->output;
      const net::StreamOptions streams = options.stream;
      if (endpoint.tls) options.stream = net::options_beneath_tls(streams);
      auto listener = net::TcpListener::listen(core.loop, options, core.into(door, protocol, endpoint.tls, streams));
      if (!listener) {
        errors[core.loop.core()] = listener.error().reason;
        return;
      }
      endpoint.port = listener.value()->local_port();
      core.listeners.push_back(std::move(listener.value()));
    }
  };
  const auto open = [&](Core& core) {
    open_for(core, state_->endpoints, core.door, kMqttProtocol);
    if (errors[core.loop.core()].empty()) open_for(core, state_->http_endpoints, core.http_door, kHttpProtocols);
  };
  // One after the other: the later ones need the port that the first was given.
  for (const auto& core : state_->cores) {
    std::promise<void> done;
    core->loop.post_from_outside([&] {
      open(*core);
      done.set_value();
    });
    done.get_future().wait();
    if (!errors[core->loop.core()].empty()) return fail_with(errors[core->loop.core()]);
  }
  return Unit{};
}

void Server::reload(LiveSettings live) {
  state_->on_every_core([&](Core& core) {
    core.shard.set_policy(live.policy);
    core.authenticator.replace(live.auth);
    core.door.set_options(*live.mqtt);
    if (live.tls) core.tls_context = live.tls;  // else the listeners with TLS wait for the restart that ends them
    core.http_door.set_options(live.http);
    core.websocket_limits = live.websocket;
  });
  // Only then: nobody is let in by the old settings any more.
  const auto unwelcome = [&](const PrincipalView& principal) {
    return !access::still_welcome(principal, *state_->settings.live.auth, *live.auth);
  };
  std::atomic<std::size_t> kicked{0};
  state_->on_every_core([&](Core& core) { kicked += core.shard.kick_all(unwelcome); });
  if (kicked != 0) log::info("server", "disconnected who may not connect any more", {{"connections", uint64_t{kicked}}});
  state_->settings.live = std::move(live);
}

void Server::drain(int64_t within_ms) {
  const runtime::Deadline deadline(within_ms);
  state_->on_every_core([](Core& core) {
    core.sys.reset();
    core.listeners.clear();
    core.door.shut();
    core.http_door.shut();
    if (core.echoes) core.echoes->shut();
  });
  auto open = std::make_shared<std::atomic<std::size_t>>(state_->cores.size());
  state_->on_every_core([&](Core& core) { core.shard.drain([open] { --*open; }); });
  // Then the goodbyes leave; a client that does not take its own is not waited for.
  std::size_t connections = 1;
  while ((open->load() != 0 || connections != 0) && !deadline.passed()) {
    std::atomic<std::size_t> left{0};
    state_->on_every_core([&](Core& core) { left += core.door.connections() + core.http_door.connections() + (core.echoes ? core.echoes->connections() : 0); });
    connections = left;
    if (connections != 0 || open->load() != 0) runtime::pause_thread_ms(5);
  }
  log::info("server", "drained", {{"connections_left", uint64_t{connections}}});
  state_->runtime.stop();
  state_->runtime.join();
  state_->running = false;
}

}  // namespace arena::server
