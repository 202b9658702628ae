// The one gate between a name that an input gives and a file that is opened: only regular files below the
// data root, links followed first; and what names look like. Stateless.
#pragma once

#include <filesystem>
#include <string>

namespace vl3::curate {

struct ResolvedMedia {
  std::filesystem::path path;  ///< canonical; empty where the name is refused
  std::string reason;          ///< "" or why it is refused: see kRefusals
  std::string detail;
};

/// Refusals, as `reason` in dropped.jsonl:
///   "name_empty", "name_not_utf8", "name_control_characters", "name_too_long", "not_local" (a URL),
///   "absolute_path", "outside_data_root" ("..", or a link that leads out), "missing", "not_a_file".
/// @param root  canonical.
ResolvedMedia resolve_media(const std::filesystem::path& root, const std::string& name);

/// What follows the last dot of the name, in lower case: "jpg"; "" without one.
std::string lower_extension(const std::filesystem::path& name);

/// Whether the name looks like a picture's or a video's. Only ever to guess what is meant: what a file is,
/// its bytes say.
bool is_media_name(const std::filesystem::path& name);

}  // namespace vl3::curate
