#include "serve/openai/constraint_fields.h"

#include "serve/openai/parsed.h"

namespace vl3::serve {
namespace {

using test::failing_param;

GenerationConfig config_of(const char* fields) { return test::parse_chat(fields).job.options.generation; }

TEST(ConstraintFields, ResponseFormats) {
  EXPECT_EQ(
      config_of(
          R"({"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"},"strict":true}}})")
          .json_schema,
      R"({"type":"object"})");
  EXPECT_TRUE(config_of(R"({"response_format":{"type":"json_object"}})").json_object);
  const GenerationConfig with_schema =
      config_of(R"({"response_format":{"type":"json_object","schema":{"type":"object"}}})");
  EXPECT_EQ(with_schema.json_schema, R"({"type":"object"})");
  EXPECT_FALSE(with_schema.json_object);
  EXPECT_EQ(config_of(R"({"response_format":{"type":"text"}})").json_schema, "");
  EXPECT_EQ(failing_param(R"({"response_format":{"type":"structural_tag"}})"), "response_format.type");
  EXPECT_EQ(failing_param(R"({"response_format":{}})"), "response_format.type");
  EXPECT_EQ(failing_param(R"({"response_format":{"type":"json_schema","json_schema":{"name":"x"}}})"),
            "response_format.json_schema.schema");
}

// A choice in one spelling was honoured, in the other only warned about in the log.
TEST(ConstraintFields, EverySpellingBinds) {
  for (const char* fields :
       {R"({"structured_outputs":{"choice":["a.b","c"]}})", R"({"guided_choice":["a.b","c"]})"})
    EXPECT_EQ(config_of(fields).regex, R"((a\.b)|(c))") << fields;
  for (const char* fields : {R"({"structured_outputs":{"regex":"a+"}})", R"({"guided_regex":"a+"})",
                             R"({"regex":"a+","guided_decoding_backend":"xgrammar"})"})
    EXPECT_EQ(config_of(fields).regex, "a+") << fields;
  for (const char* fields :
       {R"({"structured_outputs":{"json":{"type":"null"}}})", R"({"guided_json":{"type":"null"}})",
        R"({"guided_json":"{\"type\":\"null\"}"})", R"({"json_schema":{"type":"null"}})"})
    EXPECT_EQ(config_of(fields).json_schema, R"({"type":"null"})") << fields;
  EXPECT_TRUE(config_of(R"({"structured_outputs":{"json_object":true}})").json_object);
  EXPECT_EQ(test::parse_completion(R"({"guided_choice":"yes"})").job.options.generation.regex, "(yes)");
}

TEST(ConstraintFields, WhatIsNotKnownIsRefused) {
  for (const char* key : {"guided_grammar", "grammar", "ebnf"}) {
    EXPECT_EQ(failing_param(std::string("{\"") + key + R"(":"root ::= x"})"), key);
    EXPECT_EQ(failing_param(std::string("{\"") + key + R"(":""})"), key);
    EXPECT_EQ(failing_param(std::string("{\"") + key + R"(":null})"), "nothing failed");
  }
  EXPECT_EQ(failing_param(R"({"guided_whitespace_pattern":" "})"), "guided_whitespace_pattern");
  EXPECT_EQ(failing_param(R"({"structural_tag":{"a":1}})"), "structural_tag");
  EXPECT_EQ(failing_param(R"({"structured_outputs":{"grammar":"root ::= x"}})"),
            "structured_outputs.grammar");
  EXPECT_EQ(failing_param(R"({"structured_outputs":{"json":{},"disable_any_whitespace":true}})"),
            "structured_outputs.disable_any_whitespace");
  EXPECT_EQ(failing_param(R"({"structured_outputs":{"json":{},"disable_any_whitespace":false}})"),
            "nothing failed");
  EXPECT_EQ(failing_param(R"({"structured_outputs":{"choices":["a"]}})"), "structured_outputs.choices");
}

TEST(ConstraintFields, WhatSaysNothingIsRefused) {
  EXPECT_EQ(failing_param(R"({"guided_choice":[]})"), "guided_choice");
  EXPECT_EQ(failing_param(R"({"guided_choice":[1]})"), "guided_choice");
  EXPECT_EQ(failing_param(R"({"guided_regex":""})"), "guided_regex");
  EXPECT_EQ(failing_param(R"({"guided_json":""})"), "guided_json");
  EXPECT_EQ(failing_param(R"({"guided_json":[]})"), "guided_json");
  EXPECT_EQ(failing_param(R"({"guided_choice":null,"guided_regex":null})"), "nothing failed");
}

TEST(ConstraintFields, OnlyOneBinds) {
  EXPECT_EQ(failing_param(R"({"guided_choice":["a"],"guided_regex":"b"})"), "guided_choice");
  EXPECT_EQ(failing_param(R"({"structured_outputs":{"json":{},"regex":"b"}})"), "structured_outputs.regex");
  EXPECT_EQ(failing_param(R"({"response_format":{"type":"json_object"},"guided_json":{}})"), "guided_json");
  EXPECT_EQ(failing_param(R"({"response_format":{"type":"text"},"guided_json":{}})"), "nothing failed");
}

}  // namespace
}  // namespace vl3::serve
