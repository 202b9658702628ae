#include "serve/metrics.h"

#include <gtest/gtest.h>

namespace vl3::serve {
namespace {

TEST(Metrics, TokensOfAStepInVllmsBuckets) {
  Histogram iterations(Metrics::iteration_bounds());
  for (const double tokens : {1.0, 8.0, 9.0, 20'000.0}) iterations.observe(tokens);
  const Metrics metrics("tiny");
  const std::string text = metrics.text({}, {}, nullptr, &iterations);
  const std::string labels = "{model_name=\"tiny\",engine=\"0\"";
  for (const std::string& line :
       {"_bucket" + labels + ",le=\"1\"} 1\n", "_bucket" + labels + ",le=\"8\"} 2\n",
        "_bucket" + labels + ",le=\"16384\"} 3\n", "_bucket" + labels + ",le=\"+Inf\"} 4\n",
        "_sum" + labels + "} 20018\n", "_count" + labels + "} 4\n"})
    EXPECT_NE(text.find("\nvl3:iteration_tokens_total" + line), std::string::npos) << line << text;
  EXPECT_EQ(metrics.text({}, {}, nullptr).find("iteration_tokens_total"), std::string::npos);
}

TEST(Metrics, ResponsesByStatus) {
  Metrics metrics("tiny");
  for (const int status : {200, 401, 401}) metrics.responded(status);
  const std::string text = metrics.text({}, {}, nullptr);
  EXPECT_NE(text.find("vl3:http_responses_total{model_name=\"tiny\",engine=\"0\",status=\"401\"} 2"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::serve
