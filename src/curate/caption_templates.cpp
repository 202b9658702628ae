#include "curate/caption_templates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/hash.h"
#include "curate/text_measures.h"
#include "text/white_space.h"

namespace vl3::curate {
namespace {

constexpr double kWholeSlack_s = 0.5;  // a clip that leaves out less is the whole video

// -0.0 is written as 0.
std::string number(double value) { return fmt::format("{}", value + 0.0); }

// "<box>[x0, y0, x1, y1]</box>" of an entry's "box", or "" for what is no box.
std::string box_text(const Json& entry) {
  if (!entry.is_object() || !entry.contains("box")) return "";
  const Json& box = entry["box"];
  if (!box.is_array() || box.size() != 4) return "";
  std::vector<double> values;
  for (const Json& value : box) {
    values.push_back(value.is_number() ? value.get<double>() : -1);
    if (!std::isfinite(values.back()) || values.back() < 0) return "";
  }
  if (values[0] > values[2] || values[1] > values[3]) return "";
  return fmt::format("<box>[{}, {}, {}, {}]</box>", number(values[0]), number(values[1]), number(values[2]),
                     number(values[3]));
}

// Whether it would be read as a part of the sample's own form.
bool breaks_form(const std::string& text) {
  return !is_clean(measure_text(text)) || text.find("<box>") != std::string::npos ||
         text.find("</box>") != std::string::npos;
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
    const std::string word = string_of(entry, "text"), box = box_text(entry);
    if (word.empty() || box.empty() || breaks_form(word)) continue;
    list += (list.empty() ? "" : ", ") + word + box;
  }
  if (list.empty()) return caption;
  std::string first(text::strip(caption));
  while (!first.empty() && first.back() == '.') first.pop_back();
  return fmt::format("{}{}The texts in this image are {}.", first, first.empty() ? "" : ". ", list);
}

std::string grounding_caption(const std::string& caption, const Json& source) {
  struct Object {
    std::string phrase, box;
  };
  struct Place {
    size_t begin, end;
    std::string box;  // "" where the caption had one already
  };
  std::vector<Object> objects;
  const Json* list = list_of(source, "objects");
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Object object{std::string(text::strip(string_of((*list)[i], "phrase"))), box_text((*list)[i])};
    if (!object.phrase.empty() && !object.box.empty()) objects.push_back(std::move(object));
  }
  std::stable_sort(objects.begin(), objects.end(), [](const Object& a, const Object& b) {
    return a.phrase.size() != b.phrase.size() ? a.phrase.size() > b.phrase.size() : a.phrase < b.phrase;
  });
  std::vector<Place> places;
  for (size_t at = caption.find("<box>"); at != std::string::npos; at = caption.find("<box>", at + 1)) {
    const size_t end = caption.find("</box>", at);
    places.push_back({at, end == std::string::npos ? caption.size() : end + 6, ""});
  }
  std::string last;  // phrase, and where it is looked for next
  size_t next = 0;
  for (const Object& object : objects) {
    if (object.phrase != last) last = object.phrase, next = 0;
    while (next < caption.size()) {
      const size_t at = find_words(caption, object.phrase, next), end = at + object.phrase.size();
      next = at == std::string::npos ? at : at + 1;
      if (at == std::string::npos) break;
      const bool taken = caption.compare(end, 5, "<box>") == 0 ||
                         std::any_of(places.begin(), places.end(),
                                     [&](const Place& place) { return at < place.end && place.begin < end; });
      if (taken) continue;
      places.push_back({at, end, object.box});
      break;
    }
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.end > b.end; });
  std::string grounded = caption;
  for (const Place& place : places) grounded.insert(place.end, place.box);  // from the right: offsets hold
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
