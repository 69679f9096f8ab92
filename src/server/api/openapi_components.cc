// What the operations of the OpenAPI document are made of.
#include "server/api/operations.h"

namespace arena::server {

std::string_view openapi_components() {
  return R"json({
"securitySchemes": {
  "basic": {"type": "http", "scheme": "basic"},
  "bearer": {"type": "http", "scheme": "bearer", "description": "base64 of user:password"}
},
"parameters": {
  "topic": {"name": "topic", "in": "path", "required": true, "description": "the rest of the path; beyond printable ASCII percent-encoded", "schema": {"$ref": "#/components/schemas/Topic"}},
  "filter_in_path": {"name": "topic", "in": "path", "required": true, "description": "a topic, or a filter with + and %23", "schema": {"$ref": "#/components/schemas/Filter"}},
  "stream": {"name": "name", "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}},
  "session": {"name": "id", "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}},
  "retain": {"name": "retain", "in": "query", "description": "it becomes the topic's last value", "schema": {"type": "boolean"}},
  "expiry_s": {"name": "expiry_s", "in": "query", "description": "it is not delivered any more after that time", "schema": {"type": "integer", "minimum": 1, "maximum": 4294967295}},
  "guarantee": {"name": "guarantee", "in": "query", "schema": {"$ref": "#/components/schemas/Guarantee"}},
  "request_guarantee": {"name": "guarantee", "in": "query", "schema": {"enum": ["at_most_once", "at_least_once"]}},
  "idempotency_key": {"name": "Idempotency-Key", "in": "header", "description": "the same message under the same key is taken once", "schema": {"type": "string", "minLength": 1, "maxLength": 128}},
  "arena_header": {"name": "Arena-Header", "in": "header", "description": "name=value, or a name alone: a header of the message", "schema": {"type": "string", "pattern": "^[^=]"}},
  "traceparent": {"name": "traceparent", "in": "header", "description": "goes on with the message", "schema": {"type": "string"}},
  "timeout": {"name": "timeout", "in": "query", "description": "seconds to wait for the reply", "schema": {"type": "string", "pattern": "^([1-9]|[1-5][0-9]|60)s?$", "default": "5"}},
  "format": {"name": "format", "in": "query", "description": "the payload as it was published, or the whole message", "schema": {"enum": ["raw", "json"], "default": "raw"}},
  "topics": {"name": "topic", "in": "query", "required": true, "description": "filters, as many as wanted", "schema": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Filter"}}},
  "filter": {"name": "topic", "in": "query", "description": "those whose topic it matches; a + is a +, a space %20", "schema": {"$ref": "#/components/schemas/Filter"}},
  "matching": {"name": "topic", "in": "query", "description": "those that a message of this topic would come through", "schema": {"$ref": "#/components/schemas/Topic"}},
  "after_event": {"name": "after", "in": "query", "description": "the id of the last event seen, of the same topic", "schema": {"$ref": "#/components/schemas/EventId"}},
  "after_events": {"name": "after", "in": "query", "description": "the id of the last event seen, of the same topics in the same order: as many parts with ; between", "schema": {"$ref": "#/components/schemas/EventIds"}},
  "last_event_id": {"name": "Last-Event-ID", "in": "header", "description": "the same, as browsers say it", "schema": {"$ref": "#/components/schemas/EventIds"}},
  "wait": {"name": "wait", "in": "query", "description": "seconds to wait for something", "schema": {"type": "string", "pattern": "^([1-9]|[1-5][0-9]|60)s?$", "default": "20"}},
  "slow": {"name": "slow", "in": "query", "description": "what a client that cannot keep up loses", "schema": {"enum": ["drop_oldest", "drop_newest", "latest_per_topic", "disconnect"]}},
  "ticket": {"name": "ticket", "in": "query", "description": "from POST /v1/tickets", "schema": {"type": "string"}},
  "limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}},
  "after": {"name": "after", "in": "query", "description": "\"next\" of the page before", "schema": {"type": "string", "pattern": "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-][AQgw]==|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]=)?$", "minLength": 4}},
  "from": {"name": "from", "in": "query", "description": "earliest, latest, an offset, an age such as 10m, a time, or \"next\" of the page before", "schema": {"type": "string", "default": "earliest", "pattern": "^(earliest|latest|[0-9]{1,19}|@[0-9]{1,18}|[0-9]{1,9}(ms|s|m|h|d)|[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,3})?Z|0\\.[0-9]{1,9}\\.[0-9]{1,4}\\.[0-9]{1,19}(,0\\.[0-9]{1,9}\\.[0-9]{1,4}\\.[0-9]{1,19})*)$"}},
  "user": {"name": "user", "in": "query", "description": "of this user; empty: of nobody's name", "schema": {"type": "string"}},
  "client_id": {"name": "client_id", "in": "query", "schema": {"type": "string"}},
  "connected": {"name": "connected", "in": "query", "schema": {"type": "boolean"}},
  "of_session": {"name": "session", "in": "query", "description": "the id of one", "schema": {"type": "string", "pattern": "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-][AQgw]==|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]=)?$", "minLength": 4}}
},
"requestBodies": {
  "Payload": {"content": {
    "*/*": {"schema": {}},
    "application/cloudevents+json": {"schema": {"$ref": "#/components/schemas/CloudEvent"}},
    "application/cloudevents-batch+json": {"schema": {"type": "array", "description": "one that is no good has a result that says so", "items": {"anyOf": [{"$ref": "#/components/schemas/CloudEvent"}, {}]}}}}},
  "Request": {"content": {
    "*/*": {"schema": {}},
    "application/cloudevents+json": {"schema": {"$ref": "#/components/schemas/CloudEvent"}}}},
  "Batch": {"required": true, "content": {
    "application/json": {"schema": {"type": "array", "description": "one that is no good has a result that says so", "items": {"anyOf": [{"$ref": "#/components/schemas/BatchItem"}, {}]}}},
    "application/x-ndjson": {"schema": {"type": "string"}}}},
  "Stream": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewStream"}}}},
  "StreamLimits": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/StreamLimits"}}}}
},
"responses": {
  "Problem": {"description": "what was wrong", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
  "Payload": {"description": "the payload, with its content type", "content": {"*/*": {"schema": {}}}},
  "EventStream": {"description": "events without an end", "content": {"text/event-stream": {"schema": {"description": "the data of an event is a Message as JSON; of one that is named gap, what is missing"}}}}
},
"schemas": {
  "Topic": {"type": "string", "minLength": 1, "pattern": "^[^+#\\u0000]+$"},
  "Filter": {"type": "string", "minLength": 1, "pattern": "^(([^+#/\\u0000]*|\\+)(/([^+#/\\u0000]*|\\+))*(/#)?|#)$"},
  "EventId": {"type": "string", "pattern": "^(1:(0\\.[0-9]{1,9}\\.[0-9]{1,4}\\.[0-9]{1,19}(,0\\.[0-9]{1,9}\\.[0-9]{1,4}\\.[0-9]{1,19})*)?)?$", "description": "empty: none"},
  "EventIds": {"type": "string", "pattern": "^(1:(0\\.[0-9]{1,9}\\.[0-9]{1,4}\\.[0-9]{1,19}(,0\\.[0-9]{1,9}\\.[0-9]{1,4}\\.[0-9]{1,19})*)?(;(0\\.[0-9]{1,9}\\.[0-9]{1,4}\\.[0-9]{1,19}(,0\\.[0-9]{1,9}\\.[0-9]{1,4}\\.[0-9]{1,19})*)?)*)?$", "description": "empty: none"},
  "Limit": {"type": "integer", "minimum": 0, "maximum": 9223372036854775807, "description": "0: no such limit"},
  "Guarantee": {"enum": ["at_most_once", "at_least_once", "exactly_once"]},
  "Done": {"type": "object"},
  "Document": {"type": "object"},
  "Problem": {"type": "object", "required": ["title", "status", "detail", "code", "request_id"], "properties": {
    "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}, "code": {"type": "string"}, "request_id": {"type": "string"},
    "pointer": {"type": "string", "description": "the field of the body that was wrong"}, "parameter": {"type": "string"}, "header": {"type": "string"}}},
  "Receipt": {"type": "object", "required": ["level"], "properties": {
    "id": {"type": "string"}, "level": {"enum": ["memory", "disk"]}, "position": {"type": "string"}, "duplicate": {"type": "boolean"}, "matched": {"type": "boolean"}}},
  "Result": {"type": "object", "required": ["status"], "properties": {"status": {"type": "integer"}, "code": {"type": "string"}, "detail": {"type": "string"}, "pointer": {"type": "string"}}},
  "Results": {"type": "object", "required": ["failed", "results"], "properties": {"failed": {"type": "integer"}, "results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}}}},
  "PublishAnswer": {"anyOf": [{"$ref": "#/components/schemas/Receipt"}, {"$ref": "#/components/schemas/Results"}]},
  "Headers": {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}},
  "BatchItem": {"type": "object", "additionalProperties": false, "required": ["topic"], "properties": {
    "topic": {"$ref": "#/components/schemas/Topic"}, "payload": {}, "encoding": {"const": "base64"}, "content_type": {"type": "string"}, "headers": {"$ref": "#/components/schemas/Headers"},
    "id": {"type": "string", "minLength": 1, "maxLength": 128}, "retain": {"type": "boolean"}, "expiry_s": {"type": "integer", "minimum": 1, "maximum": 4294967295},
    "guarantee": {"$ref": "#/components/schemas/Guarantee"}}},
  "EventText": {"type": "string", "minLength": 1, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"},
  "CloudEvent": {"type": "object", "required": ["specversion", "id", "source", "type"], "propertyNames": {"pattern": "^([a-z0-9]{1,64}|data_base64)$"},
    "additionalProperties": {"type": ["string", "integer", "boolean", "null"], "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"}, "properties": {
    "specversion": {"const": "1.0"}, "id": {"$ref": "#/components/schemas/EventText"}, "source": {"$ref": "#/components/schemas/EventText"}, "type": {"$ref": "#/components/schemas/EventText"},
    "datacontenttype": {"type": ["string", "null"], "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"}, "dataschema": {"type": ["string", "null"], "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"}, "subject": {"type": ["string", "null"], "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"}, "time": {"type": ["string", "null"], "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"},
    "data": {}, "data_base64": {"type": "string", "contentEncoding": "base64", "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"}},
    "not": {"required": ["data", "data_base64"]}},
  "Message": {"type": "object", "required": ["topic", "payload", "id", "time"], "properties": {
    "topic": {"type": "string"}, "payload": {"type": "string"}, "encoding": {"const": "base64"}, "content_type": {"type": "string"}, "headers": {"$ref": "#/components/schemas/Headers"},
    "id": {"type": "string"}, "time": {"type": "string", "format": "date-time"}, "position": {"type": "string"}}},
  "MessagePage": {"type": "object", "required": ["items", "more"], "properties": {
    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Message"}}, "next": {"type": "string"}, "more": {"type": "boolean"}}},
  "HistoryPage": {"type": "object", "required": ["items", "next", "more"], "properties": {
    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Message"}}, "next": {"type": "string"}, "more": {"type": "boolean"}, "gap": {"type": ["integer", "null"]}}},
  "Poll": {"type": "object", "required": ["items", "next"], "properties": {
    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Message"}}, "next": {"type": "string"}, "gap": {"type": ["integer", "null"]}}},
  "Ticket": {"type": "object", "required": ["ticket", "expires_s"], "properties": {"ticket": {"type": "string"}, "expires_s": {"type": "integer"}}},
  "StreamLimits": {"type": "object", "additionalProperties": false, "properties": {
    "max_age_ms": {"$ref": "#/components/schemas/Limit"}, "max_bytes": {"$ref": "#/components/schemas/Limit"}, "max_messages": {"$ref": "#/components/schemas/Limit"}, "budget_bytes": {"$ref": "#/components/schemas/Limit"}}},
  "NewStream": {"type": "object", "additionalProperties": false, "required": ["name", "filters"], "properties": {
    "name": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}, "filters": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Filter"}},
    "max_age_ms": {"$ref": "#/components/schemas/Limit"}, "max_bytes": {"$ref": "#/components/schemas/Limit"}, "max_messages": {"$ref": "#/components/schemas/Limit"}, "budget_bytes": {"$ref": "#/components/schemas/Limit"}}},
  "Stream": {"type": "object", "required": ["name", "filters"], "properties": {
    "name": {"type": "string"}, "filters": {"type": "array", "items": {"type": "string"}}, "max_age_ms": {"type": "integer"}, "max_bytes": {"type": "integer"}, "max_messages": {"type": "integer"},
    "budget_bytes": {"type": "integer"}, "created": {"type": "string", "format": "date-time"}, "messages": {"type": "integer"}, "bytes": {"type": "integer"}, "full": {"type": "boolean"}}},
  "StreamList": {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Stream"}}}},
  "Session": {"type": "object", "required": ["id", "client_id", "user", "connected", "expiry_s"], "properties": {
    "id": {"type": "string"}, "client_id": {"type": "string"}, "user": {"type": ["string", "null"]}, "connected": {"type": "boolean"}, "protocol": {"type": "string"}, "address": {"type": "string"},
    "expiry_s": {"type": ["integer", "null"]}, "subscriptions": {"type": "integer"}, "queued_bytes": {"type": "integer"}, "unacknowledged": {"type": "integer"}}},
  "SessionPage": {"type": "object", "required": ["items", "more"], "properties": {
    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Session"}}, "next": {"type": "string"}, "more": {"type": "boolean"}}},
  "Subscription": {"type": "object", "required": ["session", "client_id", "user", "topic", "guarantee"], "properties": {
    "session": {"type": "string"}, "client_id": {"type": "string"}, "user": {"type": ["string", "null"]}, "topic": {"type": "string"}, "group": {"type": "string"},
    "guarantee": {"$ref": "#/components/schemas/Guarantee"}, "replay": {"type": "boolean"}}},
  "SubscriptionPage": {"type": "object", "required": ["items", "more"], "properties": {
    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Subscription"}}, "next": {"type": "string"}, "more": {"type": "boolean"}}},
  "Info": {"type": "object", "required": ["version", "uptime_s", "level", "threads"], "properties": {
    "version": {"type": "string"}, "uptime_s": {"type": "integer"}, "level": {"enum": ["memory", "disk"]}, "threads": {"type": "integer"}}}
}
})json";
}

}  // namespace arena::server
