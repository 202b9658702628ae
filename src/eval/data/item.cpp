#include "eval/data/item.h"

#include <map>
#include <set>

#include "core/check.h"
#include "core/digest.h"

namespace vl3::eval {

std::string Medium::key() const {
  std::string key = (video ? "video " : "image ") + path.string();
  if (!inside.empty()) key += " " + inside;
  if (start) key += fmt::format(" from {}", *start);
  if (end) key += fmt::format(" to {}", *end);
  return key;
}

std::string id_text(const Json& id) { return id.is_string() ? id.get<std::string>() : id.dump(); }

std::string question_key(const Item& item, const std::filesystem::path& root) {
  std::string text;
  const auto add_file = [&](const std::filesystem::path& path) {
    std::error_code error;
    const auto size =
        std::filesystem::is_regular_file(path, error) ? std::filesystem::file_size(path, error) : 0;
    text += fmt::format("{} {}|", path.lexically_relative(root).generic_string(), error ? 0 : size);
  };
  for (const Piece& piece : item.prompt)
    text += fmt::format("{} {}|{}|", piece.medium, piece.text.size(), piece.text);
  for (const Medium& medium : item.media) {
    add_file(medium.path);
    text += fmt::format("{} {} {} {}|", medium.video, medium.inside, medium.start.value_or(-1),
                        medium.end.value_or(-1));
  }
  if (item.subtitles.kind != SubtitleSource::kNone) add_file(item.subtitles.file);
  text += fmt::format("{} {}", item.subtitles.offset_s, item.subtitles.duration_s);
  return id_text(item.id) + " " + sha256_hex(text).substr(0, 16);
}

Dataset make_dataset(std::vector<Item> items) {
  Dataset data;
  data.items = std::move(items);
  std::map<std::string, size_t> group_of;
  std::set<std::string> ids;
  for (size_t i = 0; i < data.items.size(); ++i) {
    Item& item = data.items[i];
    // DIFFERS: the official dictionaries lose the first of two items with one id (MME, ChartQA).
    const std::string plain = id_text(item.id);
    for (int n = 2; !ids.insert(id_text(item.id)).second; ++n) item.id = fmt::format("{}#{}", plain, n);
    const bool alone = item.media.size() != 1 || item.media.front().bytes != nullptr;
    const std::string key = alone ? "" : item.media.front().key();
    const auto known = alone ? group_of.end() : group_of.find(key);
    if (known != group_of.end()) {
      data.groups[known->second].push_back(i);
      continue;
    }
    if (!alone) group_of.emplace(key, data.groups.size());
    data.groups.push_back({i});
  }
  return data;
}

}  // namespace vl3::eval
