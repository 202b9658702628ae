// Folders of media as an input: a list of their files, and the captions that lie beside them. Stateless.
#pragma once

#include <filesystem>
#include <vector>

#include "curate/item.h"

namespace vl3::curate {

/// The .tar files directly inside, sorted; none where it is an ordinary folder.
std::vector<std::filesystem::path> tars_in(const std::filesystem::path& folder);

/// Writes `listing`, a line {"image": name relative to `root`} for each file below `folder`, in the order of
/// their names; memory holds one folder at a time. Hidden files and sidecars (.txt, .json) are left out;
/// links are listed, links to folders not entered. Left as it is where it exists.
/// @throws Error(kInvalidArgument) where `folder` lies outside of `root`.
void write_listing(const std::filesystem::path& folder, const std::filesystem::path& root,
                   const std::filesystem::path& listing);

/// The caption of "a/b.jpg" out of "a/b.txt", or of "a/b.json" by input.caption_key.
void read_sidecar(const std::filesystem::path& root, const InputConfig& input, Item* item);

}  // namespace vl3::curate
