// What takes the place of a store's files once all of it is there. It is made beside them, in the store's folder, so that
// a store is as it was or in order, whatever fails meanwhile: a full disk, a crash.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "engine/rocksdb/examination.h"

namespace arena::engine {

inline constexpr const char* kSuccessorName = "mending";

// Blocks. For tools, which hold the folder.
class Successor {
 public:
  // `store`: its folder. Takes away what one that was broken off has left there.
  static Result<Successor> make(const std::string& store);
  ~Successor();
  Successor(Successor&& other) noexcept
      : store_(std::move(other.store_)), path_(std::exchange(other.path_, {})), files_(std::move(other.files_)), took_place_(other.took_place_) {}
  Successor& operator=(Successor&&) = delete;

  // Where files are written that take the place of the store's.
  const std::string& path() const { return path_; }
  // RocksDB's files again, to be changed: table files by links, all else copied, its log mended.
  Status copy_database();
  std::string database() const { return path_ + "/rocksdb"; }

  // RocksDB's files change places in one step; then the files beside them come. On disk when it returns. `aside`: a folder of the
  // store that keeps what was there, where the file system knows no such step.
  Status take_place(const std::string& aside);
  // That step has been made, so what fails must be tried again.
  bool took_place() const { return took_place_; }

 private:
  explicit Successor(const std::string& store) : store_(store), path_(store + "/" + kSuccessorName) {}
  Status exchange(const std::string& aside);

  std::string store_;
  std::string path_;
  Scratch files_;
  bool took_place_ = false;
};

}  // namespace arena::engine
