#include "access/users.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "access/password.h"
#include "base/utf8.h"

namespace arena::access {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kFileBytesMax = std::size_t{64} << 20;

class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() { close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool close() { return fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

Failure<Error> system_failure(const std::string& path, std::string_view what) {
  return fail_with(fmt::format("{}: cannot {}: {}", path, what, std::strerror(errno)));
}

Result<std::string> read_file(const std::string& path) {
  const File file(path, O_RDONLY);
  if (!file.is_open()) return system_failure(path, "open the users file");
  std::string text;
  char chunk[16384];
  while (true) {
    const ssize_t size = ::read(file.fd(), chunk, sizeof chunk);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_failure(path, "read the users file");
    if (size == 0) return text;
    text.append(chunk, static_cast<std::size_t>(size));
    if (text.size() > kFileBytesMax) return fail_with(fmt::format("{}: the users file is larger than 64 MiB", path));
  }
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

std::string folder_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// The new content is on disk under another name before it takes the old one's place: a crash leaves one or the other.
Status replace_file(const std::string& path, std::string_view text, int folder_fd) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  File file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (!file.is_open()) return system_failure(temporary, "create it");
  if (!write_all(file.fd(), text) || ::fsync(file.fd()) != 0 || !file.close() ||
      ::rename(temporary.c_str(), path.c_str()) != 0 || ::fsync(folder_fd) != 0) {
    const auto failure = system_failure(path, "write the users file");
    ::unlink(temporary.c_str());
    return failure;
  }
  return Unit{};
}

// Calls take(line, number) for every line that is not a comment or blank, until it returns false.
template <typename Take>
void for_each_entry(std::string_view text, Take take) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.front() != '#' && !take(line, number)) return;
  }
}

std::string_view name_of(std::string_view line) { return line.substr(0, line.find(':')); }

// The text without the line of `name`.
std::string without(std::string_view text, std::string_view name) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, size);
    text.remove_prefix(size);
    if (line.front() == '#' || name_of(line) != name) out.append(line);
  }
  return out;
}

std::string with_line(std::string text, std::string_view name, std::string_view hash) {
  if (!text.empty() && text.back() != '\n') text.push_back('\n');
  return text + fmt::format("{}:{}\n", name, hash);
}

bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;  // C1
  }
  return false;
}

}  // namespace

std::optional<std::string> check_user_name(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kUserNameBytesMax) return fmt::format("is longer than {} bytes", kUserNameBytesMax);
  if (!is_utf8(name)) return "is not well-formed UTF-8";
  if (has_control(name)) return "contains a control character";
  if (name.find_first_of(":+#/"sv) != std::string_view::npos) return "contains one of ':', '+', '#', '/'";
  if (name.front() == ' ' || name.back() == ' ') return "begins or ends with a space";
  return std::nullopt;
}

Result<UserTable> UserTable::parse(std::string_view text, std::string_view source) {
  UserTable table;
  std::optional<std::string> refusal;
  for_each_entry(text, [&](std::string_view line, std::size_t number) {
    const auto refuse = [&](std::string_view what) {
      refusal = fmt::format("{}:{}: {}", source, number, what);
      return false;
    };
    const std::size_t colon = line.find(':');
    // The line itself is not shown: it may hold a hash.
    if (colon == std::string_view::npos) return refuse("expected \"name:hash\", made by `arena user add`");
    const std::string_view name = line.substr(0, colon);
    const std::string hash(line.substr(colon + 1));
    if (const auto fault = check_user_name(name)) return refuse("the user name " + *fault);
    if (!is_password_hash(hash)) return refuse("not an Argon2id hash; make one by `arena user passwd`");
    if (!table.hashes_.emplace(name, hash).second) return refuse("the user is listed twice");
    table.names_.emplace_back(name);
    return true;
  });
  if (refusal) return fail_with(*std::move(refusal));
  return table;
}

Result<UserTable> UserTable::load(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return fail(text.error());
  return parse(*text, path);
}

const std::string* UserTable::hash_of(std::string_view name) const {
  const auto found = hashes_.find(name);
  return found == hashes_.end() ? nullptr : &found->second;
}

const std::string& UserTable::hash_like(std::string_view name) const {
  return hashes_.find(names_[hash64(name, StringHash::seed) % names_.size()])->second;
}

namespace {

// Where a symbolic link leads: it is that file which is replaced, and the link stays.
std::string followed(const std::string& path) {
  std::error_code error;
  const std::filesystem::path end = std::filesystem::canonical(path, error);
  return error ? path : end.string();
}

}  // namespace

Status UsersFile::apply(Change change, const std::string& name, const std::string& hash) {
  if (const auto fault = check_user_name(name)) return fail_with("the user name " + *fault);
  // Locking the folder keeps two editors apart without leaving a lock file behind.
  const std::string path = followed(path_);
  const std::string folder_path = folder_of(path);
  const File folder(folder_path, O_RDONLY | O_DIRECTORY);
  if (!folder.is_open()) return system_failure(folder_path, "open the folder of the users file");
  if (::flock(folder.fd(), LOCK_EX) != 0) return system_failure(folder_path, "lock the folder of the users file");

  std::string text;
  if (std::error_code error; change != Change::add || std::filesystem::exists(path_, error) || error) {
    auto read = read_file(path_);
    if (!read) return fail(read.error());
    text = *std::move(read);
  }
  const auto table = UserTable::parse(text, path_);
  if (!table) return fail(table.error());
  const bool known = table->hash_of(name) != nullptr;
  if (change == Change::add && known) {
    return fail_with(fmt::format("the user \"{}\" exists already; to change the password: arena user passwd", name));
  }
  if (change != Change::add && !known) return fail_with(fmt::format("there is no user \"{}\" in {}", name, path_));
  if (change != Change::add) text = without(text, name);
  if (change != Change::remove) text = with_line(std::move(text), name, hash);
  return replace_file(path, text, folder.fd());
}

}  // namespace arena::access
