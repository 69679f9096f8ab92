#include "message/message.h"

namespace arena {

std::size_t Message::accounted_bytes() const {
  std::size_t bytes = sizeof(Message) + topic.size() + payload.size() + principal.size();
  if (extras) {
    bytes += sizeof(Extras) + extras->content_type.size() + extras->response_topic.size() + extras->correlation.size();
    for (const Header& header : extras->headers) bytes += sizeof(Header) + header.first.size() + header.second.size();
  }
  return bytes;
}

}  // namespace arena
