#include "curate/media_path.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/ascii.h"
#include "core/printable.h"
#include "text/utf8.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

bool is_url(const std::string& name) {
  const size_t colon = name.find(':');
  if (colon == std::string::npos || colon < 2) return false;
  return name.compare(0, 5, "data:") == 0 || name.compare(colon, 3, "://") == 0;
}

bool has_controls(const std::string& name) {
  return std::any_of(name.begin(), name.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool inside(const fs::path& root, const fs::path& path) {
  const auto [at_root, at_path] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return at_root == root.end();
}

}  // namespace

ResolvedMedia resolve_media(const fs::path& root, const std::string& name) {
  const std::string shown = printable(name.substr(0, 200));
  if (name.empty()) return {{}, "name_empty", ""};
  if (name.size() > 4000) return {{}, "name_too_long", std::to_string(name.size()) + " bytes"};
  if (text::find_invalid_utf8(name) != std::string_view::npos) return {{}, "name_not_utf8", shown};
  if (has_controls(name)) return {{}, "name_control_characters", shown};
  if (is_url(name)) return {{}, "not_local", shown};
  if (name[0] == '/') return {{}, "absolute_path", shown};

  std::error_code error;
  const fs::path joined = root / name;
  // Before the disk is asked at all: nothing outside may even be looked for.
  if (!inside(root, joined.lexically_normal())) return {{}, "outside_data_root", shown};
  const fs::path found = fs::weakly_canonical(joined, error);
  if (error)
    return {{},
            error == std::errc::filename_too_long ? "name_too_long" : "missing",
            shown + ": " + error.message()};
  if (!inside(root, found)) return {{}, "outside_data_root", shown};
  const fs::file_status status = fs::status(found, error);
  if (status.type() == fs::file_type::not_found) return {{}, "missing", shown};
  if (error) return {{}, "missing", shown + ": " + error.message()};
  if (!fs::is_regular_file(status)) return {{}, "not_a_file", shown};
  return {found, "", ""};
}

std::string lower_extension(const fs::path& name) {
  std::string extension = name.extension().string();
  if (!extension.empty()) extension.erase(0, 1);
  return ascii_lower(extension);
}

bool is_media_name(const fs::path& name) {
  static constexpr std::array<std::string_view, 19> kKnown = {
      "jpg",  "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif",
      "avif", "mp4",  "m4v", "webm", "mkv", "avi", "mov", "mpg",  "mpeg"};
  return std::find(kKnown.begin(), kKnown.end(), lower_extension(name)) != kKnown.end();
}

}  // namespace vl3::curate
