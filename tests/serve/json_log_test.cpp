#include "serve/json_log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "core/json.h"
#include "core/log.h"

namespace vl3::serve {
namespace {

TEST(JsonLog, EveryLineIsAnObject) {
  std::ostringstream out;
  logger().sinks().push_back(std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  log_as_json();
  const auto level = logger().level();
  logger().set_level(spdlog::level::info);
  logger().info("{}", R"({"event":"request","status":200})");
  logger().warn("a \"plain\" line\nwith {braces} and \xff");
  logger().info("{}", "{no object");
  logger().set_level(level);
  logger().sinks().pop_back();
  std::istringstream lines(out.str());
  std::vector<Json> found;
  for (std::string line; std::getline(lines, line);) found.push_back(Json::parse(line));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0]["event"], "request");
  EXPECT_EQ(found[0]["status"], 200);
  EXPECT_EQ(found[0]["level"], "info");
  EXPECT_EQ(found[0]["time"].get<std::string>().size(), std::string("2026-01-01T00:00:00.000Z").size());
  EXPECT_EQ(found[1]["event"], "message");
  EXPECT_EQ(found[1]["level"], "warning");
  EXPECT_TRUE(found[1]["message"].get<std::string>().starts_with("a \"plain\" line\nwith {braces}"));
  EXPECT_EQ(found[2]["message"], "{no object");
}

}  // namespace
}  // namespace vl3::serve
