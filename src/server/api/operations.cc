#include "server/api/operations.h"

#include <array>

namespace arena::server {
namespace {

constexpr std::string_view kPublishFields = "topic retain expiry_s guarantee idempotency_key arena_header traceparent";

constexpr std::array kOperations = {
    // ---- messages
    Operation{"POST", "/v1/topics/{topic}", "publish", "Messages", "Publishes the body, one CloudEvent or a batch of them", kPublishFields, "Payload",
              "200=PublishAnswer 400 401 403 413 415 422 503 507"},
    Operation{"GET", "/v1/topics/{topic}", "poll", "Messages", "Waits for messages behind a position", "filter_in_path after_event wait limit", "",
              "200=Poll 400 401 403 422 429 503"},
    Operation{"POST", "/v1/publish", "publishBatch", "Messages", "Publishes many messages, each with a result of its own", "", "Batch", "200=Results 400 401 413"},
    Operation{"GET", "/v1/events", "follow", "Messages", "Follows topics as server-sent events", "topics after_events last_event_id slow ticket", "",
              "200=EventStream 400 401 403 422 429 503"},
    Operation{"POST", "/v1/tickets", "makeTicket", "Messages", "A ticket for an address that says who asks", "", "", "201=Ticket 400 401"},
    Operation{"POST", "/v1/request/{topic}", "request", "Messages", "Publishes the body and waits for the reply", "topic timeout expiry_s request_guarantee arena_header traceparent", "Request",
              "200=Payload 400 401 403 404 415 422 429 503 504 507"},
    // ---- last values
    Operation{"GET", "/v1/topics/{topic}/latest", "getLatest", "Last values", "The last value of a topic", "topic format", "", "200=Payload 400 401 403 404"},
    Operation{"PUT", "/v1/topics/{topic}/latest", "setLatest", "Last values", "Publishes the body as the last value", kPublishFields, "Payload", "200=Receipt 400 401 403 413 415 422 503 507"},
    Operation{"DELETE", "/v1/topics/{topic}/latest", "removeLatest", "Last values", "Takes the last value away", "topic guarantee idempotency_key", "", "200=Receipt 400 401 403 415 422 503 507"},
    Operation{"GET", "/v1/retained", "listLatest", "Last values", "Last values of many topics", "filter limit after", "", "200=MessagePage 400 401"},
    // ---- streams
    Operation{"GET", "/v1/streams", "listStreams", "Streams", "All streams", "", "", "200=StreamList 401 403"},
    Operation{"POST", "/v1/streams", "createStream", "Streams", "Creates one", "", "Stream", "201=Stream 400 401 403 409 422"},
    Operation{"GET", "/v1/streams/{name}", "getStream", "Streams", "One of them", "stream", "", "200=Stream 401 403 404"},
    Operation{"PATCH", "/v1/streams/{name}", "editStream", "Streams", "Changes the limits that are named", "stream", "StreamLimits", "200=Stream 400 401 403 404 409 422"},
    Operation{"DELETE", "/v1/streams/{name}", "removeStream", "Streams", "Removes it with its messages", "stream", "", "200=Done 401 403 404 409"},
    Operation{"POST", "/v1/streams/{name}/purge", "purgeStream", "Streams", "Deletes its messages", "stream", "", "200=Done 401 403 404 409"},
    Operation{"GET", "/v1/streams/{name}/messages", "listMessages", "Streams", "What it holds", "stream from filter limit", "", "200=HistoryPage 400 401 404"},
    // ---- clients
    Operation{"GET", "/v1/clients", "listClients", "Clients", "Who is connected", "user client_id limit after", "", "200=SessionPage 400 401 403"},
    Operation{"GET", "/v1/clients/{id}", "getClient", "Clients", "One of them", "session", "", "200=Session 401 403 404"},
    Operation{"DELETE", "/v1/clients/{id}", "disconnectClient", "Clients", "Disconnects it", "session", "", "200=Done 401 403 404"},
    Operation{"GET", "/v1/sessions", "listSessions", "Clients", "Sessions, connected or not", "connected user client_id limit after", "", "200=SessionPage 400 401 403"},
    Operation{"GET", "/v1/sessions/{id}", "getSession", "Clients", "One of them", "session", "", "200=Session 401 403 404"},
    Operation{"DELETE", "/v1/sessions/{id}", "endSession", "Clients", "Ends it, with what waits for it", "session", "", "200=Done 401 403 404"},
    Operation{"GET", "/v1/subscriptions", "listSubscriptions", "Clients", "Who subscribes to what", "of_session matching limit after", "", "200=SubscriptionPage 400 401 403"},
    // ---- the server
    Operation{"GET", "/v1/info", "getInfo", "Server", "What is running", "", "", "200=Info 401"},
    Operation{"GET", "/metrics", "getMetrics", "Server", "Counters, for Prometheus", "", "", "200= 401 403"},
    Operation{"GET", "/livez", "isAlive", "Server", "200 while the process works", "", "", "200=", true},
    Operation{"GET", "/readyz", "isReady", "Server", "200 while it can take messages", "", "", "200= 503=", true},
    Operation{"GET", "/startupz", "isStarted", "Server", "200 once all that was stored is recovered", "", "", "200=", true},
    Operation{"GET", "/openapi.json", "getOpenapi", "Server", "This document", "", "", "200=Document", true},
    Operation{"GET", "/docs", "getDocs", "Server", "The same to read", "", "", "200=", true},
    Operation{"GET", "/style.css", "getStyle", "Server", "How the pages look", "", "", "200=", true},
    Operation{"GET", "/", "getWelcome", "Server", "What is running, and where to go", "", "", "200=", true},
};

}  // namespace

std::span<const Operation> operations() { return kOperations; }

}  // namespace arena::server
