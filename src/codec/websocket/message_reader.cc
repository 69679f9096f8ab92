#include "codec/websocket/message_reader.h"

#include <algorithm>
#include <array>

namespace arena::websocket {
namespace {

constexpr std::size_t kChunkBytes = 4096;
constexpr Failure kNotText{CloseCode::bad_payload, "the text is not UTF-8"};
constexpr Failure kNotDeflated{CloseCode::bad_payload, "this is not compressed data"};
constexpr Failure kTooBig{CloseCode::too_big, "the message becomes larger than is taken here"};

const Failure* failure_of(Inflated inflated) {
  switch (inflated) {
    case Inflated::good: return nullptr;
    case Inflated::bad: return &kNotDeflated;
    case Inflated::too_big: return &kTooBig;
  }
  return &kNotDeflated;
}

}  // namespace

MessageReader::Step MessageReader::next(std::string_view& bytes) {
  while (failure_ == nullptr) {
    switch (decoder_.next(bytes)) {
      case Decoder::Step::more: return Step::more;
      case Decoder::Step::ping: return Step::ping;
      case Decoder::Step::pong: return Step::pong;
      case Decoder::Step::close: return Step::close;
      case Decoder::Step::failed: return Step::failed;
      case Decoder::Step::piece:
        failure_ = take_piece(decoder_.piece());
        break;
      case Decoder::Step::end:
        failure_ = finish();
        if (failure_ == nullptr) return Step::message;
        break;
    }
  }
  bytes = {};
  return Step::failed;
}

const Failure* MessageReader::take_piece(const Piece& piece) {
  const std::size_t before = message_.size();
  if (decoder_.compressed()) {
    if (const Failure* failure = inflate_piece(piece)) return failure;
  } else {
    if (piece.bytes.size() > limits_.inflate.bytes_max - before) return &kTooBig;
    message_.resize(before + piece.bytes.size());
    piece.copy_to(message_.data() + before);
  }
  return check_text(before);
}

const Failure* MessageReader::inflate_piece(Piece piece) {
  if (!inflater_) inflater_ = std::make_unique<Inflater>(limits_.inflate);
  std::array<char, kChunkBytes> chunk;
  while (!piece.bytes.empty()) {
    Piece part = piece;
    part.bytes = piece.bytes.substr(0, chunk.size());
    part.copy_to(chunk.data());
    if (const Failure* failure = failure_of(inflater_->take({chunk.data(), part.bytes.size()}, message_))) return failure;
    piece.bytes.remove_prefix(part.bytes.size());
    piece.key = advance(piece.key, part.bytes.size());
  }
  return nullptr;
}

const Failure* MessageReader::check_text(std::size_t from) {
  if (decoder_.kind() != Opcode::text) return nullptr;
  return text_.take(std::string_view(message_).substr(from)) ? nullptr : &kNotText;
}

const Failure* MessageReader::finish() {
  const std::size_t before = message_.size();
  if (decoder_.compressed()) {
    if (!inflater_) inflater_ = std::make_unique<Inflater>(limits_.inflate);  // no byte came
    const Failure* failure = failure_of(inflater_->finish(message_));
    inflater_.reset();
    if (failure == nullptr) failure = check_text(before);
    if (failure != nullptr) return failure;
  }
  if (decoder_.kind() == Opcode::text && !text_.complete()) return &kNotText;
  return nullptr;
}

}  // namespace arena::websocket
