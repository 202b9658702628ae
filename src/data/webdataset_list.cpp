#include "data/webdataset_list.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "core/log.h"
#include "data/bad_sample.h"
#include "data/random.h"
#include "text/white_space.h"

namespace vl3::data {
namespace {

constexpr uint64_t kGlanceBytes = 64u << 10;  // of a member; annotations and headers of pictures mostly fit

constexpr std::array<std::string_view, 11> kImageExtensions = {"jpg", "jpeg", "png",  "webp", "gif", "bmp",
                                                               "tif", "tiff", "heic", "heif", "avif"};
constexpr std::array<std::string_view, 8> kVideoExtensions = {"mp4", "webm", "mkv", "avi",
                                                              "mov", "m4v",  "ts",  "mpg"};

/// Whether the last part of an extension ("seg.png") is one of a list.
template <typename List>
bool is_one_of(const List& list, const std::string& extension) {
  std::string last = extension.substr(extension.rfind('.') + 1);
  std::ranges::transform(last, last.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(list, last) != list.end();
}

std::string base_name(const std::string& name) { return name.substr(name.rfind('/') + 1); }

/// A caption sample as an annotation.
std::string caption_annotation(const std::string& key, const std::string& caption,
                               const std::vector<std::string>& images,
                               const std::vector<std::string>& videos) {
  VL3_SAMPLE_CHECK(!images.empty() || videos.size() == 1, kSchema,
                   "{}: a caption with {} images and {} videos; images or one video are needed", key,
                   images.size(), videos.size());
  const std::string_view answer = text::strip(caption);
  VL3_SAMPLE_CHECK(!answer.empty(), kNoAssistant, "{}: the caption is empty", key);
  std::string question;
  for (size_t i = 0; i < std::max<size_t>(images.size(), 1); ++i)
    question += images.empty() ? "<video>" : "<image>";
  Json json = {
      {"id", key},
      {"conversations", {{{"from", "human"}, {"value", question}}, {{"from", "gpt"}, {"value", answer}}}}};
  json[images.empty() ? "video" : "image"] = images.empty() ? videos : images;
  try {
    return json.dump();
  } catch (const Json::exception&) {
    throw BadSample(BadKind::kJson, fmt::format("{}: the caption is not UTF-8", key));
  }
}

/// Metadata that common tools put beside a caption says nothing to learn.
bool is_annotation(const std::string& text) {
  try {
    const Json json = parse_json(text, "the json member");
    return !json.is_object() || json.contains("conversations") || json.contains("conversation") ||
           json.contains("messages");
  } catch (const Error&) {
    return true;  // to be reported as what it is
  }
}

}  // namespace

RecordContent content_of_members(std::vector<TarMember> members) {
  RecordContent content;
  content.carried_only = true;
  const std::string key =
      members.front().name.substr(0, members.front().name.size() - members.front().extension.size() -
                                         (members.front().extension.empty() ? 0 : 1));
  const std::string *json = nullptr, *caption = nullptr;
  std::vector<std::string> images, videos;
  for (const TarMember& member : members) {
    if (member.extension == "json") json = &member.bytes;
    if (member.extension == "txt" || (member.extension == "caption" && caption == nullptr))
      caption = &member.bytes;
    if (is_one_of(kImageExtensions, member.extension)) images.push_back(member.name);
    if (is_one_of(kVideoExtensions, member.extension)) videos.push_back(member.name);
  }
  VL3_SAMPLE_CHECK(json != nullptr || caption != nullptr, kSchema,
                   "{}: neither a json member nor a caption (txt, caption)", key);
  if (json != nullptr && (caption == nullptr || is_annotation(*json))) {
    content.json = *json;
  } else {
    content.json = caption_annotation(key, *caption, images, videos);
  }
  for (TarMember& member : members) {
    if (member.extension == "json" || &member.bytes == caption) continue;
    const media::MediaData data{.name = member.name,
                                .path = {},
                                .bytes = std::make_shared<const std::string>(std::move(member.bytes)),
                                .owner = nullptr};
    for (const std::string& name : {member.name, base_name(member.name), member.extension}) {
      if (!name.empty()) content.media.emplace(name, data);
    }
  }
  return content;
}

WebDatasetList::WebDatasetList(const std::vector<std::filesystem::path>& shards, int64_t list,
                               int64_t shuffle_window)
    : list_(list), window_(shuffle_window) {
  VL3_CHECK(window_ >= 1, kInvalidArgument, "data.shuffle_window is {}; it must be 1 or more", window_);
  for (const std::filesystem::path& path : shards) {
    auto shard = std::make_shared<const TarReader>(path);
    // One bad sample stands for all that is lost, so max_bad_share does not see it.
    if (!shard->damage().empty()) logger().warn("{}: {}", path.string(), shard->damage());
    size_ += shard->size();
    ends_.push_back(size_);
    fingerprint_ += file_fingerprint(path, shard->size(), shard->bytes(), shard->digest());
    shards_.push_back(std::move(shard));
  }
  VL3_CHECK(size_ > 0, kInvalidArgument, "{}: holds no sample", shards.front().string());
}

Record WebDatasetList::record(int64_t index) const {
  const auto at = static_cast<size_t>(std::ranges::upper_bound(ends_, index) - ends_.begin());
  const int64_t inner = index - (at == 0 ? 0 : ends_[at - 1]);
  Record record;
  record.origin = {shards_[at]->path().string(), inner + 1, list_};
  record.load = [shard = shards_[at], inner] { return content_of_members(shard->read(inner)); };
  record.glance = [shard = shards_[at], inner] {
    return content_of_members(shard->read(inner, kGlanceBytes));
  };
  return record;
}

int64_t WebDatasetList::order(uint64_t seed, int64_t pass, int64_t k) const {
  const uint64_t key = mix({seed, static_cast<uint64_t>(list_), static_cast<uint64_t>(pass)});
  const int64_t block = k / window_ * window_;
  const int64_t within = std::min(window_, size_ - block);
  const int64_t at = block + Permutation(within, mix({key, static_cast<uint64_t>(block)}))(k - block);
  const std::lock_guard lock(mutex_);
  if (layout_.pass != pass || layout_.seed != seed) {
    layout_ = {seed, pass, {}, {}};
    const Permutation shuffle(static_cast<int64_t>(shards_.size()), key);
    int64_t begin = 0;
    for (int64_t i = 0; i < static_cast<int64_t>(shards_.size()); ++i) {
      const auto shard = static_cast<size_t>(shuffle(i));
      layout_.pass_begins.push_back(begin);
      layout_.list_begins.push_back(shard == 0 ? 0 : ends_[shard - 1]);
      begin += shards_[shard]->size();
    }
  }
  const auto shard = static_cast<size_t>(std::ranges::upper_bound(layout_.pass_begins, at) -
                                         layout_.pass_begins.begin() - 1);
  return layout_.list_begins[shard] + at - layout_.pass_begins[shard];
}

}  // namespace vl3::data
