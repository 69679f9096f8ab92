// The client's way in: TCP, then TLS.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/tcp.h"
#include "net/tls/context.h"
#include "net/tls/core.h"

namespace arena::net {

// As connect_tcp, and `done` gets a stream whose handshake is done. `server_name`: whom the certificate must name; empty: the
// host.
void connect_tls(runtime::EpollLoop& loop, TlsCore& core, std::shared_ptr<const TlsClientContext> context, std::string server_name,
                 std::string host, uint16_t port, const ConnectOptions& options, OnConnected done);

}  // namespace arena::net
