#include "base/printable.h"

#include "base/utf8.h"

namespace arena {
namespace {

// Length of the UTF-8 sequence at the front of `text`, or 0 when it is none.
std::size_t front_length(std::string_view text) {
  if (static_cast<unsigned char>(text[0]) < 0x80) return 1;
  for (std::size_t length = 2; length <= 4 && length <= text.size(); ++length) {
    if (is_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

// C0 and C1 controls, DEL and the Unicode line separators: what a terminal or a line reader would act on.
bool must_escape(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  if (sequence.size() == 2) return first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
  return sequence == "\u2028" || sequence == "\u2029";
}

void append_unicode_escape(std::string& out, unsigned code) {
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(code >> shift) & 0xF];
}

void append_escaped_control(std::string& out, std::string_view sequence) {
  if (sequence == "\n") {
    out += "\\n";
  } else if (sequence == "\t") {
    out += "\\t";
  } else if (sequence == "\r") {
    out += "\\r";
  } else if (sequence.size() == 3) {
    append_unicode_escape(out, sequence == "\u2028" ? 0x2028 : 0x2029);
  } else {
    append_unicode_escape(out, static_cast<unsigned char>(sequence.back()));
  }
}

}  // namespace

void append_printable(std::string& out, std::string_view text, std::string_view also) {
  while (!text.empty()) {
    const std::size_t length = front_length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    if (length == 0) {
      out += "\uFFFD";
    } else if (length == 1 && also.find(sequence[0]) != std::string_view::npos) {
      out += '\\';
      out += sequence;
    } else if (must_escape(sequence)) {
      append_escaped_control(out, sequence);
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
}

}  // namespace arena
