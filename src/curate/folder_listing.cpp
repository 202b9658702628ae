#include "curate/folder_listing.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/check.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/printable.h"
#include "curate/annotation.h"
#include "curate/media_path.h"
#include "text/utf8.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxSidecar = kMaxAnnotation;

bool is_sidecar(const fs::path& name) {
  const std::string extension = lower_extension(name);
  return extension == "txt" || extension == "json" || extension == "jsonl";
}

// What a curation leaves (OutputLayout): its pictures and lists are no input.
bool is_curated(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "work" / "scoring_keys.txt", error);
}

class Walk {
 public:
  explicit Walk(const fs::path& output) : output_(output) {}

  /// @param out  where the lines go; null: only the digest is made.
  void run(const fs::path& folder, const fs::path& relative, AtomicFile* out) {
    out_ = out;
    enter(folder, relative);
    VL3_CHECK(!unreadable_top_, kNotFound, "{}: cannot be read: {}", folder.string(), first_unreadable_);
  }
  std::string digest() { return digest_.hex(); }

  std::vector<std::string> notes() const {
    std::vector<std::string> lines;
    if (unreadable_ > 0)
      lines.push_back(fmt::format("{} folders cannot be read and are left out, the first: {}", unreadable_,
                                  first_unreadable_));
    if (curated_ > 0)
      lines.push_back(fmt::format("{} folders are outputs of curations and are left out, the first: {}",
                                  curated_, first_curated_));
    return lines;
  }

 private:
  void enter(const fs::path& folder, const fs::path& relative) {
    std::vector<fs::directory_entry> entries;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      entries.push_back(*it);
    if (error) {
      unreadable_top_ = depth_ == 0;
      if (unreadable_++ == 0) first_unreadable_ = fmt::format("{}: {}", folder.string(), error.message());
      digest_.add("unreadable " + relative.string() + "\n");
    }
    std::sort(entries.begin(), entries.end());
    ++depth_;
    for (const fs::directory_entry& entry : entries) {
      const fs::path name = entry.path().filename();
      std::error_code ignored;
      if (name.native().starts_with('.')) continue;
      if (!entry.is_directory(ignored) || entry.is_symlink(ignored)) {
        add(entry.path(), relative / name);
      } else if (entry.path() == output_ || is_curated(entry.path())) {
        if (entry.path() != output_ && curated_++ == 0) first_curated_ = entry.path().string();
      } else {
        enter(entry.path(), relative / name);
      }
    }
    --depth_;
  }

  void add(const fs::path& path, const fs::path& relative) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) status = {};  // a link to nothing: named all the same
    const std::string text = relative.string();
    digest_.add(
        fmt::format("{}\n{} {}.{}\n", text, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
    if (out_ == nullptr || is_sidecar(relative)) return;
    Json line;
    if (text::find_invalid_utf8(text) == std::string_view::npos) {
      line["image"] = text;
    } else {
      line["image"] = printable(text);
      line["not_utf8"] = true;
    }
    const std::string row = line.dump() + "\n";
    out_->append(row.data(), row.size());
  }

  const fs::path& output_;
  AtomicFile* out_ = nullptr;
  Digest digest_;
  int depth_ = 0;
  bool unreadable_top_ = false;
  int64_t unreadable_ = 0, curated_ = 0;
  std::string first_unreadable_, first_curated_;
};

// The text of "a/b" + extension, or of the same in capitals; nullopt without such a file.
std::optional<std::string> read_beside(const std::string& extension, Item* item, std::string* name) {
  const fs::path media(item->media);
  std::string capitals = extension;
  for (char& c : capitals) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const std::string& spelling : {extension, capitals}) {
    *name = (media.parent_path() / media.stem()).string() + spelling;
    const ResolvedMedia found = resolve_media(item->root, *name);
    if (found.reason == "missing") continue;
    try {
      VL3_CHECK(found.reason.empty(), kInvalidArgument, "{}: {}", *name, found.reason);
      return read_file(found.path, kMaxSidecar);
    } catch (const Error& error) {
      add_detail(error.what(), item);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<fs::path> tars_in(const fs::path& folder) {
  std::vector<fs::path> tars;
  std::string other;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const fs::path name = it->path().filename();
    std::error_code ignored;
    if (name.native().starts_with('.') || !it->is_regular_file(ignored)) continue;
    if (name.extension() == ".tar") tars.push_back(it->path());
    if (other.empty() && is_media_name(name)) other = name.string();
  }
  VL3_CHECK(!error, kNotFound, "{}: cannot be read: {}", folder.string(), error.message());
  VL3_CHECK(tars.empty() || other.empty(), kInvalidArgument,
            "{0}: holds tars and pictures ({1}): move one kind away, or take the tars alone by {0}/*.tar",
            folder.string(), other);
  std::sort(tars.begin(), tars.end());
  return tars;
}

FolderListing list_folder(const fs::path& folder, const fs::path& root, const fs::path& output,
                          const fs::path& stem) {
  const fs::path relative = folder.lexically_relative(root);
  VL3_CHECK(!relative.empty() && !relative.native().starts_with(".."), kInvalidArgument,
            "{}: lies outside of the data root {}", folder.string(), root.string());
  VL3_CHECK(folder != output, kInvalidArgument, "{}: is the output folder itself; give another one",
            folder.string());
  const fs::path below = relative == "." ? fs::path() : relative;
  Walk look(output);
  look.run(folder, below, nullptr);
  FolderListing listing{"", look.digest(), look.notes()};
  listing.file = fmt::format("{}-{:.16}.jsonl", stem.string(), listing.digest);
  if (fs::exists(listing.file)) return listing;
  AtomicFile out(listing.file);
  Walk write(output);
  write.run(folder, below, &out);
  VL3_CHECK(write.digest() == listing.digest, kInvalidArgument, "{}: changes while it is listed; try again",
            folder.string());
  out.commit();
  return listing;
}

void read_sidecars(const InputConfig& input, Item* item) {
  std::string name;
  if (const std::optional<std::string> text = read_beside(".json", item, &name)) {
    Item beside;
    read_annotation(*text, input, &beside, MediumIs::kBeside);
    item->id = beside.id;
    item->text_bytes += beside.text_bytes;
    item->source = std::move(beside.source);
    item->caption = std::move(beside.caption);
    if (!beside.reason.empty())
      add_detail(fmt::format("{}: {}: {}", name, beside.reason, beside.detail), item);
  }
  if (const std::optional<std::string> text = read_beside(".txt", item, &name)) {
    item->text_bytes += text->size();
    read_caption_text(*text, fs::path(name).filename().string(), item);
  }
}

}  // namespace vl3::curate
