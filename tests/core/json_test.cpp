#include "core/json.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3 {
namespace {

using test::error_of;

TEST(Json, NamesFileAndKeyOfAWrongType) {
  const Json json = {{"hidden_size", "many"}};
  const std::string error = error_of([&] { JsonView(json, "config.json").integer("hidden_size"); });
  EXPECT_EQ(error, "corrupt: config.json: \"hidden_size\" must be an integer, found \"many\"");
}

TEST(Json, RefusesOutOfRangeAndMissing) {
  const Json json = {{"layers", -3}, {"big", 18446744073709551615ull}};
  const JsonView view(json, "c");
  EXPECT_NE(error_of([&] { view.integer("layers", 1, 10); }).find("outside 1..10"), std::string::npos);
  EXPECT_NE(error_of([&] { view.integer("big"); }).find("must be an integer"), std::string::npos);
  EXPECT_NE(error_of([&] { view.integer("absent"); }).find("\"absent\" is missing"), std::string::npos);
  EXPECT_EQ(view.integer_or("absent", 7), 7);
}

TEST(Json, RefusesBrokenUtf8DeepNestingAndTruncation) {
  EXPECT_NE(error_of([] { parse_json("{\"a\": \"\xff\"}", "x"); }).find("not valid JSON"), std::string::npos);
  EXPECT_NE(error_of([] { parse_json(std::string(100000, '['), "x"); }).find("nested deeper"),
            std::string::npos);
  EXPECT_NE(error_of([] { parse_json("{\"a\": ", "x"); }).find("not valid JSON"), std::string::npos);
}

TEST(Json, CountsValuesBeforeItBuildsThem) {
  const auto fits = [](std::string_view text, size_t values) {
    EXPECT_NO_THROW(parse_json(text, "x", values)) << text;
    EXPECT_EQ(error_of([&] { parse_json(text, "x", values - 1); }),
              "limit reached: x: more than " + std::to_string(values - 1) + " JSON values");
  };
  fits("[1]", 2);
  fits("[ [ ], {}, [\n[]] ]", 5);
  fits(R"({"a":1,"b":{"c":"x,[,]{\",","d":null}})", 5);
  EXPECT_NO_THROW(parse_json("7", "x", 1));
  EXPECT_NO_THROW(parse_json("[]", "x", 1));
}

TEST(Json, ABombOfEmptyListsIsNotBuilt) {
  std::string bomb = R"({"prompt":"a","x":[[])";
  for (int i = 0; i < 2'000'000; ++i) bomb += ",[]";
  bomb += "]}";
  EXPECT_NE(error_of([&] { parse_json(bomb, "the body", 1'000'000); }).find("more than 1000000 JSON values"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3
