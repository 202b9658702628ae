#include "curate/caption_step.h"

#include "core/check.h"
#include "core/file.h"
#include "core/hash.h"
#include "curate/media_path.h"
#include "curate/row_reader.h"
#include "curate/text_measures.h"
#include "curate/thresholds.h"
#include "text/white_space.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

// "" where the text is fit for training.
std::string fault_of(const CaptionReply& reply, const CurateConfig& config) {
  if (reply.finish_reason != "stop") return "cut off";
  ScoreRow row;  // the text filters, on a row that has nothing else
  row.caption = reply.text;
  const TextMeasures text = measure_text(reply.text);
  if (text.chars == 0) return "empty";
  row.scores = {{"caption_chars", static_cast<double>(text.chars)},
                {"caption_repetition", text.repetition},
                {"caption_symbols", text.symbol_share},
                {"caption_controls", static_cast<double>(text.controls)},
                {"caption_media_tag", text.has_media_tag ? 1.0 : 0.0}};
  const Reason reason = judge_row(row, config).reason;
  return reason == Reason::kKept || reason == Reason::kScorer ? "" : std::string(reason_name(reason));
}

// Equal keys: the same model would be asked the same.
std::string maker(const CurateConfig& config, bool detailed) {
  const std::string& prompt = detailed ? config.caption.detailed_prompt : config.caption.short_prompt;
  return fmt::format("{:016x}",
                     fnv1a(fmt::format("{}\n{}\n{}", config.model, config.caption.max_tokens, prompt)));
}

struct Wanted {
  int64_t position;
  bool detailed;
};

void caption_shard(const ItemSource& source, int64_t shard, const CurateConfig& config,
                   const OutputLayout& layout, const Selection& selection, Captioner& captioner,
                   CaptionCounts* counts) {
  std::map<int64_t, NewCaption> captions = read_captions(layout, shard, config);
  const std::vector<Item> items = source.read(shard);
  const int64_t begin = source.begin_of(shard);
  const std::vector<Verdict> verdicts = selection.verdicts->get(begin, std::ssize(items));
  std::vector<CaptionRequest> requests;
  std::vector<Wanted> wanted;
  bool changed = false;
  const auto flush = [&] {
    if (requests.empty()) return;
    const std::vector<CaptionReply> replies = captioner.caption(requests);
    for (size_t i = 0; i < replies.size(); ++i) {
      NewCaption& caption = captions[wanted[i].position];
      if (!replies[i].error.empty()) {  // nothing was answered: the next run asks again
        caption.error = replies[i].error;
        if (counts->failed++ == 0) counts->first_error = caption.error;
        continue;
      }
      const std::string fault = fault_of(replies[i], config);
      (wanted[i].detailed ? caption.detailed_caption : caption.short_caption) =
          fault.empty() ? std::string(text::strip(replies[i].text)) : "";
      (wanted[i].detailed ? caption.has_detailed : caption.has_short) = true;
      if (!fault.empty()) caption.error = fault;
      ++(fault.empty() ? counts->made : counts->unfit);
    }
    changed = true;
    requests.clear();
    wanted.clear();
  };
  each_row(layout.scores(shard), [&](const ScoreRow& row) {
    const auto index = static_cast<size_t>(row.position - begin);
    if (verdicts[index].reason != Reason::kKept) return;
    const NewCaption have = captions.count(row.position) > 0 ? captions.at(row.position) : NewCaption{};
    CaptionRequest request;
    const Item& item = items[index];
    request.bytes = item.bytes;
    if (item.bytes == nullptr) request.media = resolve_media(item.root, item.media).path.string();
    request.video = row.kind == "video";
    request.start_s = row.clip_start_s;
    request.end_s = row.clip_end_s;
    for (const bool detailed : {false, true}) {
      if (!(detailed ? config.caption.detailed_caption : config.caption.short_caption)) continue;
      if (detailed ? have.has_detailed : have.has_short) continue;
      captions[row.position].error.clear();
      request.prompt = detailed ? config.caption.detailed_prompt : config.caption.short_prompt;
      requests.push_back(request);
      wanted.push_back({row.position, detailed});
    }
    if (std::ssize(requests) >= config.caption.batch) flush();
  });
  flush();
  if (!changed && fs::exists(layout.captions(shard))) return;
  AtomicFile out(layout.captions(shard));
  for (const auto& [position, caption] : captions) {
    Json json = {{"position", position},
                 {"short", caption.short_caption},
                 {"detailed", caption.detailed_caption},
                 {"error", caption.error}};
    if (caption.has_short) json["short_by"] = maker(config, false);
    if (caption.has_detailed) json["detailed_by"] = maker(config, true);
    const std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    out.append(line.data(), line.size());
  }
  out.commit();
}

}  // namespace

std::map<int64_t, NewCaption> read_captions(const OutputLayout& layout, int64_t shard,
                                            const CurateConfig& config) {
  std::map<int64_t, NewCaption> captions;
  if (!fs::exists(layout.captions(shard))) return captions;
  const std::string short_by = maker(config, false), detailed_by = maker(config, true);
  each_json(layout.captions(shard), [&](const Json& json) {
    const JsonView view(json, layout.captions(shard).string());
    NewCaption caption;
    caption.has_short = config.caption.short_caption && view.string_or("short_by", "") == short_by;
    caption.has_detailed =
        config.caption.detailed_caption && view.string_or("detailed_by", "") == detailed_by;
    if (caption.has_short) caption.short_caption = view.string_or("short", "");
    if (caption.has_detailed) caption.detailed_caption = view.string_or("detailed", "");
    caption.error = view.string_or("error", "");
    captions[view.integer("position")] = std::move(caption);
  });
  return captions;
}

CaptionCounts caption_shards(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                             const Selection& selection, const ShardShare& share, Captioner& captioner,
                             const std::function<bool()>& cancelled) {
  fs::create_directories(layout.work() / "captions");
  CaptionCounts counts;
  for (int64_t shard = share.index; shard < source.shards(); shard += share.count) {
    VL3_CHECK(!cancelled || !cancelled(), kCancelled, "stopped; the same command goes on with shard {}",
              shard);
    caption_shard(source, shard, config, layout, selection, captioner, &counts);
  }
  return counts;
}

}  // namespace vl3::curate
