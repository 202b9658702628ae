#include "curate/caption_templates.h"

#include <fmt/format.h>

#include "core/hash.h"
#include "text/white_space.h"

namespace vl3::curate {
namespace {

constexpr double kWholeSlack_s = 0.5;  // a clip that leaves out less is the whole video

std::string number(double value) { return fmt::format("{}", value); }

// "[x0, y0, x1, y1]", or "" for anything else.
std::string box_text(const Json& box) {
  if (!box.is_array() || box.size() != 4) return "";
  std::string text;
  for (const Json& value : box) {
    if (!value.is_number()) return "";
    text += (text.empty() ? "" : ", ") + number(value.get<double>());
  }
  return "<box>[" + text + "]</box>";
}

const Json* list_of(const Json& source, const char* key) {
  const bool there = source.is_object() && source.contains(key) && source[key].is_array();
  return there ? &source[key] : nullptr;
}

std::string string_of(const Json& entry, const char* key) {
  const bool there = entry.is_object() && entry.contains(key) && entry[key].is_string();
  return there ? entry[key].get<std::string>() : "";
}

// Several ways to ask, so that a model does not learn one sentence; which one follows from the item.
std::string question_for(const ScoreRow& row, const CurateConfig& config, const std::string& medium) {
  if (!config.exports.prompt.empty()) return config.exports.prompt;
  const bool detailed = config.exports.caption == "detailed";
  static const char* const kShort[] = {"Describe the {} briefly.", "Give a short caption for the {}.",
                                       "What does the {} show, in one sentence?"};
  static const char* const kDetailed[] = {"Describe the {} in detail.",
                                          "Give a detailed description of the {}.",
                                          "What can be seen in the {}? Be thorough."};
  const size_t pick = fnv1a(row.media + row.where) % 3;
  return fmt::format(fmt::runtime(detailed ? kDetailed[pick] : kShort[pick]), medium);
}

}  // namespace

std::string ocr_caption(const std::string& caption, const Json& source) {
  const Json* texts = list_of(source, "texts");
  std::string list;
  for (size_t i = 0; texts != nullptr && i < texts->size(); ++i) {
    const Json& entry = (*texts)[i];
    const std::string word = string_of(entry, "text");
    const std::string box = entry.is_object() && entry.contains("box") ? box_text(entry["box"]) : "";
    if (word.empty() || box.empty()) continue;
    list += (list.empty() ? "" : ", ") + word + box;
  }
  if (list.empty()) return caption;
  std::string first(text::strip(caption));
  while (!first.empty() && first.back() == '.') first.pop_back();
  return fmt::format("{}{}The texts in this image are {}.", first, first.empty() ? "" : ". ", list);
}

std::string grounding_caption(const std::string& caption, const Json& source) {
  const Json* objects = list_of(source, "objects");
  std::string grounded = caption;
  for (size_t i = 0; objects != nullptr && i < objects->size(); ++i) {
    const Json& entry = (*objects)[i];
    const std::string phrase = string_of(entry, "phrase");
    const std::string box = entry.is_object() && entry.contains("box") ? box_text(entry["box"]) : "";
    if (phrase.empty() || box.empty()) continue;
    for (size_t at = grounded.find(phrase); at != std::string::npos; at = grounded.find(phrase, at + 1)) {
      if (grounded.compare(at + phrase.size(), 5, "<box>") == 0)
        continue;  // an equal phrase stands there already
      grounded.insert(at + phrase.size(), box);
      break;
    }
  }
  return grounded;
}

std::string export_caption(const ScoreRow& row, const NewCaption& caption, const ExportConfig& config) {
  if (config.caption == "short") return caption.short_caption;
  if (config.caption == "detailed") return caption.detailed_caption;
  const std::string plain(text::strip(row.caption));
  if (config.caption == "source") return plain;
  const Json source = row.source.empty() ? Json() : Json::parse(row.source, nullptr, false);
  return config.caption == "ocr" ? ocr_caption(plain, source) : grounding_caption(plain, source);
}

OrderedJson training_record(const ScoreRow& row, const std::string& media, const std::string& caption,
                            const CurateConfig& config) {
  const bool video = row.kind == "video";
  const std::string question = question_for(row, config, video ? "video" : "image");
  OrderedJson record;
  record["id"] = row.id.empty() ? row.where : row.id;
  const auto duration = row.scores.find("duration_s");
  const bool part = video && duration != row.scores.end() &&
                    (row.clip_start_s > kWholeSlack_s || row.clip_end_s < duration->second - kWholeSlack_s);
  if (part) {
    const OrderedJson clip = {
        {"type", "video"}, {"video", media}, {"start", row.clip_start_s}, {"end", row.clip_end_s}};
    record["messages"] = OrderedJson::array(
        {OrderedJson{
             {"role", "user"},
             {"content", OrderedJson::array({clip, OrderedJson{{"type", "text"}, {"text", question}}})}},
         OrderedJson{{"role", "assistant"}, {"content", caption}}});
    return record;
  }
  if (video) {
    record["video"] = OrderedJson::array({media});
  } else {
    record["image"] = media;
  }
  record["conversations"] = OrderedJson::array(
      {OrderedJson{{"from", "human"}, {"value", (video ? "<video>\n" : "<image>\n") + question}},
       OrderedJson{{"from", "gpt"}, {"value", caption}}});
  return record;
}

}  // namespace vl3::curate
