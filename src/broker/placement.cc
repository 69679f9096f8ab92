#include "broker/placement.h"

namespace arena::broker {

Placement::Placement(PartitionId partitions, unsigned owners) {
  partition_of_slot_.reserve(kSlots);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    partition_of_slot_.push_back(static_cast<PartitionId>(slot % partitions));
  }
  core_of_partition_.reserve(partitions);
  for (PartitionId partition = 0; partition < partitions; ++partition) {
    core_of_partition_.push_back(partition % owners);
  }
}

std::string session_key(const Principal& principal, std::string_view client_id) {
  std::string key;
  key.reserve(principal.space.size() + principal.name.size() + client_id.size() + 2);
  key.append(principal.space).push_back('\0');
  key.append(principal.name).push_back('\0');
  key.append(client_id);
  return key;
}

}  // namespace arena::broker
