#include "curate/caption_step.h"

#include <chrono>
#include <optional>

#include "core/check.h"
#include "core/file.h"
#include "core/hash.h"
#include "curate/media_path.h"
#include "curate/row_reader.h"
#include "curate/thresholds.h"
#include "text/white_space.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::seconds kSaveEvery{30};
constexpr int64_t kBlock = 4096;  // verdicts at once

// "" where the text is fit for training.
std::string fault_of(const CaptionReply& reply, const CurateConfig& config) {
  if (reply.finish_reason != "stop") return "cut off";
  if (text::strip(reply.text).empty()) return "empty";
  const Reason reason = judge_caption(reply.text, config.text);
  return reason == Reason::kKept ? "" : std::string(reason_name(reason));
}

const std::string& prompt_of(const CaptionConfig& caption, bool detailed, bool video) {
  if (video) return detailed ? caption.detailed_video_prompt : caption.short_video_prompt;
  return detailed ? caption.detailed_prompt : caption.short_prompt;
}

bool wants(const CaptionConfig& caption, bool detailed) {
  return detailed ? caption.detailed_caption : caption.short_caption;
}

// Equal keys: the same model would be asked the same.
std::string maker(const CurateConfig& config, bool detailed, bool video) {
  return fmt::format("{:016x}", fnv1a(fmt::format("{}\n{}\n{}", config.model, config.caption.max_tokens,
                                                  prompt_of(config.caption, detailed, video))));
}

void write_captions(const std::map<int64_t, NewCaption>& captions, const fs::path& file) {
  AtomicFile out(file);
  for (const auto& [position, caption] : captions) {
    Json json = {{"position", position},
                 {"short", caption.short_caption},
                 {"detailed", caption.detailed_caption},
                 {"error", caption.error}};
    if (caption.video) json["video"] = true;
    if (!caption.short_by.empty()) json["short_by"] = caption.short_by;
    if (!caption.detailed_by.empty()) json["detailed_by"] = caption.detailed_by;
    const std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    out.append(line.data(), line.size());
  }
  out.commit();
}

// Those of other models and questions, too: what is not wanted now may be wanted again.
std::map<int64_t, NewCaption> read_all(const fs::path& file) {
  std::map<int64_t, NewCaption> captions;
  if (!fs::exists(file)) return captions;
  each_json(file, [&](const Json& json) {
    const JsonView view(json, file.string());
    NewCaption caption;
    caption.video = view.boolean_or("video", false);
    caption.short_caption = view.string_or("short", "");
    caption.detailed_caption = view.string_or("detailed", "");
    caption.short_by = view.string_or("short_by", "");
    caption.detailed_by = view.string_or("detailed_by", "");
    caption.error = view.string_or("error", "");
    captions[view.integer("position")] = std::move(caption);
  });
  return captions;
}

// How many captions the share's kept items want.
int64_t wanted_captions(const ItemSource& source, const CurateConfig& config, const Selection& selection,
                        const ShardShare& share) {
  const int64_t forms = wants(config.caption, false) + wants(config.caption, true);
  int64_t kept = 0;
  for (int64_t shard = share.index; shard < source.shards(); shard += share.count) {
    const int64_t end = source.begin_of(shard) + source.size_of(shard);
    for (int64_t begin = source.begin_of(shard); begin < end; begin += kBlock) {
      for (const Verdict& verdict : selection.verdicts->get(begin, std::min(kBlock, end - begin)))
        kept += verdict.reason == Reason::kKept ? 1 : 0;
    }
  }
  return kept * forms;
}

struct Wanted {
  int64_t position;
  bool detailed;
};

class ShardCaptions {
 public:
  ShardCaptions(const CurateConfig& config, const OutputLayout& layout, Captioner& captioner,
                const StepHooks& hooks, int64_t total)
      : config_(config), layout_(layout), captioner_(captioner), hooks_(hooks), total_(total) {}

  void make(const ItemSource& source, int64_t shard, const Selection& selection) {
    const fs::path file = layout_.captions(shard);
    captions_ = read_all(file);
    requests_.clear();
    wanted_.clear();
    changed_ = !fs::exists(file);
    saved_ = std::chrono::steady_clock::now();
    const auto save = [&] {
      if (changed_) write_captions(captions_, file);
      changed_ = false;
      saved_ = std::chrono::steady_clock::now();
    };
    try {
      const std::unique_ptr<ItemReader> items = source.open(shard);
      const int64_t begin = source.begin_of(shard);
      const std::vector<Verdict> verdicts = selection.verdicts->get(begin, source.size_of(shard));
      each_row(layout_.scores(shard), [&](const ScoreRow& row) {
        const std::optional<Item> item = items->next();
        VL3_CHECK(item && item->position == row.position, kCorrupt, "{}: item {} is none of the shard's",
                  layout_.scores(shard).string(), row.position);
        if (verdicts[static_cast<size_t>(row.position - begin)].reason == Reason::kKept) ask_for(*item, row);
        if (std::ssize(requests_) >= config_.caption.batch) flush();
        if (std::chrono::steady_clock::now() - saved_ > kSaveEvery) save();
      });
      flush();
    } catch (...) {
      save();  // what is made is not asked for again
      throw;
    }
    save();
  }

  const CaptionCounts& counts() const { return counts_; }

 private:
  void ask_for(const Item& item, const ScoreRow& row) {
    NewCaption& caption = captions_[row.position];
    caption.video = row.kind == "video";
    std::vector<bool> lacking;
    for (const bool detailed : {false, true}) {
      if (!wants(config_.caption, detailed)) continue;
      if ((detailed ? caption.detailed_by : caption.short_by) == maker(config_, detailed, caption.video)) {
        ++done_;
      } else {
        lacking.push_back(detailed);
      }
    }
    if (lacking.empty()) return;
    caption.error.clear();
    CaptionRequest request;
    request.video = caption.video;
    request.start_s = row.clip_start_s;
    request.end_s = row.clip_end_s;
    const std::string fault = open_medium(item, &request);
    for (const bool detailed : lacking) {
      if (!fault.empty()) {
        take({"", "", fault}, {row.position, detailed});
        ++done_;
        continue;
      }
      request.prompt = prompt_of(config_.caption, detailed, caption.video);
      requests_.push_back(request);
      wanted_.push_back({row.position, detailed});
    }
  }

  // @return "" or why it cannot be read any more.
  static std::string open_medium(const Item& item, CaptionRequest* request) {
    try {
      request->bytes = item.bytes.load();
      if (request->bytes != nullptr) return "";
      const ResolvedMedia found = resolve_media(item.root, item.media);
      request->media = found.path.string();
      return found.reason.empty() ? "" : fmt::format("{}: {}", found.reason, found.detail);
    } catch (const std::exception& error) {
      return error.what();
    }
  }

  void flush() {
    if (requests_.empty()) return;
    hooks_.stop_if_asked("captioning");
    const std::vector<CaptionReply> replies = captioner_.caption(requests_);
    VL3_CHECK(replies.size() == requests_.size(), kInternal, "{} captions for {} requests", replies.size(),
              requests_.size());
    for (size_t i = 0; i < replies.size(); ++i) take(replies[i], wanted_[i]);
    done_ += std::ssize(replies);
    hooks_.show("captions", done_, total_);
    requests_.clear();
    wanted_.clear();
  }

  void take(const CaptionReply& reply, const Wanted& wanted) {
    NewCaption& caption = captions_[wanted.position];
    changed_ = true;
    if (!reply.error.empty()) {  // nothing was answered: the next run asks again
      caption.error = reply.error;
      if (counts_.failed++ == 0) counts_.first_error = caption.error;
      return;
    }
    const std::string fault = fault_of(reply, config_);
    (wanted.detailed ? caption.detailed_caption : caption.short_caption) =
        fault.empty() ? std::string(text::strip(reply.text)) : "";
    (wanted.detailed ? caption.detailed_by : caption.short_by) =
        maker(config_, wanted.detailed, caption.video);
    if (!fault.empty()) caption.error = fault;
    ++(fault.empty() ? counts_.made : counts_.unfit);
  }

  const CurateConfig& config_;
  const OutputLayout& layout_;
  Captioner& captioner_;
  const StepHooks& hooks_;
  const int64_t total_;
  int64_t done_ = 0;
  CaptionCounts counts_;

  std::map<int64_t, NewCaption> captions_;  // of the shard
  std::vector<CaptionRequest> requests_;
  std::vector<Wanted> wanted_;
  bool changed_ = false;
  std::chrono::steady_clock::time_point saved_;
};

}  // namespace

std::map<int64_t, NewCaption> read_captions(const OutputLayout& layout, int64_t shard,
                                            const CurateConfig& config) {
  std::map<int64_t, NewCaption> captions = read_all(layout.captions(shard));
  for (auto& [position, caption] : captions) {
    const auto keep = [&, video = caption.video](bool detailed, std::string* text, std::string* by) {
      if (wants(config.caption, detailed) && *by == maker(config, detailed, video)) return;
      text->clear();
      by->clear();
    };
    keep(false, &caption.short_caption, &caption.short_by);
    keep(true, &caption.detailed_caption, &caption.detailed_by);
  }
  return captions;
}

CaptionCounts caption_shards(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                             const Selection& selection, const ShardShare& share, Captioner& captioner,
                             const StepHooks& hooks) {
  fs::create_directories(layout.work() / "captions");
  remove_unfinished(layout.work() / "captions", share);
  ShardCaptions shards(config, layout, captioner, hooks, wanted_captions(source, config, selection, share));
  for (int64_t shard = share.index; shard < source.shards(); shard += share.count) {
    hooks.stop_if_asked("captioning");
    shards.make(source, shard, selection);
  }
  return shards.counts();
}

}  // namespace vl3::curate
