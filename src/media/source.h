// Where media come from: a path, stdin, a data: URL, http(s), file://. Gives bytes in memory or a path,
// nothing decoded. Also tells an image from a video by its first bytes; names and extensions are never
// trusted. Thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "media/limits.h"

namespace vl3::media {

/// A medium to be opened. Copies share the bytes or the temporary file, which goes with the last copy.
struct MediaData {
  std::string name;                          ///< for people: printable(), and a long one is shortened
  std::filesystem::path path;                ///< file or folder; empty when the bytes are in memory
  std::shared_ptr<const std::string> bytes;  ///< null when there is a path
  std::shared_ptr<const void> owner;         ///< keeps a temporary file alive
  bool in_memory() const { return bytes != nullptr; }
};

/// @param ref  a path, "-" (stdin), data:…, file://…, http://… or https://…
/// @throws Error(kNotFound) for a missing file or host; Error(kInvalidArgument) for an empty or malformed
/// reference or unknown scheme; Error(kResourceExhausted) past limits.max_bytes or max_file_bytes;
/// Error(kCorrupt) for broken base64.
MediaData open_media(const std::string& ref, const MediaLimits& limits = {});

/// The same for bytes already at hand (a request's body).
MediaData media_from_bytes(std::string bytes, std::string name, const MediaLimits& limits = {});

/// The same for any open descriptor (stdin is 0). What comes from there or over http(s) is kept in memory up
/// to 64 MiB, then in an unlinked temporary file.
MediaData media_from_descriptor(int fd, const std::string& name, const MediaLimits& limits = {});

enum class MediaKind { kImage, kVideo, kFrameFolder };

const char* media_kind_name(MediaKind kind);

/// By magic bytes. An animated GIF is a video, a GIF of one frame and an animated WebP are images.
/// @throws Error(kUnsupported) for bytes of no known kind and for playlists, which name other files;
///   Error(kCorrupt) for an empty file; Error(kNotFound) for a folder without images.
MediaKind sniff_media(const MediaData& media, const MediaLimits& limits = {});

/// The whole of a medium in memory (a still): shared where it is there already.
/// @throws Error(kResourceExhausted) past limits.max_bytes.
std::shared_ptr<const std::string> read_media(const MediaData& media, const MediaLimits& limits = {});

/// The pictures of a frame folder, sorted by file name as bytes (Python's sorted(os.listdir())). Hidden
/// files, and files which are no pictures, are left out.
/// @param others  the number of the latter, where asked for.
/// @throws Error(kNotFound) when none is left; Error(kResourceExhausted) past limits.max_frames.
std::vector<std::filesystem::path> list_frames(const std::filesystem::path& folder,
                                               const MediaLimits& limits = {}, size_t* others = nullptr);

}  // namespace vl3::media
