// What `arena store` found, as text and as JSON.
#pragma once

#include <string>

#include "engine/rocksdb/quarantine.h"
#include "engine/rocksdb/store_check.h"
#include "engine/rocksdb/store_stats.h"

namespace arena::cli {

std::string stats_text(const engine::StoreStats& stats);
std::string stats_json(const engine::StoreStats& stats);

// A line for each damage, and one that sums up.
std::string findings_text(const engine::Findings& findings);
std::string findings_json(const engine::Findings& findings);

std::string quarantined_text(const engine::Quarantined& done, const std::string& name);
std::string quarantined_json(const engine::Quarantined& done, const std::string& name);

// "[10, 20) of partition 3"
std::string offsets_text(engine::LogName log, uint64_t from, uint64_t upto);

}  // namespace arena::cli
