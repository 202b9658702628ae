// Pictures and small collections for curate's tests.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/json.h"
#include "curate/pipeline.h"
#include "media/frame.h"
#include "support/temp_dir.h"

namespace vl3::curate::test {

using vl3::test::error_of;
using vl3::test::TempDir;

/// value(y, x, channel) for every pixel.
media::Frame draw(int height, int width, const std::function<int(int, int, int)>& value);
/// Coloured rectangles on a plain ground, another picture for each number.
media::Frame scene(uint64_t number, int height = 160, int width = 200);
std::string jpeg(const media::Frame& picture, int quality = 90);

/// Every line of a file of JSON lines.
std::vector<Json> lines_of(const std::filesystem::path& file);

/// A folder "in" with media/ and items.jsonl of `count` scenes, each with its caption.
void write_collection(const TempDir& dir, int count);

/// Defaults for dir/in/items.jsonl to dir/out, changed by `set`.
CurateConfig config_for(const TempDir& dir, const std::vector<std::string>& set = {});
CurateReport run(const CurateConfig& config, const Steps& steps = {}, const ShardShare& share = {},
                 const CurateHooks& hooks = {});

/// Reasons by position, "" where it is kept. Fails unless every position up to `count` stands exactly once.
std::vector<std::string> reasons(const TempDir& dir, int64_t count);

}  // namespace vl3::curate::test
