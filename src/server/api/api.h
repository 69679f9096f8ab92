// What operators ask of a running server, as requests and answers in JSON: one handler, whatever door they come by.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_function.h"
#include "broker/shard.h"
#include "message/principal.h"

namespace arena::server {

struct ApiRequest {
  std::string method;  // "GET"
  std::string path;    // "/v1/streams/orders"; "%xx" stands for a byte
  std::string query;   // "from=earliest&limit=10"; likewise, and '+' is itself, as filters have it
  std::string body;    // a JSON object, or nothing
  std::optional<Principal> asker = std::nullopt;  // whose rights hold; none: the operator of this machine
};

struct ApiResponse {
  int status = 200;  // as HTTP has them
  std::string body;  // a JSON object; from 400 on a problem: title, status, detail, code, and what was wrong
  std::string next = {};  // of a page with more behind it: what to ask for instead, "after=…"
};

using ApiDone = UniqueFunction<void(ApiResponse)>;

// `pointer`: the field of the body ("/max_bytes") or, with '?' before it, the parameter of the query that was wrong.
ApiResponse problem(int status, std::string_view code, std::string_view detail, std::string_view pointer = {});

// A request on its way to the handler that its path leads to.
struct ApiCall {
  std::string name;  // what stands for {name} in the path
  std::vector<std::pair<std::string, std::string>> query;
  std::string body;
  std::optional<Principal> asker;
  ApiDone done;
};

struct ApiPath {
  std::string_view method;
  std::string_view path;  // "{name}" is one level
  bool local = false;     // for the operator of this machine alone
};

// One core's, called there. The shard outlives it. May be destroyed before it has answered.
class Api {
 public:
  // Blocks; makes a checkpoint of the store and tells its name. Empty: there is no store to copy.
  using Checkpoint = std::function<Result<std::string>()>;

  Api(broker::Shard& shard, Checkpoint checkpoint) : shard_(shard), checkpoint_(std::move(checkpoint)) {}

  static std::vector<ApiPath> paths();
  // Answers once, perhaps from inside.
  void handle(ApiRequest request, ApiDone done);

 private:
  void make_checkpoint(ApiCall call);

  broker::Shard& shard_;
  Checkpoint checkpoint_;
};

}  // namespace arena::server
