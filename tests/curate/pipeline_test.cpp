#include "curate/pipeline.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "core/file.h"
#include "curate/pictures.h"
#include "curate/recipe.h"
#include "media/png_writer.h"
#include "synth/video_encoder.h"

namespace vl3::curate {
namespace {

using test::config_for;
using test::reasons;
using test::run;
using test::TempDir;

std::string file_text(const std::filesystem::path& path) { return read_file(path, 1 << 30); }

void append(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::app | std::ios::binary) << text;
}

TEST(Pipeline, EveryItemIsKeptOrDroppedOnceWithItsReason) {
  const TempDir dir;
  test::write_collection(dir, 10);
  const media::Frame plain = test::draw(100, 100, [](int, int, int) { return 90; });
  const media::Frame strip = test::scene(50, 40, 400);
  (void)dir.write("in/media/blank.jpg", test::jpeg(plain));
  (void)dir.write("in/media/strip.jpg", test::jpeg(strip));
  (void)dir.write("in/media/again.jpg", test::jpeg(test::scene(4), 50));
  (void)dir.write("in/media/same.jpg", test::jpeg(test::scene(5)));
  (void)dir.write("in/media/tiny.jpg", test::jpeg(test::scene(6, 20, 20)));
  (void)dir.write("in/media/cut.jpg", test::jpeg(test::scene(7)).substr(0, 900));
  (void)dir.write("in/media/page.jpg", "<html>not found</html>");
  (void)dir.write("in/media/empty.jpg", "");
  const auto line = [](const std::string& name, const std::string& caption) {
    return Json{{"image", name}, {"caption", caption}}.dump() + "\n";
  };
  std::string lines;
  for (const char* name : {"blank", "strip", "again", "same", "tiny", "cut", "page", "empty"})
    lines += line(fmt::format("media/{}.jpg", name), fmt::format("A {} picture", name));
  lines += line("media/001.jpg", "x") + line("media/002.jpg", "buy now buy now buy now buy now buy now");
  lines += line("media/003.jpg", "odd \x1b character") + line("media/003.jpg", "an <image> tag");
  append(dir / "in/items.jsonl", lines);
  run(config_for(dir));
  std::vector<std::string> expected(10, "");
  for (const char* reason :
       {"blank", "aspect_ratio", "near_duplicate", "exact_duplicate", "too_small", "corrupt", "not_media",
        "corrupt", "caption_short", "caption_repetition", "caption_control_characters", "caption_media_tag"})
    expected.emplace_back(reason);
  EXPECT_EQ(reasons(dir, 22), expected);
}

TEST(Pipeline, HostileLinesCostThemselvesOnly) {
  const TempDir dir;
  test::write_collection(dir, 4);
  (void)dir.write("outside/secret.jpg", test::jpeg(test::scene(90)));
  (void)dir.write("in/media/new\nline.jpg", test::jpeg(test::scene(91)));
  std::filesystem::create_symlink("../../outside/secret.jpg", dir / "in/media/link.jpg");
  // A PNG of 60000 x 60000 by its header, whose checksum is right.
  std::string huge = media::encode_png(media::Frame{1, 1, {0, 0, 0}, 0});
  huge.replace(16, 8, std::string("\x00\x00\xea\x60\x00\x00\xea\x60", 8));
  huge.replace(29, 4, "\x0f\xb0\xe2\x15");
  (void)dir.write("in/media/huge.png", huge);
  append(dir / "in/items.jsonl",
         "{\"image\": \"media/new\\nline.jpg\"}\n"
         "{\"image\": \"../outside/secret.jpg\"}\n"
         "{\"image\": \"/etc/passwd\"}\n"
         "{\"image\": \"media/link.jpg\"}\n"
         "{\"image\": \"http://127.0.0.1/a.jpg\"}\n"
         "{\"image\": \"media/huge.png\"}\n"
         "{\"image\": \"media/gone.jpg\"}\n"
         "{\"image\": \"media\"}\n"
         "{\"image\": \n"
         "[1]\n"
         "{\"image\": 7}\n"
         "{\"text\": \"nothing\"}\n"
         "{\"image\": \"\xff.jpg\"}\n"
         "{\"image\": [\"a.jpg\", \"b.jpg\"]}\n"
         "{\"image\": \"media/000.jpg\", \"conversations\": 5}\n" +
             std::string(40'000, '[') + "\n");
  run(config_for(dir));
  std::vector<std::string> expected(4, "");
  for (const char* reason :
       {"name_control_characters", "outside_data_root", "absolute_path", "outside_data_root", "not_local",
        "too_large", "missing", "not_a_file", "wrong_json", "wrong_schema", "wrong_schema", "no_media",
        "wrong_json", "several_media", "wrong_schema", "wrong_json"})
    expected.emplace_back(reason);
  EXPECT_EQ(reasons(dir, 20), expected);
}

TEST(Pipeline, ThresholdsChangeWithoutLookingAtMediaAgain) {
  const TempDir dir;
  test::write_collection(dir, 20);
  run(config_for(dir));
  std::filesystem::rename(dir / "in/media", dir / "in/away");  // whoever looked again would find nothing
  const CurateReport again = run(config_for(dir, {"aspect.max_ratio=1.1", "export.format=official"}));
  EXPECT_EQ(again.scored, 0);
  EXPECT_EQ(again.kept, 0);
  EXPECT_EQ(again.reasons.at("aspect_ratio"), 20);
}

TEST(Pipeline, ScoresOfAnotherInputOrRecipeAreRefused) {
  const TempDir dir;
  test::write_collection(dir, 5);
  run(config_for(dir));
  EXPECT_NE(test::error_of([&] {
              run(config_for(dir, {"input.shard_items=4"}));
            }).find("input.shard_items = 8; now input.shard_items = 4"),
            std::string::npos);
  append(dir / "in/items.jsonl", "{\"image\": \"media/000.jpg\"}\n");
  EXPECT_NE(test::error_of([&] { run(config_for(dir)); }).find("made otherwise"), std::string::npos);
}

TEST(Pipeline, SharesAndAMergeGiveWhatOneProcessGives) {
  const TempDir one, many;
  for (const TempDir* dir : {&one, &many}) test::write_collection(*dir, 50);
  run(config_for(one));
  const Steps score{true, false, false, false};
  EXPECT_EQ(run(config_for(many), score, {1, 3}).scored + run(config_for(many), score, {0, 3}).scored, 34);
  EXPECT_NE(test::error_of([&] {
              run(config_for(many), {false, true, true, true});
            }).find("is not scored yet"),
            std::string::npos);
  EXPECT_EQ(run(config_for(many), score, {2, 3}).scored, 16);
  run(config_for(many), {false, true, true, true});
  for (const char* file : {"out/kept.jsonl", "out/dropped.jsonl", "out/train.jsonl"})
    EXPECT_EQ(file_text(one / file), file_text(many / file)) << file;
}

TEST(Pipeline, KilledRunsGoOnWithoutLossOrRepetition) {
  const TempDir dir, whole;
  test::write_collection(dir, 60);
  test::write_collection(whole, 60);
  run(config_for(whole));
  int killed = 0;
  for (int attempt = 0; attempt < 40; ++attempt) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int64_t shards = 0;
      CurateHooks hooks;
      hooks.progress = [&](const ScoreProgress&) {
        if (++shards > 1) ::kill(::getpid(), SIGKILL);  // in the middle of its second shard
      };
      run(config_for(dir), {true, false, false, false}, {}, hooks);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) break;
    ++killed;
  }
  EXPECT_EQ(killed, 7);  // of 8 shards each attempt finishes one; the last has nothing left to be killed in
  const CurateReport report = run(config_for(dir));
  EXPECT_EQ(report.scored, 0);
  for (const char* file : {"out/kept.jsonl", "out/dropped.jsonl", "out/train.jsonl"})
    EXPECT_EQ(file_text(dir / file), file_text(whole / file)) << file;
}

TEST(Pipeline, AFolderWithSidecarsIsAnInput) {
  const TempDir dir;
  (void)dir.write("in/b/2.jpg", test::jpeg(test::scene(2)));
  (void)dir.write("in/b/2.txt", "Boxes of the second scene\n");
  (void)dir.write("in/a/1.jpg", test::jpeg(test::scene(1)));
  (void)dir.write("in/a/1.json", R"({"alt_text": "Boxes of the first scene"})");
  (void)dir.write("in/a/.hidden.jpg", "x");
  (void)dir.write("in/c/bad\xff.jpg", "x");
  (void)dir.write("in/c/notes.bin", "what is this");
  CurateConfig config = config_for(dir, {"input.path=" + (dir / "in").string()});
  run(config);
  EXPECT_EQ(reasons(dir, 4), (std::vector<std::string>{"", "", "name_not_utf8", "not_media"}));
  const std::vector<Json> kept = test::lines_of(dir / "out/kept.jsonl");
  EXPECT_EQ(kept[0].at("media"), "a/1.jpg");
  EXPECT_EQ(kept[0].at("caption"), "Boxes of the first scene");
  EXPECT_EQ(kept[1].at("caption"), "Boxes of the second scene");
}

TEST(Pipeline, ExportIsTheOfficialFormat) {
  const TempDir dir;
  test::write_collection(dir, 3);
  run(config_for(dir, {"export.prompt=What is this?"}));
  const std::vector<Json> train = test::lines_of(dir / "out/train.jsonl");
  ASSERT_EQ(train.size(), 3u);
  EXPECT_EQ(train[1], Json::parse(R"({"id": "item-1", "image": "media/001.jpg", "conversations":
      [{"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": "Boxes of scene bb in a row"}]})"));
}

TEST(Pipeline, WebDatasetGoesOutAndComesInAgain) {
  const TempDir dir;
  test::write_collection(dir, 7);
  run(config_for(dir, {"export.format=webdataset", "export.shard_items=3"}));
  EXPECT_EQ(vl3::test::names_in(dir / "out/webdataset"),
            (std::set<std::string>{"00000.tar", "00001.tar", "00002.tar"}));
  CurateConfig again = config_for(
      dir, {"input.path=" + (dir / "out/webdataset").string(), "output=" + (dir / "second").string()});
  run(again);
  const std::vector<Json> kept = test::lines_of(dir / "second/kept.jsonl");
  ASSERT_EQ(kept.size(), 7u);
  EXPECT_EQ(kept[3].at("caption"), "Boxes of scene dddd in a row");
  // What came out of a tar lies as a file where train.jsonl says.
  const std::vector<Json> train = test::lines_of(dir / "second/train.jsonl");
  EXPECT_EQ(file_text(dir / "second/media" / train[3].at("image").get<std::string>()),
            file_text(dir / "in/media/003.jpg"));
}

std::vector<std::string> two_inputs(const TempDir& dir, const std::string& second) {
  return {"input.path=[]", "input.path.0=" + (dir / "in/items.jsonl").string(),
          "input.path.1=" + (dir / second).string()};
}

// Media out of tars lie in the output folder, others where they are: train.jsonl has one root for both.
TEST(Pipeline, TarsAndFilesTogetherAreForTarsOnly) {
  const TempDir dir;
  test::write_collection(dir, 4);
  run(config_for(dir, {"export.format=webdataset"}));
  std::vector<std::string> both = two_inputs(dir, "out/webdataset");
  both.push_back("output=" + (dir / "second").string());
  EXPECT_NE(test::error_of([&] { run(config_for(dir, both)); }).find("no data root in common"),
            std::string::npos);
  both.push_back("export.format=webdataset");
  EXPECT_EQ(run(config_for(dir, both)).items, 8);
}

TEST(Pipeline, SaysWhatMediaOfSeveralInputsAreRelativeTo) {
  const TempDir dir;
  test::write_collection(dir, 2);
  (void)dir.write("more/a.jpg", test::jpeg(test::scene(30)));
  std::string notes;
  CurateHooks hooks;
  hooks.note = [&](const std::string& line) { notes += line + "\n"; };
  run(config_for(dir, two_inputs(dir, "more")), {}, {}, hooks);
  const std::string root = std::filesystem::canonical(dir / "in").parent_path().string();
  EXPECT_NE(notes.find("relative to " + root + "\n"), std::string::npos) << notes;
}

TEST(Pipeline, OfEqualPicturesTheOneWithACaptionStays) {
  const TempDir dir;
  for (const char* name : {"in/a.jpg", "in/b.jpg"}) (void)dir.write(name, test::jpeg(test::scene(1)));
  (void)dir.write("in/b.txt", "A scene\n");
  const std::string input = "input.path=" + (dir / "in").string();
  run(config_for(dir, {input}));
  EXPECT_EQ(reasons(dir, 2), (std::vector<std::string>{"exact_duplicate", ""}));
  EXPECT_EQ(test::lines_of(dir / "out/kept.jsonl")[0].at("caption"), "A scene");
}

// A film and its cover were duplicates, and so were two parts of one film.
TEST(Pipeline, VideosAreNoDuplicatesOfStillsNorOfTheirOwnParts) {
  const TempDir dir;
  std::vector<media::Frame> frames;
  for (int i = 0; i < 24; ++i)
    frames.push_back(test::draw(96, 128, [=](int y, int x, int c) {
      return (x / 8 == i % 16 ? 240 : 60) - 20 * ((y / 16 + c) % 2);
    }));
  (void)dir.write("in/film.mp4", synth::encode_h264_mp4(frames, 2, 12));
  (void)dir.write("in/cover.jpg", test::jpeg(frames[12]));
  const auto part = [](int from, int to) {
    return Json{{"messages",
                 {{{"role", "user"},
                   {"content",
                    {{{"type", "video"}, {"video", "film.mp4"}, {"start", from}, {"end", to}},
                     {{"type", "text"}, {"text", "Describe the video."}}}}},
                  {{"role", "assistant"}, {"content", fmt::format("From {} to {}", from, to)}}}}}
               .dump() +
           "\n";
  };
  (void)dir.write("in/items.jsonl", part(0, 5) + part(6, 11) + "{\"image\": \"cover.jpg\"}\n");
  run(config_for(dir, {"quality.max_blur=1", "video.max_static_share=1", "duplicates.max_hash_distance=31",
                       "duplicates.max_thumb_mean=15", "duplicates.max_thumb_cell=15"}));
  const std::vector<std::string> found = reasons(dir, 3);
  EXPECT_NE(found[1], "exact_duplicate");
  EXPECT_EQ(found[2], "");
}

TEST(Pipeline, AColumnThatNoItemHasIsRefused) {
  const TempDir dir;
  test::write_collection(dir, 3);
  const std::vector<std::string> set = {"scorers.0.name=clip", "scorers.0.column=clip_typo",
                                        "scorers.0.min=0.2"};
  EXPECT_NE(test::error_of([&] { run(config_for(dir, set)); }).find("no item has a number in its column"),
            std::string::npos);
}

class UpperCaptioner : public Captioner {
 public:
  std::vector<CaptionReply> caption(const std::vector<CaptionRequest>& requests) override {
    std::vector<CaptionReply> replies;
    for (const CaptionRequest& request : requests) {
      const std::string stem = std::filesystem::path(request.media).stem();
      CaptionReply reply{request.prompt + " " + stem, "stop", ""};
      if (stem == "002") reply.finish_reason = "length";
      if (stem == "003") reply.error = "no memory";
      if (stem == "004") reply.text = "so it so it so it so it so it so it";
      replies.push_back(reply);
      ++asked;
    }
    largest = std::max(largest, requests.size());
    return replies;
  }
  static inline int asked = 0;
  static inline size_t largest = 0;
};

TEST(Pipeline, NewCaptionsAreMadeOnceAndJudged) {
  const TempDir dir;
  test::write_collection(dir, 12);
  CurateHooks hooks;
  hooks.captioner = [](const CurateConfig&) { return std::make_unique<UpperCaptioner>(); };
  const std::vector<std::string> set = {"model=default", "caption.short_caption=true",
                                        "caption.short_prompt=Short", "caption.batch=3",
                                        "export.caption=short"};
  UpperCaptioner::asked = 0;
  const CaptionCounts first = run(config_for(dir, set), {}, {}, hooks).captions;
  EXPECT_EQ(first.made, 9);
  EXPECT_EQ(first.unfit, 2);
  EXPECT_EQ(first.failed, 1);
  EXPECT_EQ(first.first_error, "no memory");
  EXPECT_EQ(UpperCaptioner::largest, 3u);
  EXPECT_EQ(UpperCaptioner::asked, 12);
  const CaptionCounts again = run(config_for(dir, set), {}, {}, hooks).captions;
  EXPECT_EQ(again.made + again.unfit, 0);
  EXPECT_EQ(again.failed, 1);
  EXPECT_EQ(UpperCaptioner::asked, 13) << "only what failed is asked for again";
  const std::vector<Json> kept = test::lines_of(dir / "out/kept.jsonl");
  EXPECT_EQ(kept[1].at("short_caption"), "Short 001");
  EXPECT_EQ(kept[2].at("caption_error"), "cut off");
  EXPECT_EQ(kept[3].at("caption_error"), "no memory");
  EXPECT_EQ(kept[4].at("caption_error"), "caption_repetition");
  EXPECT_EQ(kept[4].at("not_exported"), "no caption");
  EXPECT_EQ(test::lines_of(dir / "out/train.jsonl").size(), 9u);
}

class BrightModel : public PictureModel {
 public:
  int64_t feature_size() const override { return 2; }
  std::vector<Impression> look(const std::vector<Sighting>& items) override {
    std::vector<Impression> impressions;
    for (const Sighting& item : items)
      impressions.push_back({{1, 0}, {{"first_pixel", item.picture->rgb[0] + 0.0}}});
    return impressions;
  }
};

TEST(Pipeline, ModelsAndColumnsScore) {
  const TempDir dir;
  test::write_collection(dir, 6);
  std::string lines;
  for (int i = 0; i < 6; ++i)
    lines +=
        Json{{"image", fmt::format("media/{:03}.jpg", i)}, {"aesthetic", i == 5 ? Json("high") : Json(i)}}
            .dump() +
        "\n";
  (void)dir.write("in/items.jsonl", lines);
  CurateHooks hooks;
  hooks.models = [](const CurateConfig&) {
    Models models;
    models.push_back(std::make_unique<BrightModel>());
    return models;
  };
  run(config_for(dir, {"scorers.0.name=aesthetic", "scorers.0.min=2", "scorers.0.required=true"}), {}, {},
      hooks);
  EXPECT_EQ(reasons(dir, 6),
            (std::vector<std::string>{"score:aesthetic", "score:aesthetic", "", "", "", "score:aesthetic"}));
  EXPECT_GT(test::lines_of(dir / "out/kept.jsonl")[0].at("scores").at("first_pixel"), 100);
}

TEST(Pipeline, TheReportHoldsNoMarkupOfTheInput) {
  const TempDir dir;
  test::write_collection(dir, 3);
  append(dir / "in/items.jsonl",
         Json{{"image", "media/000.jpg"}, {"caption", "</script><script>alert(1)</script>"}}.dump() + "\n");
  run(config_for(dir));
  const std::string page = file_text(dir / "out/report.html");
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_NE(page.find("\\u003cscript>alert"), std::string::npos);
  EXPECT_EQ(page.find("VL3_REPORT_DATA"), std::string::npos);
  EXPECT_EQ(page.find("src=\"http"), std::string::npos);
}

TEST(Pipeline, AnEmptyInputGivesEmptyFilesEachTime) {
  const TempDir dir;
  (void)dir.write("in/items.jsonl", "\n  \n");
  const CurateReport report = run(config_for(dir));
  EXPECT_EQ(report.items, 0);
  EXPECT_EQ(file_text(dir / "out/kept.jsonl"), "");
  EXPECT_EQ(file_text(dir / "out/dropped.jsonl"), "");
  EXPECT_EQ(run(config_for(dir)).items, 0);
}

TEST(Pipeline, SaysWhatIsWrongWithTheInput) {
  const TempDir dir;
  test::write_collection(dir, 1);
  const auto error = [&](const std::string& path) {
    return test::error_of([&] { run(config_for(dir, {"input.path=" + path})); });
  };
  EXPECT_NE(error((dir / "nothing.jsonl").string()).find("no such file"), std::string::npos);
  EXPECT_NE(error((dir / "in/*.csv").string()).find("no file matches"), std::string::npos);
  (void)dir.write("a.csv", "x");
  EXPECT_NE(error((dir / "a.csv").string()).find("expected a folder, .jsonl, .json or an uncompressed .tar"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::curate
