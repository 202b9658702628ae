#include "serve/openai/messages.h"

#include "serve/openai/parsed.h"

namespace vl3::serve {
namespace {

Json of_part(const char* part) {
  return {{{"role", "user"}, {"content", Json::array({parse_json(part, "part")})}}};
}

TEST(Messages, BareBase64BecomesADataUrlOfItsKind) {
  Json messages = of_part(R"({"type":"image","image":{"data":"AAAA"}})");
  normalise_messages(messages);
  EXPECT_EQ(messages[0]["content"][0]["image"]["url"], "data:image/png;base64,AAAA");
  messages = of_part(R"({"type":"input_video","input_video":{"data":"data:video/webm;base64,AAAA"}})");
  normalise_messages(messages);
  EXPECT_EQ(messages[0]["content"][0]["input_video"]["url"], "data:video/webm;base64,AAAA");
}

TEST(Messages, ANullMediumNeedsAUuid) {
  for (const char* part :
       {R"({"type":"image_url","image_url":null,"uuid":"cat"})", R"({"type":"image_url","uuid":"cat"})"}) {
    Json messages = of_part(part);
    EXPECT_EQ(normalise_messages(messages), std::vector<std::string>{"cat"});
    EXPECT_EQ(messages[0]["content"][0]["image_url"], "uuid:cat");
  }
  Json messages = of_part(R"({"type":"image_url","image_url":{"url":"data:,","uuid":"inside"}})");
  EXPECT_EQ(normalise_messages(messages), std::vector<std::string>{"inside"});
  messages = of_part(R"({"type":"image_url","image_url":null})");
  EXPECT_EQ(test::param_of([&] { normalise_messages(messages); }), "messages[0].content[0].image_url");
  messages = of_part(R"({"type":"image_url","image_url":null,"uuid":""})");
  EXPECT_EQ(test::param_of([&] { normalise_messages(messages); }), "messages[0].content[0].uuid");
}

}  // namespace
}  // namespace vl3::serve
