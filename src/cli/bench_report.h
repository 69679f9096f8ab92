// What `arena bench` tells: the report for people or programs, and a line while it runs.
#pragma once

#include <string>
#include <string_view>

#include "client/load/options.h"

namespace arena::cli {

std::string_view name_of(client::Scenario scenario);
// One JSON object and a line's end; what was not measured is null.
std::string bench_json(const client::LoadOptions& options, const client::LoadReport& report);
std::string bench_text(const client::LoadOptions& options, const client::LoadReport& report);
// One line without its end.
std::string progress_text(const client::LoadProgress& progress);

}  // namespace arena::cli
