#include "serve/openai/constraint_fields.h"

#include <fmt/format.h>

#include <string_view>

namespace vl3::serve {
namespace {

constexpr size_t kMaxChoices = 256;

std::string escaped(const std::string& choice) {
  std::string out;
  for (const char c : choice) {
    if (std::string_view("\\^$.|?*+()[]{}/-").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// Puts the one constraint that a request may have into its config.
class ConstraintReader {
 public:
  explicit ConstraintReader(GenerationConfig& config) : config_(config) {}

  /// A JSON schema: an object, a boolean, or one of those as text.
  void schema(Fields& fields, const std::string& key) {
    const Json* value = fields.find(key);
    if (value == nullptr) return;
    const bool text = value->is_string() && !value->get_ref<const std::string&>().empty();
    if (!text && !value->is_object() && !value->is_boolean()) fields.fail(key, "a JSON schema");
    take(fields.path(key));
    config_.json_schema = text ? value->get<std::string>() : value->dump();
  }

  void regex(Fields& fields, const std::string& key) {
    const auto value = fields.string(key);
    if (!value) return;
    if (value->empty()) fields.fail(key, "a regular expression");
    take(fields.path(key));
    config_.regex = *value;
  }

  void choice(Fields& fields, const std::string& key) {
    const auto choices = fields.strings(key, kMaxChoices);
    if (!choices) return;
    if (choices->empty()) fields.fail(key, "at least one string");
    take(fields.path(key));
    for (const std::string& one : *choices)
      config_.regex += (config_.regex.empty() ? "(" : "|(") + escaped(one) + ")";
  }

  void json_object(const std::string& path) {
    take(path);
    config_.json_object = true;
  }

 private:
  void take(const std::string& path) {
    if (!taken_.empty())
      throw ApiError(400, fmt::format("{} and {} exclude one another: give one", taken_, path), path);
    taken_ = path;
  }

  GenerationConfig& config_;
  std::string taken_;  // the field that was read
};

// The ways of others to say what grammars of ours do not.
void refuse(Fields& fields, const char* key) {
  const Json* value = fields.find(key);
  if (value == nullptr || *value == false || (value->is_structured() && value->empty())) return;
  throw ApiError(
      400,
      fmt::format("{} is not supported; use structured_outputs with json, regex, choice or json_object",
                  fields.path(key)),
      fields.path(key));
}

void read_response_format(Fields& fields, ConstraintReader& reader) {
  const Json* format = fields.find("response_format");
  if (format == nullptr) return;
  Fields inner(*format, "response_format");
  const std::string type = inner.string("type").value_or("");
  if (type == "json_object") {
    // llama.cpp's and others' way to give a schema.
    if (inner.find("schema") != nullptr) return reader.schema(inner, "schema");
    reader.json_object(inner.path("type"));
  } else if (type == "json_schema") {
    Fields outer(inner.require("json_schema"), "response_format.json_schema");
    outer.require("schema");
    reader.schema(outer, "schema");
  } else if (type != "text") {
    inner.fail("type", "\"text\", \"json_object\" or \"json_schema\"");
  }
}

void read_structured_outputs(Fields& fields, ConstraintReader& reader) {
  const Json* value = fields.find("structured_outputs");
  if (value == nullptr) return;
  Fields inner(*value, "structured_outputs");
  reader.schema(inner, "json");
  reader.regex(inner, "regex");
  reader.choice(inner, "choice");
  if (inner.boolean("json_object").value_or(false)) reader.json_object(inner.path("json_object"));
  for (const char* key : {"grammar", "structural_tag", "whitespace_pattern", "disable_any_whitespace",
                          "disable_additional_properties"})
    refuse(inner, key);
  inner.boolean("disable_fallback");  // there is nothing to fall back to
  // A misspelt constraint would be none.
  const std::vector<std::string> unread = inner.unread();
  if (!unread.empty())
    throw ApiError(400, fmt::format("{} is unknown; use json, regex, choice or json_object", unread.front()),
                   unread.front());
}

}  // namespace

void read_constraints(Fields& fields, GenerationConfig& config) {
  ConstraintReader reader(config);
  read_response_format(fields, reader);
  read_structured_outputs(fields, reader);
  reader.schema(fields, "guided_json");
  reader.regex(fields, "guided_regex");
  reader.choice(fields, "guided_choice");
  reader.schema(fields, "json_schema");
  reader.regex(fields, "regex");
  for (const char* key : {"guided_grammar", "guided_whitespace_pattern", "structural_tag", "grammar", "ebnf"})
    refuse(fields, key);
  fields.find("guided_decoding_backend");  // how, not what
}

}  // namespace vl3::serve
