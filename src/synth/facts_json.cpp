#include "synth/facts_json.h"

#include <cmath>

#include "core/check.h"

namespace vl3::synth {
namespace {

constexpr const char* kTypes[] = {"text", "image", "images", "video", "stream"};
constexpr const char* kForms[] = {"exact", "caption", "span"};

double rounded(float value) { return std::round(static_cast<double>(value) * 10) / 10; }

OrderedJson item_json(const Item& item) {
  OrderedJson json{{"type", item.type}, {"label", item.label}};
  if (!item.colour.empty()) json["colour"] = item.colour;
  if (item.value != 0) json["value"] = item.value;
  if (item.object >= 0) json["object"] = item.object;
  json["box"] = {rounded(item.box.x0), rounded(item.box.y0), rounded(item.box.x1), rounded(item.box.y1)};
  return json;
}

Item item_from(const Json& json, const std::string& where) {
  const JsonView view(json, where);
  Item item{view.string("type"),
            view.string("label"),
            view.string_or("colour", ""),
            static_cast<int>(view.integer_or("value", 0, -1'000'000, 1'000'000)),
            static_cast<int>(view.integer_or("object", -1, -1, 1'000'000)),
            {}};
  const Json& box = view.at("box");
  VL3_CHECK(box.is_array() && box.size() == 4 &&
                std::all_of(box.begin(), box.end(), [](const Json& v) { return v.is_number(); }),
            kCorrupt, "{}: box: expected four numbers", where);
  item.box = {box[0].get<float>(), box[1].get<float>(), box[2].get<float>(), box[3].get<float>()};
  return item;
}

template <typename Read>
void each(const JsonView& view, const char* key, Read read) {
  if (!view.has(key)) return;
  const Json& list = view.at(key);
  VL3_CHECK(list.is_array(), kCorrupt, "{}: {}: expected a list", view.where(), key);
  for (const Json& entry : list) read(entry, view.where() + ": " + key);
}

}  // namespace

const char* name_of(MediaType type) { return kTypes[static_cast<size_t>(type)]; }
const char* name_of(AnswerForm form) { return kForms[static_cast<size_t>(form)]; }

MediaType media_type_of(const std::string& name) {
  for (int i = 0; i < 5; ++i) {
    if (name == kTypes[i]) return static_cast<MediaType>(i);
  }
  VL3_FAIL(kCorrupt, "\"{}\" is no type of media", name);
}

AnswerForm answer_form_of(const std::string& name) {
  for (int i = 0; i < 3; ++i) {
    if (name == kForms[i]) return static_cast<AnswerForm>(i);
  }
  VL3_FAIL(kCorrupt, "\"{}\" is no form of answer", name);
}

OrderedJson to_json(const Facts& facts) {
  OrderedJson json = OrderedJson::object();
  for (const ImageFacts& image : facts.images) {
    OrderedJson items = OrderedJson::array();
    for (const Item& item : image.items) items.push_back(item_json(item));
    json["images"].push_back({{"width", image.width},
                              {"height", image.height},
                              {"background", image.background},
                              {"items", std::move(items)}});
  }
  for (const ClipObject& object : facts.objects) {
    json["objects"].push_back({{"shape", object.shape},
                               {"colour", object.colour},
                               {"visible_from_s", object.visible_from_s},
                               {"visible_to_s", object.visible_to_s}});
  }
  for (const Event& event : facts.events) {
    json["events"].push_back({{"type", event.type},
                              {"object", event.object},
                              {"start_s", event.start_s},
                              {"end_s", event.end_s},
                              {"from", event.from},
                              {"to", event.to}});
  }
  if (facts.duration_s > 0) json["duration_s"] = facts.duration_s;
  if (!facts.fields.empty()) json["fields"] = facts.fields;
  return json;
}

Facts facts_from_json(const Json& json, const std::string& where) {
  const JsonView view(json, where);
  Facts facts;
  each(view, "images", [&](const Json& entry, const std::string& at) {
    const JsonView image(entry, at);
    ImageFacts read{static_cast<int>(image.integer("width", 1, 1 << 20)),
                    static_cast<int>(image.integer("height", 1, 1 << 20)),
                    image.string_or("background", ""),
                    {}};
    each(image, "items",
         [&](const Json& item, const std::string& there) { read.items.push_back(item_from(item, there)); });
    facts.images.push_back(std::move(read));
  });
  each(view, "objects", [&](const Json& entry, const std::string& at) {
    const JsonView object(entry, at);
    facts.objects.push_back({object.string("shape"), object.string("colour"), object.number("visible_from_s"),
                             object.number("visible_to_s")});
  });
  each(view, "events", [&](const Json& entry, const std::string& at) {
    const JsonView event(entry, at);
    const int64_t last = static_cast<int64_t>(facts.objects.size()) - 1;
    VL3_CHECK(last >= 0, kCorrupt, "{}: an event without objects", at);
    facts.events.push_back({event.string("type"), static_cast<int>(event.integer("object", 0, last)),
                            event.number("start_s"), event.number("end_s"), event.string_or("from", ""),
                            event.string_or("to", "")});
  });
  facts.duration_s = view.number_or("duration_s", 0);
  if (view.has("fields")) {
    const Json& fields = view.at("fields");
    VL3_CHECK(fields.is_object(), kCorrupt, "{}: fields: expected an object", where);
    for (const auto& [key, value] : fields.items()) {
      VL3_CHECK(value.is_string(), kCorrupt, "{}: fields: {}: expected a text", where, key);
      facts.fields[key] = value.get<std::string>();
    }
  }
  return facts;
}

OrderedJson to_json(const Question& question) {
  OrderedJson json{{"kind", question.kind},          {"level", question.level},
                   {"question", question.text},      {"answer", question.answer},
                   {"form", name_of(question.form)}, {"accepted", question.accepted},
                   {"options", question.options}};
  if (!question.query.empty()) json["query"] = question.query;
  if (question.noisy) json["noisy"] = true;
  if (question.time_s > 0) json["time_s"] = question.time_s;
  return json;
}

}  // namespace vl3::synth
