// Names that become paths or URLs: each is checked before it is used as one.
#pragma once

#include <string>
#include <string_view>

namespace vl3::hub {

/// "ORG/NAME": letters, digits, "-", "_", "."; neither part starts or ends with "-" or "."; no "--" and no
/// "..", no ".git" at the end, at most 96 characters. @throws Error(kInvalidArgument).
void check_repo_id(const std::string& repo_id);

/// A branch, tag or commit as git allows it: it becomes a file below refs/. @throws Error(kInvalidArgument).
void check_revision(const std::string& revision);

/// 40 lower-case hex digits.
bool is_commit(std::string_view text);

/// A file name within a repository, from the server: relative, without "." and ".." parts, backslashes or
/// control characters, at most 512 bytes. @throws Error(kCorrupt).
void check_file_name(const std::string& name);

/// The etag of a Linked-Etag or ETag header without W/ and quotes. It becomes a file name: letters, digits,
/// "-", "_" and inner dots, at most 128. @throws Error(kCorrupt) naming `file`.
std::string clean_etag(std::string_view header, const std::string& file);

/// "models--ORG--NAME".
std::string repo_folder(const std::string& repo_id);

/// Shell-style match of a whole name; "*" also matches "/".
bool glob_matches(const std::string& pattern, const std::string& name);

}  // namespace vl3::hub
