// Lines of an input to items: the official form (spec/data.md 1.1) and flat records such as COYO's.
#include "core/printable.h"
#include "core/shown.h"
#include "curate/item.h"
#include "data/record_parser.h"
#include "text/white_space.h"
#include "vl3/error.h"

namespace vl3::curate {
namespace {

void refuse(Item* item, const std::string& reason, const std::string& detail) {
  item->reason = reason;
  item->detail = printable(detail.substr(0, 300));
}

// "a.jpg", ["a.jpg"]; several pictures are more than a caption can be judged for.
bool take_media(const Json& value, Item* item) {
  if (value.is_string()) {
    item->media = value.get<std::string>();
    return true;
  }
  if (value.is_array() && value.size() == 1 && value[0].is_string()) {
    item->media = value[0].get<std::string>();
    return true;
  }
  if (value.is_array() && value.size() > 1) {
    refuse(item, "several_media", std::to_string(value.size()) + " media in one item");
  } else {
    refuse(item, "wrong_schema", "the medium is " + shown(value) + "; expected a name");
  }
  return false;
}

// The first answer of the conversation.
void take_conversation(const Json& turns, Item* item) {
  if (!turns.is_array())
    return refuse(item, "wrong_schema", "conversations is " + shown(turns) + "; expected a list");
  for (const Json& turn : turns) {
    if (!turn.is_object() || !turn.contains("from") || !turn.contains("value") || !turn["from"].is_string() ||
        !turn["value"].is_string())
      return refuse(item, "wrong_schema", "a turn is " + shown(turn) + "; expected from and value");
    if (turn["from"] == "human" || turn["from"] == "system") continue;
    item->caption = turn["value"].get<std::string>();
    return;
  }
}

}  // namespace

void read_annotation(const std::string& line, const InputConfig& input, Item* item) {
  try {
    item->source = parse_json(line, "the line");
  } catch (const Error& error) {
    return refuse(item, "wrong_json", error.what());
  }
  if (!item->source.is_object()) {
    const std::string found = shown(item->source);
    item->source = nullptr;
    return refuse(item, "wrong_schema", found + "; expected an object");
  }
  const Json& json = item->source;
  item->id = data::record_id(json);
  const auto given = [&json](const std::string& key) { return json.contains(key) && !json[key].is_null(); };
  for (const std::string& key : input.media_key) {
    if (!given(key)) continue;
    if (!take_media(json[key], item)) return;
    break;
  }
  if (item->media.empty()) return refuse(item, "no_media", "none of the keys of input.media_key is there");
  if (given("conversations")) return take_conversation(json["conversations"], item);
  for (const std::string& key : input.caption_key) {
    if (!given(key)) continue;
    if (!json[key].is_string())
      return refuse(item, "wrong_schema", key + " is " + shown(json[key]) + "; expected text");
    item->caption = json[key].get<std::string>();
    return;
  }
}

}  // namespace vl3::curate
