#include "curate/selection_store.h"

#include "core/check.h"
#include "core/digest.h"
#include "core/file.h"
#include "curate/recipe.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxSummary = 1ull << 30;
constexpr int kVersion = 1;  // of what selecting does: old selections are made anew when it changes

fs::path summary_of(const fs::path& folder) { return folder / "summary.json"; }

Json to_json(const ClusterSummary& clusters) {
  return {{"clusters", clusters.clusters}, {"quota", clusters.quota}, {"before", clusters.before},
          {"after", clusters.after},       {"map_x", clusters.map_x}, {"map_y", clusters.map_y}};
}

void read(const Json& json, ClusterSummary* clusters) {
  json.at("clusters").get_to(clusters->clusters);
  json.at("quota").get_to(clusters->quota);
  json.at("before").get_to(clusters->before);
  json.at("after").get_to(clusters->after);
  json.at("map_x").get_to(clusters->map_x);
  json.at("map_y").get_to(clusters->map_y);
}

Json to_json(const DuplicateSummary& duplicates) {
  return {{"groups", duplicates.groups},
          {"dropped", duplicates.dropped},
          {"largest", duplicates.largest},
          {"sizes", duplicates.sizes},
          {"distances", duplicates.distances}};
}

void read(const Json& json, DuplicateSummary* duplicates) {
  json.at("groups").get_to(duplicates->groups);
  json.at("dropped").get_to(duplicates->dropped);
  json.at("largest").get_to(duplicates->largest);
  json.at("sizes").get_to(duplicates->sizes);
  json.at("distances").get_to(duplicates->distances);
}

}  // namespace

fs::path verdicts_of(const fs::path& folder) { return folder / "verdicts"; }

std::string selection_state(const ShardSizes& sizes, const CurateConfig& config, const OutputLayout& layout) {
  Digest digest;
  digest.add(fmt::format("version {}\n", kVersion));
  for (const std::string& key : scoring_keys(config)) digest.add(key + "\n");
  for (const std::string& key : selection_keys(config)) digest.add(key + "\n");
  for (int64_t shard = 0; shard < sizes.shards(); ++shard) {
    const fs::path file = layout.scores(shard);
    std::error_code error;
    const uintmax_t size = fs::file_size(file, error);
    VL3_CHECK(!error, kNotFound, "{}: shard {} is not scored yet; run every --shard first", file.string(),
              shard);
    digest.add(fmt::format("{} {} {}\n", sizes.begin[static_cast<size_t>(shard)], size,
                           fs::last_write_time(file).time_since_epoch().count()));
  }
  digest.add(std::to_string(sizes.begin.back()));
  return digest.hex();
}

std::optional<Selection> load_selection(const fs::path& folder, const std::string& state, int64_t items) {
  if (!fs::exists(summary_of(folder))) return std::nullopt;
  try {
    const Json json = Json::parse(read_file(summary_of(folder), kMaxSummary));
    if (json.at("state") != state) return std::nullopt;
    Selection selection;
    selection.items = items;
    json.at("missing").get_to(selection.missing);
    json.at("axes").get_to(selection.axes);
    read(json.at("clusters"), &selection.clusters);
    read(json.at("duplicates"), &selection.duplicates);
    selection.verdicts = std::make_unique<VerdictFile>(VerdictFile::open(verdicts_of(folder), items));
    return selection;
  } catch (const std::exception&) {
    return std::nullopt;  // whatever is wrong with it: it is made anew
  }
}

void save_selection(const fs::path& folder, const std::string& state, const Selection& selection) {
  const Json json = {{"state", state},
                     {"missing", selection.missing},
                     {"axes", selection.axes},
                     {"clusters", to_json(selection.clusters)},
                     {"duplicates", to_json(selection.duplicates)}};
  write_file_atomically(summary_of(folder), json.dump());
}

}  // namespace vl3::curate
