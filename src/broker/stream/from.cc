#include "broker/stream/from.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/units.h"

namespace arena::broker {
namespace {

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.front() == '-' || fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Days since 1970-01-01 of a day of the Gregorian calendar.
int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

// "2026-11-26T10:00:00Z", with a fraction of a second or without.
std::optional<int64_t> time_ms(std::string_view text) {
  if (text.size() < 20 || text.back() != 'Z' || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
      text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const auto field = [&](std::size_t at, std::size_t size) { return number<int64_t>(text.substr(at, size)); };
  const auto year = field(0, 4), month = field(5, 2), day = field(8, 2), hour = field(11, 2), minute = field(14, 2), second = field(17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  int64_t ms = 0;
  if (text.size() > 20) {
    if (text[19] != '.' || text.size() > 24) return std::nullopt;
    const std::string_view fraction = text.substr(20, text.size() - 21);
    const auto value = number<int64_t>(fraction);
    if (!value) return std::nullopt;
    ms = *value * (fraction.size() == 1 ? 100 : fraction.size() == 2 ? 10 : 1);
  }
  return ((days_from_civil(*year, *month, *day) * 24 + *hour) * 60 + *minute) * 60'000 + *second * 1000 + ms;
}

std::optional<std::string_view> next_part(std::string_view& rest, char mark) {
  if (rest.data() == nullptr) return std::nullopt;
  const std::size_t at = rest.find(mark);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return part;
}

std::optional<Places> positions(std::string_view text) {
  Places out;
  while (const auto token = next_part(text, ',')) {
    std::string_view rest = *token;
    const auto epoch = number<uint32_t>(next_part(rest, '.').value_or(""));
    const auto log = number<uint32_t>(next_part(rest, '.').value_or(""));
    const auto partition = number<uint16_t>(next_part(rest, '.').value_or(""));
    const auto offset = number<uint64_t>(next_part(rest, '.').value_or(""));
    if (epoch != 0U || !log || !partition || !offset || rest.data() != nullptr || *offset == UINT64_MAX) return std::nullopt;
    out.emplace_back(LogName{*partition, static_cast<LogId>(*log)}, *offset);
  }
  return out;
}

}  // namespace

Result<ReplayFrom> parse_from(std::string_view text, int64_t now_ms) {
  ReplayFrom from;
  if (text == "earliest") return from;
  if (text == "latest") {
    from.kind = ReplayFrom::Kind::latest;
  } else if (const auto offset = number<uint64_t>(text)) {
    from.kind = ReplayFrom::Kind::offset;
    from.offset = *offset;
  } else if (const auto ago = age_of(text)) {
    from.kind = ReplayFrom::Kind::time;
    from.time_ms = now_ms - std::min(*ago, now_ms);
  } else if (const auto at = time_ms(text)) {
    from.kind = ReplayFrom::Kind::time;
    from.time_ms = *at;
  } else if (const auto unix_ms = text.starts_with('@') ? number<int64_t>(text.substr(1)) : std::nullopt) {
    from.kind = ReplayFrom::Kind::time;
    from.time_ms = *unix_ms;
  } else if (auto after = positions(text)) {
    from.kind = ReplayFrom::Kind::after;
    from.after = std::move(*after);
  } else {
    return fail_with("\"" + std::string(text) +
                     "\" is no place to replay from: earliest, latest, an offset, an age such as 10m, a time such as "
                     "2026-11-26T10:00:00Z, or a position");
  }
  return from;
}

std::string to_text(LogName log, uint64_t offset) {
  return "0." + std::to_string(static_cast<uint32_t>(log.log)) + "." + std::to_string(log.partition) + "." + std::to_string(offset);
}

}  // namespace arena::broker
