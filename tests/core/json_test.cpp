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

}  // namespace
}  // namespace vl3
