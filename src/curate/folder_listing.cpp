#include "curate/folder_listing.h"

#include <algorithm>

#include "core/check.h"
#include "core/file.h"
#include "core/printable.h"
#include "curate/media_path.h"
#include "text/utf8.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxSidecar = 1 << 20;

bool is_sidecar(const fs::path& name) {
  return name.extension() == ".txt" || name.extension() == ".json" || name.extension() == ".jsonl";
}

void list_folder(const fs::path& folder, const fs::path& relative, AtomicFile* out) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    entries.push_back(*it);
  std::sort(entries.begin(), entries.end());
  for (const fs::directory_entry& entry : entries) {
    const fs::path name = entry.path().filename();
    if (name.native().starts_with('.') || is_sidecar(name)) continue;
    std::error_code ignored;
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) {
      list_folder(entry.path(), relative / name, out);
      continue;
    }
    Json line;
    const std::string text = (relative / name).string();
    if (text::find_invalid_utf8(text) == std::string_view::npos) {
      line["image"] = text;
    } else {
      line["image"] = printable(text);
      line["not_utf8"] = true;
    }
    const std::string row = line.dump() + "\n";
    out->append(row.data(), row.size());
  }
}

}  // namespace

std::vector<fs::path> tars_in(const fs::path& folder) {
  std::vector<fs::path> tars;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".tar" && entry.is_regular_file()) tars.push_back(entry.path());
  }
  std::sort(tars.begin(), tars.end());
  return tars;
}

void write_listing(const fs::path& folder, const fs::path& root, const fs::path& listing) {
  if (fs::exists(listing)) return;
  const fs::path relative = folder.lexically_relative(root);
  VL3_CHECK(!relative.empty() && !relative.native().starts_with(".."), kInvalidArgument,
            "{}: lies outside of the data root {}", folder.string(), root.string());
  AtomicFile out(listing);
  list_folder(folder, relative == "." ? fs::path() : relative, &out);
  out.commit();
}

void read_sidecar(const fs::path& root, const InputConfig& input, Item* item) {
  const fs::path media(item->media);
  for (const char* extension : {".txt", ".json"}) {
    const ResolvedMedia found =
        resolve_media(root, (media.parent_path() / media.stem()).string() + extension);
    if (!found.reason.empty()) continue;
    try {
      const std::string text = read_file(found.path, kMaxSidecar);
      if (std::string(extension) == ".txt") {
        if (text::find_invalid_utf8(text) == std::string_view::npos) item->caption = text;
        return;
      }
      const Json json = parse_json(text, "sidecar");
      for (const std::string& key : input.caption_key) {
        if (!json.is_object() || !json.contains(key) || !json[key].is_string()) continue;
        item->caption = json[key].get<std::string>();
        return;
      }
    } catch (const Error&) {
      continue;  // the picture stands without a caption
    }
  }
}

}  // namespace vl3::curate
