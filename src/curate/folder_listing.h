// Folders of media as an input: a list of their files, and the captions that lie beside them. Stateless.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "curate/item.h"

namespace vl3::curate {

/// The .tar files directly inside, sorted; none where it is an ordinary folder.
/// @throws Error(kInvalidArgument) where pictures or videos lie beside them: which are meant cannot be told.
std::vector<std::filesystem::path> tars_in(const std::filesystem::path& folder);

struct FolderListing {
  std::filesystem::path file;  ///< a line {"image": name relative to the root} for each file
  std::string digest;          ///< of the names, sizes and times of all files, captions beside them included
  std::vector<std::string> notes;  ///< what was left out, a line each
};

/// Lists the files below `folder` in the order of their names; memory holds one folder at a time. Hidden
/// files and sidecars (.txt, .json, .jsonl) are left out, and so are `output` and the outputs of other
/// curations; links are listed, links to folders not entered. The file's name has the digest in it: processes
/// that still read the list of a folder that has changed since are not disturbed.
/// @param folder, root, output  canonical.
/// @param stem  of the list's name, with its folder.
/// @throws Error(kInvalidArgument) where `folder` lies outside of `root`, is the output folder, or changes
/// meanwhile; Error(kNotFound) where it cannot be read.
FolderListing list_folder(const std::filesystem::path& folder, const std::filesystem::path& root,
                          const std::filesystem::path& output, const std::filesystem::path& stem);

/// What lies beside "a/b.jpg": the caption in "a/b.txt"; caption, id and columns in "a/b.json". A broken
/// sidecar is told in `detail`: the picture stands without it.
void read_sidecars(const InputConfig& input, Item* item);

}  // namespace vl3::curate
