// Who owns what: slot -> partition -> core, as tables, so that partitions can later split and move.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "broker/types.h"
#include "message/topic.h"

namespace arena::broker {

// Immutable; shared by all cores. A change is a new table with a higher version.
class Placement {
 public:
  // Slots dealt to partitions, and partitions to the first `owners` cores, in turn.
  Placement(PartitionId partitions, unsigned owners);

  uint32_t version() const { return 1; }
  PartitionId partitions() const { return static_cast<PartitionId>(core_of_partition_.size()); }
  PartitionId partition_of(std::string_view name) const { return partition_of_slot_[slot_of(name)]; }
  unsigned core_of(PartitionId partition) const { return core_of_partition_[partition]; }
  unsigned core_of_name(std::string_view name) const { return core_of(partition_of(name)); }

 private:
  std::vector<PartitionId> partition_of_slot_;
  std::vector<unsigned> core_of_partition_;
};

}  // namespace arena::broker
