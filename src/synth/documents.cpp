// document.*: forms, tables and receipts, from one printed "key: value" on.
#include <fmt/format.h>

#include <algorithm>

#include "synth/artefacts.h"
#include "synth/family.h"
#include "synth/text_layout.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

enum LevelIndex { kPair, kTwo, kFour, kTable, kForm, kReceipt, kGrid };

struct KeySort {
  std::string_view key;
  ValueSort sort;
};
using enum ValueSort;
constexpr KeySort kKeys[] = {{"Name", kName},    {"City", kWord},     {"Age", kNumber},  {"Date", kDate},
                             {"Time", kTime},    {"Total", kPrice},   {"Price", kPrice}, {"Code", kCode},
                             {"Room", kNumber},  {"Seat", kCode},     {"Gate", kCode},   {"Owner", kName},
                             {"Item", kWord},    {"Number", kNumber}, {"Size", kNumber}, {"Team", kWord},
                             {"Order", kNumber}, {"Ref", kCode},      {"Tax", kPrice},   {"Guest", kName},
                             {"Table", kNumber}, {"Type", kWord},     {"Street", kWord}, {"Phone", kNumber},
                             {"Flight", kCode},  {"Score", kNumber},  {"Color", kWord},  {"Weight", kNumber}};

struct Row {
  std::string key;
  std::vector<std::string> values;
};

struct Document {
  std::vector<std::string> columns;  ///< of a grid: names of the value columns
  std::vector<Row> rows;
  std::string title;
  bool receipt = false;
};

std::vector<std::string> keys_of(const Document& document) {
  std::vector<std::string> keys;
  for (const Row& row : document.rows) keys.push_back(row.key);
  return keys;
}

std::vector<std::string> values_of(const Document& document, size_t column = 0) {
  std::vector<std::string> values;
  for (const Row& row : document.rows) values.push_back(row.values[column]);
  return values;
}

std::optional<Question> ask_field(Rng& rng, const Document& document, bool total) {
  if (!document.columns.empty() || (total && !document.receipt)) return std::nullopt;
  const Row& row = total ? document.rows.back() : rng.pick(document.rows);
  Question q;
  q.query = {{"key", row.key}};
  if (document.receipt && row.key != "Total") {
    q.text = say(rng,
                 {"How much is the {k}?", "What does the {k} cost?", "What is the price of the {k}?",
                  "What is the price of {k}?", "How much does the {k} cost?", "What is written next to {k}?"},
                 {{"k", row.key}});
  } else {
    q.text = say(rng,
                 {"What is the {k}?", "What is the value of {k}?", "What does the field {k} say?",
                  "What is written [next to|beside|for] {k}?", "Read the {k}.", "What is the entry for {k}?",
                  "[Tell me|Give me|Find] the {k}.", "What {k} is given?", "{k}?",
                  "What is the {k} [in the document|on the form|shown here]?"},
                 {{"k", row.key}});
  }
  q.answer = row.values[0];
  q.options = values_of(document);
  return q;
}

std::optional<Question> ask_key(Rng& rng, const Document& document) {
  if (!document.columns.empty()) return std::nullopt;
  const Row& row = rng.pick(document.rows);
  if (std::count_if(document.rows.begin(), document.rows.end(),
                    [&](const Row& r) { return r.values[0] == row.values[0]; }) != 1)
    return std::nullopt;
  Question q;
  q.query = {{"value", row.values[0]}};
  q.text = document.receipt
               ? say(rng, {"Which item costs {v}?", "What costs {v}?", "Which item has the price {v}?"},
                     {{"v", row.values[0]}})
               : say(rng,
                     {"Which field says {v}?", "Which field has the value {v}?", "Which entry is {v}?",
                      "Next to which field is {v}?"},
                     {{"v", row.values[0]}});
  q.answer = row.key;
  q.options = keys_of(document);
  return q;
}

Question ask_fields(Rng& rng, const Document& document) {
  Question q;
  q.text = say(rng, {"List all fields with their values.", "Read all [fields|entries].",
                     "What does the document say?", "Read the [document|form|table].",
                     "List every entry [with its value|].", "Which fields are there and what do they say?"});
  for (const Row& row : document.rows)
    q.answer += (q.answer.empty() ? "" : ", ") + row.key + ": " + join_words(row.values, ", ");
  return q;
}

std::optional<Question> ask_cell(Rng& rng, const Document& document) {
  if (document.columns.empty()) return std::nullopt;
  const Row& row = rng.pick(document.rows);
  const size_t column = static_cast<size_t>(rng.below(static_cast<int>(document.columns.size())));
  Question q;
  q.query = {{"row", row.key}, {"column", document.columns[column]}};
  q.text = say(rng,
               {"What is the {c} of {r}?", "What is the {c} in the row {r}?",
                "What does the table say for {r} under {c}?", "What is the entry in row {r} and column {c}?",
                "Read the {c} of {r}."},
               {{"c", document.columns[column]}, {"r", row.key}});
  q.answer = row.values[column];
  for (const Row& r : document.rows) q.options.insert(q.options.end(), r.values.begin(), r.values.end());
  return q;
}

Question ask_exists(Rng& rng, const Document& document) {
  const std::vector<std::string> keys = keys_of(document);
  const bool yes = rng.chance(0.5);
  std::string asked = rng.pick(keys);
  while (!yes && std::find(keys.begin(), keys.end(), asked) != keys.end())
    asked = document.receipt || !document.columns.empty() ? capitalised(std::string(rng.pick(words())))
                                                          : std::string(rng.pick(kKeys).key);
  if (is_heldout(asked) && !yes) asked = "Other";
  Question q;
  q.query = {{"key", asked}};
  q.text =
      document.receipt
          ? say(rng,
                {"Is {k} on the receipt?", "Does the receipt list {k}?", "Can you see {k} on the receipt?"},
                {{"k", asked}})
          : say(rng,
                {"Is there a field called {k}?", "Does the document have the field {k}?",
                 "Is {k} one of the entries?", "Does it list {k}?"},
                {{"k", asked}});
  q.answer = yes ? "yes" : "no";
  q.options = {"yes", "no"};
  return q;
}

Question ask_count(Rng& rng, const Document& document) {
  Question q;
  const int count = static_cast<int>(document.rows.size()) - (document.receipt ? 1 : 0);
  q.text = document.receipt
               ? say(rng, {"How many items are on the receipt?",
                           "How many items are there besides the total?", "How many things were bought?"})
           : !document.columns.empty()
               ? say(rng, {"How many rows are there below the header?",
                           "How many rows does the table have without the header?"})
               : say(rng, {"How many fields are there?", "How many entries are there?", "Count the fields.",
                           "How many fields does the document have?"});
  q.answer = std::to_string(count);
  q.options = number_options(1, 6);
  return q;
}

std::optional<Question> ask_title(Rng& rng, const Document& document) {
  if (document.title.empty()) return std::nullopt;
  Question q;
  q.text = document.receipt ? say(rng, {"What is the name of the shop?", "Which shop is the receipt from?",
                                        "What is printed at the top?", "What is the title?"})
                            : say(rng, {"What is the title?", "What is the title of the document?",
                                        "What is the heading?", "What is printed at the top?"});
  q.answer = document.title;
  return q;
}

Document choose_document(Rng& rng, const Request& request) {
  const Split split = request.options.split;
  Document document;
  if (request.level == kReceipt) {
    document.receipt = true;
    document.title = pick_cased_word(rng, split);
    const int count = rng.between(2, 4);
    int cents = 0;
    std::vector<std::string> seen;
    while (static_cast<int>(document.rows.size()) < count) {
      std::string item = pick_word(rng, split == Split::kHeldout && rng.chance(0.5) ? Split::kAll : split);
      const int price = rng.between(20, 1999);
      if (rng.chance(0.5)) item = capitalised(item);
      const std::string text = fmt::format("{}.{:02}", price / 100, price % 100);
      if (std::find(seen.begin(), seen.end(), item) != seen.end() ||
          !obeys(text, split == Split::kTrain ? split : Split::kAll))
        continue;
      seen.push_back(item);
      document.rows.push_back({item, {text}});
      cents += price;
    }
    const std::string total = fmt::format("{}.{:02}", cents / 100, cents % 100);
    if (split == Split::kTrain && !obeys(total, split)) return choose_document(rng, request);
    document.rows.push_back({"Total", {total}});
    return document;
  }
  const int count = request.level == kPair  ? 1
                    : request.level == kTwo ? 2
                                            : rng.between(3, request.level == kGrid ? 4 : 5);
  std::vector<KeySort> keys(std::begin(kKeys), std::end(kKeys));
  std::erase_if(
      keys, [](const KeySort& key) { return is_heldout(key.key); });  // keys are known words in every split
  rng.shuffle(keys);
  if (request.level == kGrid) {
    const int columns = rng.between(2, 3);
    std::vector<ValueSort> sorts;
    for (int c = 0; c < columns; ++c) {
      document.columns.emplace_back(keys[static_cast<size_t>(c)].key);
      sorts.push_back(keys[static_cast<size_t>(c)].sort);
    }
    for (int r = 0; r < count; ++r) {
      Row row{pick_value(rng, split, ValueSort::kName), {}};
      while (std::any_of(document.rows.begin(), document.rows.end(),
                         [&](const Row& other) { return other.key == row.key; }))
        row.key = pick_value(rng, Split::kTrain, ValueSort::kName);
      for (const ValueSort sort : sorts) row.values.push_back(pick_value(rng, split, sort));
      document.rows.push_back(std::move(row));
    }
    return document;
  }
  if (request.level == kForm || rng.chance(0.2))
    document.title = request.level >= kTable ? pick_cased_word(rng, split) : "";
  for (int i = 0; i < count; ++i) {
    const KeySort& key = keys[static_cast<size_t>(i)];
    document.rows.push_back(
        {std::string(key.key),
         {pick_value(rng, split == Split::kHeldout && i > 0 && rng.chance(0.5) ? Split::kAll : split,
                     key.sort)}});
  }
  rng.shuffle(document.rows);
  return document;
}

// Where the parts go: columns of texts, one line a row.
struct Sheet {
  int x = 0, y = 0, row_height = 0;
  std::vector<int> column_x;
  std::vector<int> column_width;
  int total_width = 0;
};

bool draw(Rng& rng, const Request& request, const Document& document, Sample& sample) {
  const SynthOptions& options = request.options;
  const Background white{"white", {{255, 255, 255}}};
  const bool easy = request.level <= kTwo;
  auto ink = pick_ink(rng, options, easy && rng.chance(0.5) ? 16 : 14, easy ? 24 : 18, false, white);
  if (!ink) return false;
  TextLook key_look = ink->look;
  if (rng.chance(0.2)) key_look.font = rng.pick({3, 7, 11});  // bold keys
  const bool colon = request.level <= kFour ? !rng.chance(0.1) : request.level == kForm && rng.chance(0.5);
  const bool tabular =
      request.level == kTable || request.level == kGrid || (request.level <= kFour && rng.chance(0.25));
  const LineMetrics metrics = line_metrics(ink->look);
  Sheet sheet;
  sheet.row_height =
      static_cast<int>(std::max(metrics.height, line_metrics(key_look).height) * rng.real(1.05, 1.6)) +
      (tabular || request.level == kForm ? 4 : 0);
  const size_t columns = document.rows[0].values.size() + 1;
  for (size_t c = 0; c < columns; ++c) {
    int width = c > 0 && !document.columns.empty() ? text_width(document.columns[c - 1], key_look) : 0;
    for (const Row& row : document.rows)
      width = std::max(width, c == 0 ? text_width(row.key + (colon ? ":" : ""), key_look)
                                     : text_width(row.values[c - 1], ink->look));
    sheet.column_x.push_back(sheet.total_width);
    sheet.column_width.push_back(width);
    sheet.total_width +=
        width + (c + 1 < columns ? rng.between(8, tabular || document.receipt ? 24 : 14) : 0);
  }
  const bool ragged = !tabular && !document.receipt && request.level <= kFour &&
                      rng.chance(0.5);  // value right after its key
  const bool heading = !document.title.empty(), header = !document.columns.empty();
  const int lines = static_cast<int>(document.rows.size()) + (heading ? 1 : 0) + (header ? 1 : 0);
  const int need_x = sheet.total_width + 12, need_y = lines * sheet.row_height + 10;
  if (need_x > options.max_side || need_y > options.max_side) return false;
  const int multiple = rng.chance(0.5) ? 28 : 1;
  const auto fit = [&](int need) {
    return std::min(options.max_side,
                    std::max(options.min_side, (need + rng.below(50) + multiple - 1) / multiple * multiple));
  };
  Canvas canvas(fit(need_x), fit(need_y));
  Background background =
      paint_background(canvas, rng, std::min(options.background_level, rng.chance(0.7) ? 1 : 3));
  if (rng.chance(0.6) || !stands_out({0, 0, 0}, background, 300)) {  // mostly paper
    const uint8_t v = static_cast<uint8_t>(rng.chance(0.5) ? 255 : rng.between(235, 254));
    canvas.fill_rectangle(0, 0, canvas.width(), canvas.height(), {v, v, v});
    background = {v == 255 ? "white" : "", {{v, v, v}}};
  }
  const auto fitting = pick_ink(rng, options, 14, 14, false, background);
  if (!fitting) return false;
  ink->look.colour = key_look.colour = fitting->look.colour;
  if (rng.chance(0.15)) {
    const auto other = pick_ink(rng, options, 14, 14, true, background);
    if (other) key_look.colour = other->look.colour;
  }
  sheet.x = rng.between(6, canvas.width() - sheet.total_width - 6);
  sheet.y = rng.between(5, canvas.height() - lines * sheet.row_height - 5);
  ImageFacts facts{canvas.width(), canvas.height(), background.name, {}};
  int y = sheet.y;
  const int inset = (sheet.row_height - metrics.height) / 2;
  const auto print = [&](const std::string& type, const std::string& text, int x, const TextLook& look) {
    add_text(facts, type, text, fitting->colour_name, draw_text(canvas, x, y + inset, text, look));
  };
  const Rgb rule = rng.chance(0.5) ? ink->look.colour : Rgb{150, 150, 150};
  if (heading) {
    const int slack = sheet.total_width - text_width(document.title, key_look);
    print("title", document.title, sheet.x + (rng.chance(0.6) ? slack / 2 : 0), key_look);
    y += sheet.row_height;
  }
  const int table_top = y;
  if (header) {
    for (size_t c = 1; c < columns; ++c)
      print("key", document.columns[c - 1], sheet.x + sheet.column_x[c], key_look);
    y += sheet.row_height;
    canvas.line(sheet.x - 3, y - 0.5, sheet.x + sheet.total_width + 3, y - 0.5, rule, 1);
  }
  const bool rules = tabular && rng.chance(0.6), right = document.receipt || (tabular && rng.chance(0.4));
  for (size_t r = 0; r < document.rows.size(); ++r) {
    const Row& row = document.rows[r];
    if (document.receipt && r + 1 == document.rows.size())
      canvas.line(sheet.x, y + 0.5, sheet.x + sheet.total_width, y + 0.5, rule, 1);
    const std::string key = row.key + (colon ? ":" : "");
    print("key", key, sheet.x, key_look);
    for (size_t c = 1; c < columns; ++c) {
      const std::string& value = row.values[c - 1];
      int x = sheet.x + sheet.column_x[c];
      if (ragged)
        x = sheet.x + text_width(key + " ", key_look) + 2;
      else if (right)
        x += sheet.column_width[c] - text_width(value, ink->look);
      if (request.level == kForm)
        canvas.stroke_rectangle(x - 3.5, y + 1.5, sheet.column_width[c] + 6, sheet.row_height - 3, rule, 1);
      print("value", value, x, ink->look);
    }
    y += sheet.row_height;
    if (rules && r + 1 < document.rows.size())
      canvas.line(sheet.x - 3, y - 0.5, sheet.x + sheet.total_width + 3, y - 0.5, rule, 1);
  }
  if (tabular && rng.chance(0.6)) {
    canvas.stroke_rectangle(sheet.x - 3.5, table_top - 0.5, sheet.total_width + 7, y - table_top, rule, 1);
    for (size_t c = 1; c < columns; ++c) {
      const double x = sheet.x + sheet.column_x[c] - 4.5;
      canvas.line(x, table_top, x, y, rule, 1);
    }
  }
  sample.facts.images.push_back(std::move(facts));
  sample.frames.push_back(canvas.to_frame());
  degrade_images(rng, options, Frailty::kText, sample.frames);
  for (const Row& row : document.rows) {
    for (size_t c = 0; c < row.values.size(); ++c) {
      sample.facts.fields[document.columns.empty() ? row.key : row.key + "/" + document.columns[c]] =
          row.values[c];
    }
  }
  if (heading) sample.facts.fields["#title"] = document.title;
  return true;
}

bool make(Rng& rng, const Request& request, Sample& sample) {
  Document document = choose_document(rng, request);
  if (request.leads("title") && document.title.empty()) return false;
  if (!draw(rng, request, document, sample)) return false;
  return ask_all(rng, request, sample, [&](Rng& r, std::string_view kind) -> std::optional<Question> {
    if (kind == "field") return ask_field(r, document, false);
    if (kind == "total") return ask_field(r, document, true);
    if (kind == "key") return ask_key(r, document);
    if (kind == "fields") return ask_fields(r, document);
    if (kind == "cell") return ask_cell(r, document);
    if (kind == "exists") return ask_exists(r, document);
    if (kind == "count") return ask_count(r, document);
    return ask_title(r, document);
  });
}

}  // namespace

Family document_family() {
  using enum AnswerForm;
  return {"document",
          MediaType::kImage,
          {{"pair", "one \"key: value\" line"},
           {"two", "two of them"},
           {"four", "3 to 5 of them"},
           {"table", "two columns, rules"},
           {"form", "a title, labels, boxed values"},
           {"receipt", "shop, items with prices, total"},
           {"grid", "a table of names and 2 to 3 columns"}},
          {{"field", kExact, kPair, kReceipt, "What is the Total?"},
           {"key", kExact, kTwo, kReceipt, "Which field says 42?"},
           {"fields", kExact, kPair, kReceipt, "List all fields with their values."},
           {"total", kExact, kReceipt, kReceipt, "What is the Total?"},
           {"cell", kExact, kGrid, kGrid, "What is the Age of Anna?"},
           {"exists", kExact, kTwo, kReceipt, "Is there a field called Date?"},
           {"count", kExact, kTwo, kGrid, "How many fields are there?"},
           {"title", kExact, kForm, kReceipt, "What is the title?"}},
          make};
}

}  // namespace vl3::synth
