#include "curate/pictures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "core/file.h"
#include "curate/recipe.h"
#include "synth/artefacts.h"
#include "synth/rng.h"

namespace vl3::curate::test {

media::Frame draw(int height, int width, const std::function<int(int, int, int)>& value) {
  media::Frame picture{height, width, {}, 0};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c)
        picture.rgb.push_back(static_cast<uint8_t>(std::clamp(value(y, x, c), 0, 255)));
    }
  }
  return picture;
}

media::Frame scene(uint64_t number, int height, int width) {
  synth::Rng rng(synth::mix(number, 17));
  const int ground[3] = {rng.between(150, 250), rng.between(150, 250), rng.between(150, 250)};
  media::Frame picture = draw(height, width, [&](int, int, int c) { return ground[c]; });
  for (int shape = 0; shape < 5; ++shape) {
    const int colour[3] = {rng.between(0, 255), rng.between(0, 255), rng.between(0, 255)};
    const int y0 = rng.between(0, height * 3 / 4), x0 = rng.between(0, width * 3 / 4);
    const int y1 = std::min(height, y0 + height / rng.between(3, 7)),
              x1 = std::min(width, x0 + width / rng.between(3, 7));
    for (int y = y0; y < y1; ++y) {
      for (int x = x0; x < x1; ++x) {
        for (int c = 0; c < 3; ++c)
          picture.rgb[(static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) * 3 +
                      static_cast<size_t>(c)] = static_cast<uint8_t>(colour[c]);
      }
    }
  }
  return picture;
}

std::string jpeg(const media::Frame& picture, int quality) { return synth::encode_jpeg(picture, quality); }

std::vector<Json> lines_of(const std::filesystem::path& file) {
  std::vector<Json> lines;
  std::istringstream text(read_file(file, 1ull << 30));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  return lines;
}

void write_collection(const TempDir& dir, int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    const std::string name = fmt::format("media/{:03}.jpg", i);
    (void)dir.write("in/" + name, jpeg(scene(static_cast<uint64_t>(i))));
    lines += Json{{"id", fmt::format("item-{}", i)},
                  {"image", name},
                  {"caption",
                   fmt::format("Boxes of scene {} in a row",
                               std::string(static_cast<size_t>(1 + i % 7), static_cast<char>('a' + i % 26)))}}
                 .dump() +
             "\n";
  }
  (void)dir.write("in/items.jsonl", lines);
}

CurateConfig config_for(const TempDir& dir, const std::vector<std::string>& set) {
  std::vector<std::string> all = {fmt::format("input.path={}", (dir / "in/items.jsonl").string()),
                                  fmt::format("output={}", (dir / "out").string()), "input.shard_items=8",
                                  "workers=1"};
  all.insert(all.end(), set.begin(), set.end());
  return load_recipe("", all);
}

CurateReport run(const CurateConfig& config, const Steps& steps, const ShardShare& share,
                 const CurateHooks& hooks) {
  return curate(config, steps, share, hooks);
}

std::vector<std::string> reasons(const TempDir& dir, int64_t count) {
  std::vector<std::string> found(static_cast<size_t>(count), "(missing)");
  const auto take = [&](const char* file, bool kept) {
    for (const Json& line : lines_of(dir / file)) {
      const auto position = line.at("position").get<size_t>();
      if (position >= found.size() || found[position] != "(missing)") {
        ADD_FAILURE() << file << ": position " << position << " is there twice, or none of the input's";
        continue;
      }
      found[position] = kept ? "" : line.at("reason").get<std::string>();
    }
  };
  take("out/kept.jsonl", true);
  take("out/dropped.jsonl", false);
  EXPECT_EQ(std::count(found.begin(), found.end(), "(missing)"), 0);
  return found;
}

}  // namespace vl3::curate::test
