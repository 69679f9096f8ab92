// Trimming is cleaning: RocksDB drops what lies below a log's start when it rewrites files anyway. No tombstones, so
// that trimming much costs readers nothing.
#pragma once

#include <memory>

namespace rocksdb {
class CompactionFilterFactory;
}

namespace arena::engine {

class CleanStarts;

std::shared_ptr<rocksdb::CompactionFilterFactory> make_block_cleaning(std::shared_ptr<CleanStarts> starts);
std::shared_ptr<rocksdb::CompactionFilterFactory> make_index_cleaning(std::shared_ptr<CleanStarts> starts);

}  // namespace arena::engine
