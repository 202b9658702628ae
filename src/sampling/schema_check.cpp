#include "sampling/schema_check.h"

#include <array>

#include "core/check.h"

namespace vl3::sampling {
namespace {

// xgrammar reads past these (draft 4 to 2020-12).
constexpr std::array kUnsupported = {"not",
                                     "if",
                                     "then",
                                     "else",
                                     "dependencies",
                                     "dependentRequired",
                                     "dependentSchemas",
                                     "contains",
                                     "minContains",
                                     "maxContains",
                                     "additionalItems",
                                     "$dynamicRef",
                                     "$recursiveRef"};
// Where one of these stands, the first of them decides alone …
constexpr std::array kDeciding = {"$ref", "const", "enum", "anyOf", "oneOf", "allOf"};
// … and these would be left out, as they would be without a "type" to say what they belong to.
constexpr std::array kAsserting = {"minLength",     "maxLength",         "pattern",          "minimum",
                                   "maximum",       "exclusiveMinimum",  "exclusiveMaximum", "multipleOf",
                                   "minItems",      "maxItems",          "required",         "minProperties",
                                   "maxProperties", "patternProperties", "propertyNames"};
constexpr std::array kStructural = {"properties", "additionalProperties", "unevaluatedProperties",
                                    "items",      "prefixItems",          "unevaluatedItems"};
constexpr std::array kCounts = {"minLength", "maxLength",     "minItems",
                                "maxItems",  "minProperties", "maxProperties"};
constexpr std::array kMapsOfSchemas = {"properties", "patternProperties", "$defs", "definitions"};
constexpr std::array kData = {"const", "enum", "default", "example", "examples"};

template <size_t N>
bool contains(const std::array<const char*, N>& keywords, const std::string& key) {
  for (const char* keyword : keywords) {
    if (key == keyword) return true;
  }
  return false;
}

template <size_t N>
const char* first_of(const std::array<const char*, N>& keywords, const Json& schema) {
  for (const char* keyword : keywords) {
    if (schema.contains(keyword)) return keyword;
  }
  return nullptr;
}

/// @param typed  what the schema is for is known to be a string (propertyNames).
void check_keywords(const Json& schema, bool typed) {
  if (const char* keyword = first_of(kUnsupported, schema)) {
    VL3_FAIL(kInvalidArgument, "JSON schema: \"{}\" cannot be enforced, leave it out", keyword);
  }
  VL3_CHECK(!schema.contains("uniqueItems") || schema["uniqueItems"] == false, kInvalidArgument,
            "JSON schema: \"uniqueItems\" cannot be enforced, leave it out");
  VL3_CHECK(!schema.contains("type") || schema["type"] != Json::array(), kInvalidArgument,
            "JSON schema: \"type\" names no type");
  const char* asserting = first_of(kAsserting, schema);
  const char* structural = first_of(kStructural, schema);
  if (const char* deciding = first_of(kDeciding, schema)) {
    for (const char* other : {asserting, structural}) {
      VL3_CHECK(other == nullptr, kInvalidArgument,
                "JSON schema: \"{}\" beside \"{}\" cannot be enforced, join them", other, deciding);
    }
    for (const char* other : kDeciding) {
      VL3_CHECK(other == deciding || !schema.contains(other), kInvalidArgument,
                "JSON schema: \"{}\" beside \"{}\" cannot be enforced, join them", other, deciding);
    }
  } else if (!typed && !schema.contains("type") && structural == nullptr) {
    VL3_CHECK(asserting == nullptr, kInvalidArgument, "JSON schema: \"{}\" needs a \"type\" beside it",
              asserting);
  }
}

void check(const Json& schema, int depth, bool typed = false) {
  VL3_CHECK(depth <= kMaxGrammarDepth, kInvalidArgument, "JSON schema: nested deeper than {}",
            kMaxGrammarDepth);
  if (schema.is_array()) {
    for (const Json& item : schema) check(item, depth + 1);
  }
  if (!schema.is_object()) return;
  check_keywords(schema, typed);
  for (const auto& [key, value] : schema.items()) {
    if (contains(kCounts, key)) {
      VL3_CHECK(value.is_number_integer() && value >= 0 && value <= kMaxGrammarRepeat, kInvalidArgument,
                "JSON schema: \"{}\" must be an integer between 0 and {}", key, kMaxGrammarRepeat);
    }
    const bool pattern = key == "pattern" && value.is_string();
    const auto check_pattern = [](const std::string& text) {
      check_size(text, kMaxRegexBytes, "JSON schema: pattern");
      check_brackets_and_repeats(text, "JSON schema: pattern");
    };
    if (pattern) check_pattern(value.get<std::string>());
    if (contains(kMapsOfSchemas, key) && value.is_object()) {
      for (const auto& [name, child] : value.items()) {
        if (key == "patternProperties") check_pattern(name);
        check(child, depth + 1);
      }
    } else if (!contains(kData, key)) {
      check(value, depth + 1, key == "propertyNames");
    }
  }
}

}  // namespace

void check_size(std::string_view text, size_t max_bytes, const std::string& what) {
  VL3_CHECK(text.size() <= max_bytes, kInvalidArgument, "{}: {} bytes, the limit is {}", what, text.size(),
            max_bytes);
}

void check_brackets_and_repeats(std::string_view text, const std::string& what) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;
      if (text.substr(i).starts_with("u{")) ++i;  // a code point, no repeat
    } else if (c == '(' || c == '[') {
      VL3_CHECK(++depth <= kMaxGrammarDepth, kInvalidArgument, "{}: brackets nested deeper than {}", what,
                kMaxGrammarDepth);
    } else if ((c == ')' || c == ']') && depth > 0) {
      --depth;
    } else if (c == '{') {
      int64_t count = 0;
      for (size_t j = i + 1; j < text.size() && text[j] != '}'; ++j) {
        const bool digit = text[j] >= '0' && text[j] <= '9';
        count = digit ? count * 10 + (text[j] - '0') : 0;
        VL3_CHECK(count <= kMaxGrammarRepeat, kInvalidArgument, "{}: a repeat count is above {}", what,
                  kMaxGrammarRepeat);
      }
    }
  }
}

void check_schema(const Json& schema) { check(schema, 0); }

}  // namespace vl3::sampling
