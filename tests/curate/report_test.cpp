#include "curate/report.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "curate/pictures.h"

namespace vl3::curate {
namespace {

class OneWord : public Captioner {
 public:
  std::vector<CaptionReply> caption(const std::vector<CaptionRequest>& requests) override {
    std::vector<CaptionReply> replies;
    for (const CaptionRequest& request : requests)
      replies.push_back({"Rectangles.", request.media.ends_with("002.jpg") ? "length" : "stop", ""});
    return replies;
  }
};

// The data of the page, which its script draws.
Json data_of(const std::string& page) {
  const std::string mark = "<script type=\"application/json\" id=\"data\">";
  const size_t begin = page.find(mark) + mark.size();
  return Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

TEST(Report, ShowsNewCaptionsAndDuplicatesInPairs) {
  const test::TempDir dir;
  test::write_collection(dir, 10);
  (void)dir.write("in/media/004.jpg", test::jpeg(test::scene(3), 60));
  (void)dir.write("in/media/005.jpg", test::jpeg(test::scene(3), 50));
  CurateHooks hooks;
  hooks.captioner = [](const CurateConfig&) { return std::make_unique<OneWord>(); };
  test::run(test::config_for(dir, {"model=default", "caption.short_caption=true", "export.caption=short"}),
            {}, {}, hooks);
  const std::string page = read_file(dir / "out/report.html", 1 << 30);
  const Json data = data_of(page);
  EXPECT_EQ(data.at("captions").at("short"), 7);
  EXPECT_EQ(data.at("captions").at("unfit"), 1);
  EXPECT_EQ(data.at("captions").at("faults").at("cut off"), 1);
  EXPECT_EQ(data.at("not_exported").at("no caption"), 1);
  EXPECT_EQ(data.at("samples").at("kept").at(0).at("short"), "Rectangles.");
  EXPECT_EQ(data.at("duplicates").at("groups"), 1);
  EXPECT_EQ(data.at("duplicates").at("largest"), 3);
  EXPECT_EQ(data.at("duplicates").at("distances").size(), 29u);
  const Json pair = data.at("samples").at("near_duplicate").at(0);
  EXPECT_TRUE(pair.contains("picture") && pair.at("twin").contains("picture"));
  EXPECT_EQ(pair.at("twin").at("verdict"), "kept");
  // Pictures of a file are there at once, also when it is printed or saved.
  EXPECT_EQ(page.find("lazy"), std::string::npos);
}

}  // namespace
}  // namespace vl3::curate
