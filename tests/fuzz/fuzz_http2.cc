// What a client of HTTP/2 sends behind its preface and settings. Byte 0: are the bytes frames as they are, or choices that
// frames of good lengths are made of; how are they cut; is it answered in between? Promises: unanswered and cut at any bytes it
// is the same requests and the same end; what is held is within the limits at any time; a request has nothing by which it
// could be taken for another; what is sent is whole frames, and none behind the end.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "codec/http/http2_session.h"
#include "input.h"

using namespace arena::http;

namespace {

Http2Limits limits() {
  Http2Limits out;
  out.head_bytes_max = 600;
  out.fields_max = 12;
  out.body_bytes_max = 300;
  out.bodies_bytes_max = 500;
  out.streams_max = 4;
  out.continuations_max = 2;
  out.resets_per_s = 1;
  out.control_frames_per_s = 3;
  out.stream_output_bytes_max = 4096;
  return out;
}

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(stream >> shift & 0xff));
  return out.append(payload);
}

// Requests of the static table, perhaps with more behind.
std::string head_of(arena::fuzz::Input& input) {
  std::string out = input.flag() ? std::string("\x82\x86\x84\x41\x01" "a", 6) : std::string("\x83\x87\x84\x41\x01" "a", 6);
  return out + input.text(input.byte() % 64);
}

std::string frames_of(arena::fuzz::Input& input) {
  std::string out;
  uint32_t newest = 1;
  while (!input.empty()) {
    const uint8_t choice = input.byte();
    const uint8_t flags = input.byte();
    const uint32_t stream = choice < 100 ? newest : input.byte() % 16;
    switch (choice % 6) {
      case 0:
      case 1:
        out += frame(1, flags, newest, head_of(input));
        newest += 2;
        break;
      case 2: out += frame(0, flags, stream, input.text(input.byte() % 200)); break;
      case 3: out += frame(9, flags, stream, input.text(input.byte() % 64)); break;
      case 4: out += frame(3, flags, stream, std::string("\0\0\0\x08", 4)); break;
      default: out += frame(input.byte() % 12, flags, stream, input.text(input.byte() % 32)); break;
    }
  }
  return out;
}

struct Seen {
  std::vector<Http2Session::Arrival> arrivals;
  Http2End why = Http2End::none;
  bool left = false;  // the client said goodbye: what it says behind that is looked at or not
};

void check_request(const Request& request) {
  FUZZ_CHECK(request.path.starts_with('/'));
  FUZZ_CHECK(!request.method.empty());
  FUZZ_CHECK(request.field("host") != nullptr);
  FUZZ_CHECK(request.body.size() <= limits().body_bytes_max);
  FUZZ_CHECK(request.fields.size() <= limits().fields_max);
  for (const auto& [name, value] : request.fields) {
    FUZZ_CHECK(!name.empty() && !name.starts_with(':'));
    for (const char c : name) FUZZ_CHECK(c > ' ' && c != 0x7f && !(c >= 'A' && c <= 'Z'));
    FUZZ_CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    for (const char* of_connection : {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) FUZZ_CHECK(name != of_connection);
  }
  const std::string* length = request.field("content-length");
  FUZZ_CHECK(length == nullptr || std::stoull(*length) == request.body.size());
}

void check_frames(std::string_view out) {
  while (!out.empty()) {
    FUZZ_CHECK(out.size() >= 9);
    std::size_t size = 0;
    for (int i = 0; i < 3; ++i) size = size << 8 | static_cast<uint8_t>(out[static_cast<std::size_t>(i)]);
    FUZZ_CHECK(size <= 16384 && out.size() >= 9 + size);
    out.remove_prefix(9 + size);
  }
}

void take_arrivals(Http2Session& session, Seen& seen, bool answered) {
  while (auto arrival = session.next()) {
    if (arrival->refusal == nullptr) check_request(arrival->request);
    if (answered && arrival->stream % 4 == 1) session.answer(arrival->stream, {200, {{"x", "y"}}, std::string(3000, 'a')}, 1);
    if (answered && arrival->stream % 4 == 3) {
      session.begin(arrival->stream, {200, {}, {}});
      session.write(arrival->stream, "piece", 1);
      if (arrival->stream % 8 == 3) session.end(arrival->stream);
    }
    seen.arrivals.push_back(std::move(*arrival));
  }
}

Seen talk(std::string_view bytes, std::size_t cut, bool answered) {
  Http2Session session(limits());
  Seen seen;
  std::string out;
  bool over = false;
  while (!bytes.empty() && !session.over()) {
    const std::string piece(bytes.substr(0, cut == 0 ? bytes.size() : cut));
    bytes.remove_prefix(piece.size());
    session.feed(piece, 1);
    FUZZ_CHECK(session.streams() <= limits().streams_max + 1);
    if (!answered) continue;
    take_arrivals(session, seen, true);
    while (session.send(out, 1)) FUZZ_CHECK(!over);
    over = session.over();
    FUZZ_CHECK(session.waiting_bytes() <= 3005 * limits().streams_max);
    session.take_closed();
  }
  take_arrivals(session, seen, answered);
  while (session.send(out, 1)) {
  }
  check_frames(out);
  seen.why = session.why();
  seen.left = session.over() && seen.why == Http2End::none;
  static constexpr Refusal kSlow{408, "slow", "slow"};
  session.refuse_slow(2, kSlow);
  session.reset_stuck(2);
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  arena::fuzz::Input input(data + 1, size - 1);
  const bool as_it_is = data[0] % 2 == 0;
  const bool answered = data[0] % 4 >= 2;
  const std::string bytes = std::string(kHttp2Preface) + frame(4, 0, 0, {}) + (as_it_is ? input.rest() : frames_of(input));
  const Seen whole = talk(bytes, 0, answered);
  const Seen cut = talk(bytes, 1 + data[0] / 16, answered);
  if (answered || whole.left || cut.left) return 0;
  // Of a head that is refused already the library itself counts the continuations, by the pieces that they come in.
  if (whole.why == Http2End::continuations || cut.why == Http2End::continuations) return 0;
  FUZZ_CHECK(whole.why == cut.why);
  FUZZ_CHECK(whole.arrivals.size() == cut.arrivals.size());
  for (std::size_t i = 0; i < whole.arrivals.size(); ++i) {
    const Http2Session::Arrival& a = whole.arrivals[i];
    const Http2Session::Arrival& b = cut.arrivals[i];
    FUZZ_CHECK(a.stream == b.stream && a.refusal == b.refusal && a.request.path == b.request.path && a.request.fields == b.request.fields &&
               a.request.body == b.request.body);
  }
  return 0;
}
