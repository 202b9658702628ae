#include "hub/names.h"

#include <fnmatch.h>

#include <algorithm>

#include "core/check.h"
#include "hub/hub.h"

namespace vl3::hub {
namespace {

constexpr size_t kMaxRepoId = 96;
constexpr size_t kMaxRevision = 200;
constexpr size_t kMaxFileName = 512;
constexpr size_t kMaxPathPart = 200;  // file systems take 255; room for what temporary names add
constexpr size_t kMaxEtag = 128;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// Calls `bad(part)` on each part between slashes; true when one is bad.
template <typename Predicate>
bool any_part(std::string_view text, Predicate bad) {
  for (;;) {
    const size_t slash = text.find('/');
    if (bad(text.substr(0, slash))) return true;
    if (slash == std::string_view::npos) return false;
    text.remove_prefix(slash + 1);
  }
}

bool bad_repo_part(std::string_view part) {
  if (part.empty() || part.front() == '-' || part.front() == '.' || part.back() == '-' || part.back() == '.')
    return true;
  return !std::all_of(part.begin(), part.end(), [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

}  // namespace

bool is_repo_id(const std::string& text) {
  return text.size() <= kMaxRepoId && std::count(text.begin(), text.end(), '/') == 1 &&
         !any_part(text, bad_repo_part) && text.find("--") == std::string::npos &&
         text.find("..") == std::string::npos && !text.ends_with(".git");
}

std::optional<ModelName> parse_model_name(const std::string& text) {
  const size_t at = text.find('@');
  ModelName name{.repo_id = text.substr(0, at)};
  if (!is_repo_id(name.repo_id)) return std::nullopt;
  if (at != std::string::npos) name.revision = text.substr(at + 1);
  return name;
}

void check_repo_id(const std::string& repo_id) {
  VL3_CHECK(is_repo_id(repo_id), kInvalidArgument,
            "\"{}\" is not the name of a repository: it is ORG/NAME of letters, digits, - _ and . (without "
            "-- and ..)",
            repo_id.substr(0, 120));
}

void check_revision(const std::string& revision) {
  const bool characters = std::all_of(revision.begin(), revision.end(), [](char c) {
    return c > 0x20 && c < 0x7f && std::string_view("~^:?*[\\").find(c) == std::string_view::npos;
  });
  const bool parts = !any_part(revision, [](std::string_view part) {
    return part.empty() || part.size() > kMaxPathPart || part.front() == '.' || part.front() == '-' ||
           part.back() == '.' || part.ends_with(".lock");
  });
  VL3_CHECK(characters && parts && revision.size() <= kMaxRevision &&
                revision.find("..") == std::string::npos && revision.find("@{") == std::string::npos,
            kInvalidArgument, "revision \"{}\": not the name of a branch, tag or commit",
            revision.substr(0, 220));
}

bool is_commit(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void check_file_name(const std::string& name) {
  const bool characters =
      std::none_of(name.begin(), name.end(), [](char c) { return is_control(c) || c == '\\'; });
  const bool parts = !any_part(name, [](std::string_view part) {
    return part.empty() || part.size() > kMaxPathPart || part == "." || part == "..";
  });
  VL3_CHECK(characters && parts && name.size() <= kMaxFileName, kCorrupt,
            "the hub lists a file \"{}\": not a name that may be written", name.substr(0, 200));
}

std::string clean_etag(std::string_view header, const std::string& file) {
  std::string_view etag = header;
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  const bool plain =
      !etag.empty() && etag.size() <= kMaxEtag && etag.front() != '.' && etag.front() != '-' &&
      !etag.ends_with(".incomplete") &&
      std::all_of(etag.begin(), etag.end(), [](char c) { return is_word(c) || c == '-' || c == '.'; });
  VL3_CHECK(plain, kCorrupt, "{}: the hub gives the etag \"{}\": not one to store a file under", file,
            header.substr(0, 140));
  return std::string(etag);
}

std::string repo_folder(const std::string& repo_id) {
  const size_t slash = repo_id.find('/');
  return fmt::format("models--{}--{}", repo_id.substr(0, slash), repo_id.substr(slash + 1));
}

bool glob_matches(const std::string& pattern, const std::string& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

}  // namespace vl3::hub
