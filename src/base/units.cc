#include "base/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace arena {
namespace {

using Factor = std::pair<std::string_view, uint64_t>;

constexpr std::array<Factor, 5> kAges{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Factor, 10> kSizes{{{"TB", 1'000'000'000'000},
                                       {"GB", 1'000'000'000},
                                       {"MB", 1'000'000},
                                       {"KB", 1000},
                                       {"TiB", uint64_t{1} << 40},
                                       {"GiB", uint64_t{1} << 30},
                                       {"MiB", uint64_t{1} << 20},
                                       {"KiB", uint64_t{1} << 10},
                                       {"B", 1},
                                       {"", 1}}};

template <std::size_t N>
std::optional<uint64_t> number_of(std::string_view text, const std::array<Factor, N>& units) {
  uint64_t count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (fault != std::errc{} || text.empty()) return std::nullopt;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto found = std::find_if(units.begin(), units.end(), [&](const Factor& one) { return one.first == unit; });
  if (found == units.end() || count > INT64_MAX / found->second) return std::nullopt;
  return count * found->second;
}

}  // namespace

std::optional<int64_t> age_of(std::string_view text) {
  const auto ms = number_of(text, kAges);
  return ms ? std::optional(static_cast<int64_t>(*ms)) : std::nullopt;
}

std::optional<uint64_t> bytes_of(std::string_view text) { return number_of(text, kSizes); }

std::string age_text(int64_t ms) {
  for (const auto& [unit, factor] : kAges) {
    if (ms != 0 && static_cast<uint64_t>(ms) % factor == 0) return fmt::format("{}{}", static_cast<uint64_t>(ms) / factor, unit);
  }
  return "0s";
}

std::string bytes_text(uint64_t bytes) {
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& [unit, factor] = kSizes[i];
    if (bytes >= factor) return fmt::format("{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(factor), unit);
  }
  return fmt::format("{} B", bytes);
}

}  // namespace arena
