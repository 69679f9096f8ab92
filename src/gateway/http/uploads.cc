#include "gateway/http/uploads.h"

#include <utility>

namespace arena::gateway::http {

Upload::Upload(Upload&& other) noexcept : all_(other.all_), bytes_(std::exchange(other.bytes_, 0)) {}

bool Upload::set(std::size_t bytes, std::size_t max) {
  if (bytes <= kSmallBytes) bytes = 0;
  if (bytes > bytes_) {
    if (all_->bytes_ + (bytes - bytes_) > max) return false;
    all_->bytes_ += bytes - bytes_;
  } else {
    all_->bytes_ -= bytes_ - bytes;
  }
  bytes_ = bytes;
  return true;
}

}  // namespace arena::gateway::http
