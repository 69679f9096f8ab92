// For tests: certificates in a folder, and TLS between the ends of a simulated connection.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/sim_network.h"
#include "net/tls/certificate.h"
#include "net/tls/stream.h"

namespace arena::net::test {

inline int64_t wall_now_s() {
  timespec now{};
  std::timespec_get(&now, TIME_UTC);
  return now.tv_sec;
}

// An authority and certificates of it, as files, until the end.
class CertificateFolder {
 public:
  CertificateFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "arena-tls-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    authority_ = make_authority("test authority", wall_now_s(), 10).value();
    write("ca.crt", authority_.certificate);
  }
  ~CertificateFolder() { std::filesystem::remove_all(path_); }

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return file(name);
  }
  TlsIdentity issue(const std::string& name, const std::vector<std::string>& names, int days = 5) const {
    const CertificateAndKey made = issue_certificate(authority_, names, wall_now_s(), days).value();
    return {write(name + ".crt", made.certificate), write(name + ".key", made.key)};
  }
  std::string ca() const { return file("ca.crt"); }

 private:
  std::filesystem::path path_;
  CertificateAndKey authority_;
};

inline std::shared_ptr<const TlsServerContext> server_context(const TlsServerOptions& options) {
  auto loaded = TlsServerContext::load(options);
  if (!loaded) ADD_FAILURE() << loaded.error().reason;
  return loaded ? loaded.value() : nullptr;
}

inline std::shared_ptr<const TlsClientContext> client_context(const TlsClientOptions& options) {
  auto loaded = TlsClientContext::load(options);
  if (!loaded) ADD_FAILURE() << loaded.error().reason;
  return loaded ? loaded.value() : nullptr;
}

struct Recorder : StreamHandler {
  void on_data(std::string_view bytes) override {
    ++reads;
    received += bytes;
    if (data) data(bytes);
  }
  void on_writable() override { ++writable; }
  void on_closed(CloseReason reason) override {
    closed = reason;
    ++closed_count;
  }
  std::string received;
  int reads = 0;
  int writable = 0;
  int closed_count = 0;
  std::optional<CloseReason> closed;
  std::function<void(std::string_view)> data;
};

// A client and a server on core 0; both ends are TLS unless asked otherwise.
struct TlsPair {
  struct Options {
    TlsServerOptions server;
    TlsClientOptions client;
    std::string name = "localhost";
    std::string_view alpn = "\x04mqtt";
    SimFaults faults{};
    StreamOptions stream{};
    bool plain_client = false;
    int64_t session_s = 0;
  };

  TlsPair(uint64_t seed, const Options& options)
      : world(seed),
        network(world, options.faults),
        context(server_context(options.server)),
        seed_of_tickets(TicketSeed::make(world.loop(0).now_ms(), options.session_s * 1000)),
        core(world.loop(0), seed_of_tickets),
        other_core(world.loop(1), seed_of_tickets),
        client_core(world.client_loop(), TicketSeed{}),
        stream_options(options.stream) {
    network.listen(
        0,
        [this, alpn = options.alpn](std::unique_ptr<Stream> s) {
          server = TlsStream::accept(core, context, alpn, std::move(s), share(stream_options));
          server->set_handler(&at_server);
        },
        options_beneath_tls(options.stream));
    connect(options);
  }

  void connect(const Options& options) {
    auto beneath = network.connect(world.client_loop(), 0,
                                   options.plain_client ? options.stream : options_beneath_tls(options.stream));
    if (options.plain_client) {
      client = std::move(beneath);
    } else {
      client = TlsStream::connect(client_core, client_context(options.client), options.name, std::move(beneath),
                                  share(stream_options), [this](Status status) {
                                    shaken = status.ok();
                                    if (!status) failure = status.error().reason;
                                  });
    }
    client->set_handler(&at_client);
  }
  bool until(const std::function<bool()>& done, int64_t within_ms = 60'000) { return world.run_until(done, within_ms); }

  runtime::SimWorld world;
  SimNetwork network;
  std::shared_ptr<const TlsServerContext> context;
  TicketSeed seed_of_tickets;
  TlsCore core;
  TlsCore other_core;
  TlsCore client_core;
  StreamOptions stream_options;
  Recorder at_client;
  Recorder at_server;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
  std::optional<bool> shaken;
  std::string failure;
};

}  // namespace arena::net::test
