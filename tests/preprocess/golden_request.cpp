#include "preprocess/golden_request.h"

#include <algorithm>

#include "preprocess/target_size.h"
#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

namespace fs = std::filesystem;

weights::PreprocessConfig read_config(const fs::path& dir, Flow flow) {
  weights::PreprocessConfig config;
  config.flow = flow;
  const Json image = read_json_file(dir / "preprocessor_config.json");
  config.patch_size = image.at("patch_size");
  config.image_mean = image.at("image_mean").get<std::vector<double>>();
  config.image_std = image.at("image_std").get<std::vector<double>>();
  config.rescale_factor = image.at("rescale_factor");
  if (flow == Flow::kRemote) {
    config.min_tokens = image.at("min_tokens");
    config.max_tokens = image.at("max_tokens");
    const Json processor = read_json_file(dir / "processor_config.json");
    config.image_merge_size = processor.at("image_merge_size");
    config.video_merge_size = processor.at("video_merge_size");
    return config;
  }
  const Json video = read_json_file(dir / "video_preprocessor_config.json");
  config.image_merge_size = image.at("merge_size");
  config.image_min_pixels = image.at("min_pixels");
  config.image_max_pixels = image.at("max_pixels");
  config.video_merge_size = video.at("merge_size");
  config.video_min_pixels = video.at("min_pixels");
  config.video_max_pixels = video.at("max_pixels");
  return config;
}

/// Formats other than plain PNG have their expected pixels beside them (`decoded/`), for a flow or for both.
test::Picture read_picture(const std::string& relative, Flow flow) {
  const fs::path root = test::golden_dir();
  std::string stem = fs::path(relative).filename().string();
  std::ranges::replace(stem, '.', '_');
  const fs::path native = root / "media" / "decoded" / (stem + ".native.png");
  const fs::path remote = root / "media" / "decoded" / (stem + ".remote.png");
  if (flow == Flow::kNative && fs::exists(native)) return test::read_png(native);
  return test::read_png(fs::exists(remote) ? remote : root / relative);
}

std::vector<GoldenMedium> read_media(const Json& conversation, Flow flow) {
  std::vector<GoldenMedium> media;
  for (const Json& message : conversation) {
    if (!message.at("content").is_array()) continue;
    for (const Json& item : message.at("content")) {
      const std::string type = item.is_object() ? item.value("type", "") : "";
      if (type == "image") {
        media.push_back({MediaKind::kImage, {read_picture(item.at("image"), flow)}});
      } else if (type == "video") {
        media.push_back({MediaKind::kVideo, {}});
        for (const Json& frame : item.at("frames")) media.back().frames.push_back(read_picture(frame, flow));
      }
    }
  }
  if (flow == Flow::kNative) {
    std::stable_partition(media.begin(), media.end(),
                          [](const auto& medium) { return medium.kind == MediaKind::kImage; });
  }
  return media;
}

}  // namespace

std::vector<MediaShape> GoldenRequest::shapes() const {
  std::vector<MediaShape> shapes;
  for (const GoldenMedium& medium : media) shapes.push_back(medium.shape());
  return shapes;
}

std::vector<PatchBatch> GoldenRequest::batches() const {
  const std::vector<Size> sizes = target_sizes(shapes(), config);
  std::vector<PatchBatch> batches;
  for (size_t i = 0; i < media.size(); ++i) {
    PatchBatch batch = make_patch_batch(sizes[i], config.patch_size, merge_size(media[i].kind, config));
    for (const test::Picture& frame : media[i].frames)
      append_frame(batch, frame.rgb, {frame.height, frame.width});
    batches.push_back(std::move(batch));
  }
  return batches;
}

std::vector<GoldenRequest> golden_requests() {
  std::vector<GoldenRequest> requests;
  for (const test::GoldenCase& golden : test::golden_cases()) {
    const Flow flow = golden.flow == "remote" ? Flow::kRemote : Flow::kNative;
    std::vector<GoldenMedium> media = read_media(golden.json.at("conversation"), flow);
    if (media.empty()) continue;
    requests.push_back({golden.name, golden.json, read_config(golden.model_dir, flow), std::move(media),
                        test::GoldenTensors(golden.tensors)});
  }
  return requests;
}

}  // namespace vl3::preprocess
