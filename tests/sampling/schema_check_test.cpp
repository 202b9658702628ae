#include "sampling/schema_check.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::sampling {
namespace {

std::string check(const std::string& schema) {
  return test::error_of([&] { check_schema(parse_json(schema, "schema")); });
}

TEST(SchemaCheck, NamesWhatCannotBeEnforced) {
  struct Row {
    const char* schema;
    const char* error;
  };
  const std::vector<Row> rows = {
      {R"({"not": {}})", "\"not\" cannot be enforced"},
      {R"({"properties": {"a": {"if": {}}}})", "\"if\" cannot be enforced"},
      {R"({"type": "array", "uniqueItems": true})", "\"uniqueItems\""},
      {R"({"type": "array", "contains": {}})", "\"contains\""},
      {R"({"$ref": "#/x", "minLength": 3})", "\"minLength\" beside \"$ref\""},
      {R"({"anyOf": [{}], "properties": {}})", "\"properties\" beside \"anyOf\""},
      {R"({"anyOf": [{}], "oneOf": [{}]})", "\"oneOf\" beside \"anyOf\""},
      {R"({"minLength": 3})", "\"minLength\" needs a \"type\""},
      {R"({"type": []})", "names no type"},
      {R"({"type": "string", "maxLength": 10001})", "between 0 and 10000"},
      {R"({"type": "array", "minItems": -1})", "between 0 and 10000"},
      {R"({"type": "array", "minItems": "3"})", "between 0 and 10000"},
      {R"({"type": "string", "pattern": "a{20000}"})", "repeat count is above"},
      {R"({"anyOf": [{"type": "string"}, {"not": {}}]})", "\"not\""},
  };
  for (const Row& row : rows)
    EXPECT_NE(check(row.schema).find(row.error), std::string::npos)
        << row.schema << ": " << check(row.schema);
  std::string deep = "{}";
  for (int i = 0; i < 70; ++i) deep = R"({"items": )" + deep + "}";
  EXPECT_NE(check(deep).find("nested deeper than 64"), std::string::npos);
}

TEST(SchemaCheck, LeavesNamesAndDataAlone) {
  for (
      const char* schema :
      {R"({"type": "object", "properties": {"not": {"type": "string"}, "minLength": {}, "if": {"enum": ["then"]}}})",
       R"({"enum": [{"not": 1}, {"minItems": -4}]})", R"({"const": {"if": 1}, "default": {"else": []}})",
       R"({"type": "string", "enum": ["a"], "description": "x"})",
       R"({"type": "array", "uniqueItems": false})",
       R"({"type": "object", "propertyNames": {"pattern": "^a"}})", "true", "[]", "3"}) {
    EXPECT_EQ(check(schema), "") << schema;
  }
}

TEST(SchemaCheck, BoundsBracketsAndRepeats) {
  const auto regex = [](const std::string& text) {
    return test::error_of([&] { check_brackets_and_repeats(text, "regex"); });
  };
  EXPECT_EQ(regex("a{1,10000}[(\\(\\[]" + std::string(500, ')')), "");
  EXPECT_EQ(regex(std::string(100, '\\')), "");
  EXPECT_NE(regex(std::string(65, '(')).find("nested deeper than 64"), std::string::npos);
  EXPECT_NE(regex("a{3,99999999999999999999999}").find("repeat count"), std::string::npos);
  EXPECT_NE(regex("a{99999").find("repeat count"), std::string::npos);
}

}  // namespace
}  // namespace vl3::sampling
