#include "server/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/settings.h"

namespace arena::server {

namespace {

constexpr std::array kLimits = {
    // ---- who may come in
    Limit{"limits.connections_max", "a new connection is closed at accept", "clients/refused/connections",
          "MqttDoor.RefusesMoreConnectionsThanItsLimit"},
    Limit{"limits.connections_per_address_max", "a new one from that address is closed at accept",
          "clients/refused/connections_per_address", "MqttDoor.RefusesMoreConnectionsFromOneAddressThanItsLimit"},
    Limit{"limits.connects_per_address_per_s", "a new one from that address is closed at accept",
          "clients/refused/connect_rate", "MqttDoor.RefusesAnAddressThatConnectsFasterThanItsRate"},
    Limit{"limits.half_open_max", "the oldest connection without a CONNECT is closed for the new one",
          "clients/refused/half_open", "MqttDoor.ClosesTheOldestSilentConnectionWhenHalfOpenPlacesRunOut"},
    Limit{"limits.password_queue_max",
          "the CONNECT that has waited longest, of addresses that guess if any, is refused unhashed: 0x89 (3.x: 3)",
          "clients/refused/password_queue", "PasswordQueue.IsFullAtItsBoundAndThenTheOldestSuspectGoes"},
    Limit{"mqtt.connect_timeout_ms", "the connection is closed", "clients/refused/connect_timeout",
          "MqttConnect.WaitsForConnectOnlySoLong"},
    Limit{"mqtt.connect_bytes_max", "closed by its first bytes, without an answer", "clients/malformed",
          "MqttConnect.RefusesAnOversizedConnectByItsFirstBytes"},
    Limit{"mqtt.client_id_bytes_max", "refused: 0x85 (3.x: 2)", "clients/connects_refused", "MqttLimits.BytesOfAClientId"},
    Limit{"mqtt.keepalive_max_s",
          "MQTT 5 clients are told it, and disconnected with 0x8D after 1.5 times of silence; 3.x clients keep their own",
          "clients/keepalive_timeouts", "MqttConnect.TellsItsOwnKeepAlive"},
    Limit{"tls.session_s", "the client shakes hands anew", "tls/handshakes", "TicketKeys.AKeyIsTakenForOnePeriodMore"},
    // ---- what a packet may contain
    Limit{"mqtt.packet_bytes_max", "disconnected by the first bytes: 0x95", "clients/malformed",
          "MqttConnect.EndsAtPacketsAboveItsMaximum"},
    Limit{"mqtt.user_properties_max", "disconnected: 0x97; HTTP: answered 422", "clients/malformed", "MqttLimits.UserPropertiesOfAPacket"},
    Limit{"mqtt.user_property_bytes_max", "disconnected: 0x97; HTTP: answered 422", "clients/malformed", "MqttLimits.UserPropertyBytesOfAPacket"},
    Limit{"mqtt.filters_per_subscribe_max", "disconnected, and none is taken: 0x97", "clients/malformed",
          "MqttLimits.FiltersOfASubscribeAndOfAnUnsubscribe"},
    Limit{"mqtt.topic_alias_max", "disconnected: 0x94", "", "MqttPublish.EndsAtTopicAliasesThatAreNone"},
    Limit{"limits.topic_length_max", "publisher: disconnected, 0x90; filter: refused, 0x8F", "",
          "MqttLimits.LengthOfATopicAndOfAFilter"},
    Limit{"limits.topic_depth_max", "publisher: disconnected, 0x90; filter: refused, 0x8F", "",
          "MqttLimits.DepthOfATopicAndOfAFilter"},
    // ---- HTTP
    Limit{"http.request_timeout_ms", "answered 408 and closed; a connection without a request is closed", "http/refused/request_timeout",
          "HttpLimits.TimeOfARequest"},
    Limit{"http.idle_timeout_ms", "the connection is closed", "http/idle_closed", "HttpLimits.SilenceBetweenRequests"},
    Limit{"http.head_bytes_max", "answered 431 and closed", "http/refused/head_too_large", "HttpLimits.BytesOfAHead"},
    Limit{"http.fields_max", "answered 431 and closed", "http/refused/too_many_fields", "HttpLimits.FieldsOfARequest"},
    Limit{"http.body_bytes_max", "answered 413 by its length, or when it is passed, and closed", "http/refused/body_too_large",
          "HttpLimits.BytesOfABody"},
    Limit{"http.pipelined_max", "the connection is not read until an answer has left", "http/held_back", "HttpLimits.RequestsAtOnce"},
    Limit{"http.uploads_bytes_max", "a body of more than 16 KiB is answered 503 and closed (HTTP/2: the youngest of its connection, which goes on)",
          "http/refused/uploads", "HttpLimits.BytesOfAllBodiesUnderWay"},
    Limit{"http.streams_max", "HTTP/2: the stream is reset, to be tried again (REFUSED_STREAM)", "http/refused/streams", "Http2Limits.RequestsAtOnce"},
    Limit{"http.bodies_bytes_max", "HTTP/2: the oldest body that is under way gets more window, the others when there is room again", "http/held_back",
          "Http2Limits.BytesOfAllBodies"},
    Limit{"http.stream_output_bytes_max", "HTTP/2: events wait where they are kept; further requests, polls and replies of the connection wait", "",
          "Http2Flow.ASlowReaderHoldsBackItsOwnStreamOnly"},
    Limit{"http.stall_timeout_ms", "HTTP/2: the stream is reset; a connection that takes nothing at all is closed", "http/stuck_closed",
          "Http2Limits.TimeThatAnAnswerIsNotTaken"},
    Limit{"http.resets_per_s", "HTTP/2: the connection is closed (ENHANCE_YOUR_CALM)", "http/refused/resets", "Http2Floods.RequestsThatAreReset"},
    Limit{"http.control_frames_per_s", "HTTP/2: the connection is closed (ENHANCE_YOUR_CALM)", "http/refused/control_frames",
          "Http2Floods.FramesThatCarryNothing"},
    Limit{"http.continuations_max", "HTTP/2: the connection is closed (ENHANCE_YOUR_CALM)", "http/refused/continuations",
          "Http2Floods.AHeadInManyPieces"},
    Limit{"http.batch_max", "answered 413, and none is published", "http/refused/batch_too_large", "HttpLimits.MessagesOfABatch"},
    Limit{"http.event_streams_max", "answered 503", "http/refused/event_streams", "HttpEventLimits.Followers"},
    Limit{"http.event_streams_per_user_max", "answered 429", "http/refused/event_streams_per_user", "HttpEventLimits.FollowersOfAUser"},
    // ---- WebSocket
    Limit{"websocket.frame_bytes_max", "closed by the frame's header: 1009", "websocket/failed/too_big", "WebSocketDecoder.BytesOfAFrame"},
    Limit{"websocket.message_bytes_max", "closed by the header of the frame that passes it: 1009", "websocket/failed/too_big",
          "WebSocketDecoder.BytesOfAMessage"},
    Limit{"websocket.idle_frames_per_s", "closed: 1008", "websocket/failed/idle_frames", "WebSocketStream.ControlFramesInTime"},
    Limit{"debug.echo_bytes_max", "closed as soon as it is passed: 1009", "", "WebSocketMessages.BytesOfAMessage"},
    Limit{"debug.inflate_ratio_max", "closed as soon as it is passed: 1009", "", "WebSocketMessages.RatioOfACompressedOne"},
    // ---- sessions and subscribers
    Limit{"mqtt.session_expiry_max_s", "the session expires sooner; MQTT 5 clients are told", "clients/expired",
          "BrokerLimits.HowLongASessionOutlivesItsConnection"},
    Limit{"limits.subscriptions_per_session_max", "the filter is refused: 0x97 (3.x: 0x80)", "subscriptions/refused",
          "BrokerLimits.SubscriptionsOfASession"},
    Limit{"limits.inflight_per_session_max", "further messages wait, in memory or in the log", "",
          "BrokerLimits.UnsettledDeliveriesOfASession"},
    Limit{"limits.queued_bytes_per_session_max",
          "QoS 0: by `limits.slow_policy`; durable: read from the log later; else disconnected, 0x97",
          "publish/messages/dropped/queue_full", "SlowSubscriber.LosesTheOldestUnlessToldOtherwise"},
    Limit{"limits.queued_bytes_max", "the same, for each session that holds more than 64 KiB",
          "publish/messages/dropped/queue_full", "SlowSubscriber.KeepsLittleWhenAllTogetherKeepTooMuch"},
    Limit{"limits.output_bytes_per_connection_max", "the session holds further messages back in its queue", "",
          "TcpTest.MuchOutputWaitsForTheClientAndTellsWhenItIsDown"},
    Limit{"limits.output_bytes_max", "the same, for each connection with more than 16 KiB of output", "output/times_full",
          "TcpTest.HasLittleRoomWhileTheSharedBudgetIsFull"},
    // ---- publishers
    Limit{"mqtt.receive_max", "MQTT 5: disconnected, 0x93; others have as many as there are packet identifiers", "", "MqttPublish.EndsAtMoreThanItsReceiveMaximum"},
    Limit{"mqtt.acks_pending_max", "the publisher's socket is not read further until receipts have come; its acknowledgements and pings go past", "clients/throttled",
          "MqttLimits.PublishesThatWaitForTheirReceipts"},
    Limit{"limits.cross_core_bytes_max", "no publisher's socket on that core is read until the other has caught up",
          "clients/throttled", "BrokerLimits.BytesOnTheWayToAnotherCore"},
    Limit{"limits.retained_messages_max", "the publish is refused: 0x97; QoS 0 is dropped, 3.x disconnected",
          "publish/messages/dropped/quota_publish", "BrokerLimits.RetainedMessages"},
    Limit{"limits.retained_bytes_max", "the publish is refused: 0x97; QoS 0 is dropped, 3.x disconnected",
          "publish/messages/dropped/quota_publish", "BrokerLimits.BytesOfRetainedMessages"},
    Limit{"limits.inbox_bytes_max", "the publish is refused: 0x97; 3.x clients are disconnected",
          "publish/messages/dropped/quota_publish", "BrokerLimits.BytesOfTheInbox"},
    Limit{"limits.streams_max", "the stream is not created, saying so", "", "BrokerLimits.NumberOfStreams"},
    Limit{"limits.stream_bytes_max", "a publish to any stream is refused: 0x97; QoS 0 is dropped, 3.x clients are disconnected",
          "publish/messages/dropped/quota_publish", "BrokerLimits.BytesOfAllStreams"},
    Limit{"limits.published_bytes_max", "the oldest ids and the producers that were idle longest are forgotten: the horizon shortens",
          "publish/keys/cut", "PublishedLimits.TheHorizonShortensWhenThereIsNoRoomAndAForgottenProducerIsUnknown"},
    Limit{"limits.published_horizon_s", "an older id is new again", "", "Publishing.AnIdIsForgottenAfterItsHorizon"},
    Limit{"store.reserve_bytes", "what would be stored is refused: 0x97; 3.x clients are disconnected",
          "publish/messages/dropped/quota_publish", "RocksStoreTest.IsFullWithLessThanItsReserveFree"},
};

constexpr std::string_view kHead =
    "# Limits\n\n"
    "Everything that grows has a bound. Each is a setting ([what they mean](../src/server/settings.cc): `arena config doc`),\n"
    "each refusal is counted below `$SYS/broker/`, and each test fails when its limit is taken out. Written by\n"
    "`arena config doc --limits`; a change there needs the same here.\n\n"
    "In `/metrics` the counters stand under other names: `clients/refused/REASON` is `arena_refused_total{protocol=\"mqtt\",reason=\"REASON\"}`,\n"
    "`http/refused/REASON` the same with `protocol=\"http\"`, `websocket/failed/REASON` is `arena_websocket_failed_total{reason=\"REASON\"}`,\n"
    "`publish/messages/dropped/REASON` is `arena_messages_dropped_total{reason=\"REASON\"}`, `http/NAME` is `arena_http_NAME_total`, and\n"
    "`clients/connects_refused` is `arena_connects_total{result=\"refused\"}`. The others are told below `$SYS/broker/` alone.\n\n";

constexpr std::string_view kTail =
    "\nAn address is an IPv4 address or an IPv6 /64. How floods are met: [decision 0006](decisions/0006-floods-of-connections.md);\n"
    "what slow subscribers lose: [decision 0007](decisions/0007-slow-subscribers.md).\n\n"
    "## Memory\n\n"
    "What is waiting is bounded by `limits.output_bytes_max` (and 16 KiB for each connection), `limits.queued_bytes_max` (and\n"
    "64 KiB for each session), `limits.cross_core_bytes_max` for each pair of threads, `limits.retained_bytes_max` and\n"
    "`limits.inbox_bytes_max`. A connection that has said nothing holds at most `mqtt.connect_bytes_max` besides its own few\n"
    "hundred bytes, one that is open at most one incomplete packet of `mqtt.packet_bytes_max`. Verifying passwords takes the\n"
    "memory of one hash, 64 MiB.\n\n"
    "Bodies of requests are held until they are complete and it is known who asks: `http.uploads_bytes_max` in all, and 16 KiB for\n"
    "each connection. Who is not let in without credentials and gives none is refused before a body.\n";

}  // namespace

std::span<const Limit> limits() { return kLimits; }

std::string limits_text() {
  const Config config;
  std::string out(kHead);
  out += "| setting | default | unit | when it is reached | counted in | test |\n|---|---|---|---|---|---|\n";
  for (const Limit& limit : kLimits) {
    const auto setting = std::ranges::find(settings(), limit.key, &Setting::key);
    if (setting == settings().end()) continue;
    out += fmt::format("| `{}` | {} | {} | {} | {} | `{}` |\n", limit.key, value_text(*setting, config), setting->unit,
                       limit.reached, limit.counted.empty() ? "" : fmt::format("`{}`", limit.counted), limit.test);
  }
  return out + std::string(kTail);
}

}  // namespace arena::server
