#include "train/golden_train.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/norm.h>

#include <cmath>
#include <cstring>

#include "weights/hf_names.h"

namespace vl3::test {
namespace {

std::filesystem::path sample_stem(const std::string& id, int64_t image_merge) {
  const auto folder = golden_train_dir() / "samples";
  if (image_merge == 2 && std::filesystem::exists(folder / (id + ".im2.safetensors")))
    return folder / (id + ".im2");
  return folder / id;
}

std::vector<uint8_t> bytes(const GoldenTensor& tensor) { return {tensor.bytes.begin(), tensor.bytes.end()}; }

// Media of a sample; `keep` is filled by the caller.
std::vector<data::VisualMedium> media_of(const std::filesystem::path& stem, const GoldenTensors& tensors) {
  std::vector<data::VisualMedium> media;
  const Json json = read_json_file(stem.string() + ".json");
  if (json["pseudo_image"].get<bool>()) return media;
  const auto grids = tensors.at("grid_sizes").integers(), merges = tensors.at("merge_sizes").integers();
  const auto patches = bytes(tensors.at("patches_u8"));
  const int64_t width = tensors.at("patches_u8").shape[1];
  int64_t begin = 0;
  for (size_t m = 0; m < merges.size(); ++m) {
    data::VisualMedium medium;
    medium.kind =
        json["modals"][m] == "video" ? preprocess::MediaKind::kVideo : preprocess::MediaKind::kImage;
    medium.grid = {grids[3 * m], grids[3 * m + 1], grids[3 * m + 2]};
    medium.merge = merges[m];
    const int64_t size = medium.grid.t * medium.grid.h * medium.grid.w * width;
    medium.patches_u8.assign(patches.begin() + begin, patches.begin() + begin + size);
    begin += size;
    media.push_back(std::move(medium));
  }
  return media;
}

int64_t tokens_of(const data::VisualMedium& medium) {
  return medium.grid.t * medium.grid.h * medium.grid.w / (medium.merge * medium.merge);
}

void finish(data::PackedRow& row, int64_t image_token) {
  for (size_t s = 0; s + 1 < row.cu_seqlens.size(); ++s) row.labels[row.cu_seqlens[s]] = data::kIgnoreIndex;
  for (int64_t i = 0; i < row.length(); ++i) {
    if (row.input_ids[i] == image_token) row.visual_positions.push_back(i);
    if (row.labels[i] != data::kIgnoreIndex) ++row.labelled_tokens;
  }
}

}  // namespace

bool has_golden_train() { return std::filesystem::exists(golden_train_dir() / "manifest.json"); }

std::shared_ptr<const weights::Checkpoint> open_checkpoint(const std::filesystem::path& folder) {
  return std::make_shared<const weights::Checkpoint>(
      weights::Checkpoint::open(folder, weights::load_model_config(folder)));
}

data::PackedRow golden_row(const std::vector<std::string>& samples, int64_t image_merge, bool prune,
                           int64_t image_token) {
  data::PackedRow row;
  row.cu_seqlens.push_back(0);
  for (const std::string& id : samples) {
    const auto stem = sample_stem(id, image_merge);
    const GoldenTensors tensors(stem.string() + ".safetensors");
    const std::string prefix = prune ? "pruned." : "";
    const auto ids = tensors.at(prefix + "input_ids").integers(),
               labels = tensors.at(prefix + "labels").integers();
    row.input_ids.insert(row.input_ids.end(), ids.begin(), ids.end());
    row.labels.insert(row.labels.end(), labels.begin(), labels.end());
    row.cu_seqlens.push_back(row.length());
    row.sample_ids.push_back(id);
    auto media = media_of(stem, tensors);
    if (media.empty()) continue;
    auto keep = bytes(tensors.at("compression_mask"));
    if (!prune) std::fill(keep.begin(), keep.end(), uint8_t{1});
    const Json json = read_json_file(stem.string() + ".json");
    std::fill(keep.begin() + json["visual_tokens_left_after_cut"].get<int64_t>(), keep.end(), uint8_t{0});
    int64_t begin = 0;
    for (data::VisualMedium& medium : media) {
      medium.keep.assign(keep.begin() + begin, keep.begin() + begin + tokens_of(medium));
      begin += tokens_of(medium);
      row.media.push_back(std::move(medium));
    }
  }
  finish(row, image_token);
  return row;
}

data::PackedRow golden_micro_batch(const std::string& key, const Json& entry, int64_t image_token) {
  const GoldenTensors batch(golden_train_dir() / "micro_batches" / (key + ".batch.safetensors"));
  data::PackedRow row;
  row.input_ids = batch.at("input_ids").integers();
  row.labels = batch.at("labels").integers();
  row.cu_seqlens = batch.at("cu_seqlens").integers();
  const auto keep = bytes(batch.at("feature_keep"));
  int64_t begin = 0;
  for (const Json& id : entry["samples"]) {
    row.sample_ids.push_back(id);
    const auto stem = sample_stem(id, entry["image_merge"]);
    auto media = media_of(stem, GoldenTensors(stem.string() + ".safetensors"));
    if (media.empty())
      ++begin;  // a text sample's pseudo image: one feature that is never kept; we encode none
    for (data::VisualMedium& medium : media) {
      medium.keep.assign(keep.begin() + begin, keep.begin() + begin + tokens_of(medium));
      begin += tokens_of(medium);
      row.media.push_back(std::move(medium));
    }
  }
  finish(row, image_token);
  return row;
}

std::map<std::string, at::Tensor> golden_weights(const std::filesystem::path& file) {
  std::map<std::string, at::Tensor> tensors;
  const GoldenTensors stored(file);
  for (const auto& [name, golden] : stored.all()) {
    at::Tensor tensor = at::empty(golden.shape, at::kFloat);
    const auto values = golden.as<float>();
    std::memcpy(tensor.data_ptr<float>(), values.data(), values.size() * sizeof(float));
    tensors[weights::canonical_name(name).value_or(name)] = tensor;
  }
  return tensors;
}

double relative_l2(const at::Tensor& found, const at::Tensor& wanted) {
  const at::Tensor difference = found.to(at::kDouble) - wanted.to(at::kDouble);
  return difference.norm().item<double>() / std::max(wanted.to(at::kDouble).norm().item<double>(), 1e-300);
}

double relative_l2(const std::map<std::string, at::Tensor>& found,
                   const std::map<std::string, at::Tensor>& wanted) {
  double difference = 0, size = 0;
  for (const auto& [name, tensor] : wanted) {
    const at::Tensor off = found.at(name).to(at::kDouble) - tensor.to(at::kDouble);
    difference += off.square().sum().item<double>();
    size += tensor.to(at::kDouble).square().sum().item<double>();
  }
  return std::sqrt(difference / std::max(size, 1e-300));
}

}  // namespace vl3::test
