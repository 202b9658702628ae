#include "hub/environment.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "core/check.h"
#include "core/file.h"

namespace vl3::hub {
namespace {

/// "" for a variable that is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::filesystem::path home() {
  if (const std::string home = variable("HOME"); !home.empty()) return home;
  const passwd* entry = ::getpwuid(::getuid());
  VL3_CHECK(entry != nullptr && entry->pw_dir != nullptr, kInvalidArgument,
            "no home folder is known for the cache: set HF_HOME");
  return entry->pw_dir;
}

/// A leading "~" stands for the home folder, as a shell or another client would read it.
std::filesystem::path expand(const std::string& path) {
  if (path == "~" || path.starts_with("~/")) return home() / path.substr(std::min<size_t>(2, path.size()));
  return path;
}

std::filesystem::path hf_home() {
  if (const std::string home_dir = variable("HF_HOME"); !home_dir.empty()) return expand(home_dir);
  const std::string cache = variable("XDG_CACHE_HOME");
  return (cache.empty() ? home() / ".cache" : expand(cache)) / "huggingface";
}

std::string trimmed(const std::string& text) {
  const char* blanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(blanks);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace

std::filesystem::path default_cache_dir() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string dir = variable(name); !dir.empty()) return expand(dir);
  }
  return hf_home() / "hub";
}

std::string default_endpoint() {
  std::string endpoint = variable("HF_ENDPOINT");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  VL3_CHECK(!endpoint.empty(), kInvalidArgument,
            "no hub is named: set HF_ENDPOINT to its address (https://…), or give --endpoint");
  return endpoint;
}

std::string default_token() {
  if (std::string token = trimmed(variable("HF_TOKEN")); !token.empty()) return token;
  const std::string named = variable("HF_TOKEN_PATH");
  const std::filesystem::path path = named.empty() ? hf_home() / "token" : expand(named);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return "";
  try {
    return trimmed(read_file(path, 4096));
  } catch (const Error& failure) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("access token: {}", failure.what()));
  }
}

bool offline_by_environment() {
  for (const char* name : {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}) {
    std::string value = variable(name);
    for (char& c : value) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (value == "1" || value == "ON" || value == "YES" || value == "TRUE") return true;
    if (!value.empty()) return false;
  }
  return false;
}

}  // namespace vl3::hub
