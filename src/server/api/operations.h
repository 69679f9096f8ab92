// What can be asked over HTTP, as one table: the OpenAPI document and the readable page are made of it, and a test holds it
// against the paths that the server answers.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace arena::server {

struct Operation {
  std::string_view method;      // "GET"
  std::string_view path;        // "/v1/topics/{topic}"
  std::string_view id;          // for generated clients; none twice
  std::string_view tag;
  std::string_view summary;
  std::string_view parameters;  // names of components, with spaces between
  std::string_view body;        // of a component; empty: none
  std::string_view answers;     // "200=Receipt 403 404=": a status and its schema; without '=' a problem; with nothing behind it no JSON
  bool open = false;            // whoever asks
};

std::span<const Operation> operations();

// The OpenAPI 3.1 document.
std::string openapi_json(std::string_view version);
// What it refers to: schemas, parameters, bodies.
std::string_view openapi_components();

}  // namespace arena::server
