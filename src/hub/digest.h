// The hashes by which a hub names files.
#pragma once

#include <filesystem>
#include <string>

namespace vl3::hub {

/// The hash of the file's bytes that an etag of this form stands for, in lower-case hex: 64 digits SHA-256
/// (large files), 40 digits the SHA-1 of a git blob (a "blob SIZE\0" in front). "" for an etag of another
/// form.
/// @throws Error(kCorrupt) when the file cannot be read.
std::string digest_like(const std::string& etag, const std::filesystem::path& path);

}  // namespace vl3::hub
