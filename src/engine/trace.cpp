#include "engine/trace.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <numeric>
#include <set>

#include "core/check.h"
#include "engine/prefill.h"
#include "sampling/sampler.h"

namespace vl3::engine {
namespace {

at::Tensor ids_tensor(const std::vector<int64_t>& ids) {
  return at::tensor(ids, at::TensorOptions(at::kLong)).to(at::kInt);
}

std::vector<float> to_floats(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kCPU, at::kFloat).contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

struct Greedy {
  std::vector<int64_t> tokens;
  std::vector<double> margins;  // between the two highest scores of each step
};

Greedy generate(const Runtime& runtime, lm::KvCache& cache, at::Tensor hidden,
                const std::vector<int64_t>& prompt_ids, int64_t count, double repetition_penalty,
                bool penalise_prompt) {
  sampling::SamplingOptions options;
  options.temperature = 0.0;
  options.repetition_penalty = repetition_penalty;
  options.penalise_prompt = penalise_prompt;
  sampling::Sampler sampler(options);
  sampler.accept_prompt(prompt_ids);
  Greedy result;
  for (int64_t i = 0; i < count; ++i) {
    std::vector<float> scores = to_floats(runtime.model->logits(hidden));
    const int64_t id = sampler.sample(scores);  // leaves the penalised scores behind
    float second = -std::numeric_limits<float>::infinity();
    for (size_t k = 0; k < scores.size(); ++k) {
      if (static_cast<int64_t>(k) != id) second = std::max(second, scores[k]);
    }
    result.margins.push_back(static_cast<double>(scores[static_cast<size_t>(id)] - second));
    result.tokens.push_back(id);
    sampler.accept(id);
    if (i + 1 == count) break;
    const at::Tensor x = runtime.model->language_model->embed(at::tensor({id}, at::kLong).to(runtime.device));
    const lm::Segment segment{0, 1, &cache};
    hidden = runtime.model->language_model->forward(x, {&segment, 1});
  }
  return result;
}

// The visual tensors of each medium, frames joined, media in the flow's order.
class Collector {
 public:
  void add(const char* name, size_t medium, const at::Tensor& tensor_TNC) {
    parts_[name][medium].push_back(tensor_TNC.flatten(0, 1).to(at::kCPU));
  }

  at::Tensor joined(const std::string& name, const std::vector<size_t>& order) const {
    std::vector<at::Tensor> all;
    for (const size_t medium : order) {
      const auto& frames = parts_.at(name).at(medium);
      all.insert(all.end(), frames.begin(), frames.end());
    }
    return all.empty() ? at::Tensor() : at::cat(all);
  }

  std::set<std::string> names() const {
    std::set<std::string> result;
    for (const auto& [name, parts] : parts_) result.insert(name);
    return result;
  }

 private:
  std::map<std::string, std::map<size_t, std::vector<at::Tensor>>> parts_;
};

std::vector<int64_t> chosen_positions(const TraceOptions& options, int64_t rows) {
  std::vector<int64_t> positions = options.logits_positions;
  if (options.all_logits) {
    positions.resize(static_cast<size_t>(rows));
    std::iota(positions.begin(), positions.end(), 0);
  } else if (positions.empty()) {
    positions = {rows - 1};
  }
  for (const int64_t position : positions) {
    VL3_CHECK(position >= 0 && position < rows, kInvalidArgument,
              "logits position {} is outside the fused sequence of {} rows", position, rows);
  }
  return positions;
}

OrderedJson grid_json(const preprocess::Grid& grid) { return {grid.t, grid.h, grid.w}; }

void describe_media(const Request& request, const PrefillResult& result, Flow flow, OrderedJson& json) {
  OrderedJson kept = OrderedJson::array(), masks = OrderedJson::array();
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediumPlan& plan = request.plan.media[m];
    const bool video = request.media[m].shape.kind == preprocess::MediaKind::kVideo;
    if (flow == Flow::kRemote) {
      json["modals"].push_back(video ? "video" : "image");
      json["grid_sizes"].push_back(grid_json(plan.grid));
      json["merge_sizes"].push_back(plan.merge);
      json["target_sizes"].push_back({plan.size.height, plan.size.width});
    } else {
      json[video ? "video_grid_thw" : "image_grid_thw"].push_back(grid_json(plan.grid));
      json[video ? "video_merge_sizes" : "image_merge_sizes"].push_back(plan.merge);
    }
    if (!video && flow == Flow::kNative) continue;
    kept.push_back(result.kept[m]);
    masks.push_back(result.masks[m]);
  }
  json["kept_tokens_per_frame"] = kept;
  json["compression_mask"] = masks;
}

}  // namespace

Trace trace(const Runtime& runtime, text::Conversation conversation, const RequestOptions& request_options,
            const TraceOptions& options) {
  const c10::InferenceMode inference;
  const Flow flow = runtime.config.preprocess.flow;
  Request request = prepare_request(runtime, std::move(conversation), request_options);

  Collector visual;
  std::vector<at::Tensor> embeddings, hidden;
  PrefillHooks hooks;
  hooks.visual = [&](const char* name, size_t medium, int64_t, const at::Tensor& tensor) {
    visual.add(name, medium, tensor);
  };
  hooks.embeddings = [&](const at::Tensor& x) { embeddings.push_back(x.to(at::kCPU)); };
  hooks.hidden = [&](const at::Tensor& x) { hidden.push_back(x.to(at::kCPU)); };
  lm::KvCache cache(runtime.config.text, 1, runtime.kv_dtype, runtime.device);
  VisionCache no_vision_cache(0);
  const PrefillResult result =
      prefill(runtime, request, cache, {}, no_vision_cache, hooks, options.greedy_tokens);

  Trace out;
  std::vector<size_t> images_first, prompt_order;
  for (const auto kind : {preprocess::MediaKind::kImage, preprocess::MediaKind::kVideo}) {
    for (size_t m = 0; m < request.media.size(); ++m) {
      if (request.media[m].shape.kind == kind) images_first.push_back(m);
    }
  }
  for (size_t m = 0; m < request.media.size(); ++m) prompt_order.push_back(m);
  const std::vector<size_t>& order = flow == Flow::kRemote ? prompt_order : images_first;
  for (const std::string& name : visual.names()) out.tensors[name] = visual.joined(name, order).contiguous();

  // The reference's own layout: pixel values of images and videos apart in the native flow.
  if (flow == Flow::kNative && out.tensors.count("pixel_values") > 0) {
    const auto only = [&](preprocess::MediaKind kind) {
      std::vector<size_t> chosen;
      for (const size_t m : order) {
        if (request.media[m].shape.kind == kind) chosen.push_back(m);
      }
      return visual.joined("pixel_values", chosen);
    };
    const at::Tensor images = only(preprocess::MediaKind::kImage),
                     videos = only(preprocess::MediaKind::kVideo);
    out.tensors.erase("pixel_values");
    if (images.defined()) out.tensors["pixel_values"] = images;
    if (videos.defined()) out.tensors["pixel_values_videos"] = videos;
  }
  std::vector<uint8_t> mask;
  for (const size_t m : order) {
    if (flow == Flow::kNative && request.media[m].shape.kind == preprocess::MediaKind::kImage) continue;
    for (const std::vector<uint8_t>& frame : result.masks[m])
      mask.insert(mask.end(), frame.begin(), frame.end());
  }
  if (!mask.empty()) out.tensors["compression_mask"] = at::tensor(at::ArrayRef<uint8_t>(mask), at::kByte);

  std::vector<int64_t> full_counts;
  for (size_t m = 0; m < request.media.size(); ++m) {
    for (const int64_t kept : result.kept[m]) {
      full_counts.push_back(flow == Flow::kRemote ? request.plan.media[m].tokens_per_frame : kept);
    }
  }
  const std::vector<int64_t> input_ids =
      text::tokenize(request.prompt, runtime.tokenizer(), full_counts, runtime.config.image_token_id,
                     runtime.config.video_token_id);
  out.tensors["input_ids"] = ids_tensor(input_ids);
  out.tensors["llm_input_ids"] = ids_tensor(result.ids);
  out.tensors["inputs_embeds"] = at::cat(embeddings);
  const at::Tensor all_rows = at::cat(hidden);
  const std::vector<int64_t> positions = chosen_positions(options, all_rows.size(0));
  const at::Tensor rows = all_rows.index_select(0, at::tensor(positions, at::kLong));
  out.tensors["hidden"] = rows;
  out.tensors["logits"] = runtime.model->logits(rows.to(runtime.device)).to(at::kCPU);

  const int64_t prompt_rows = cache.length();
  const Greedy plain =
      generate(runtime, cache, result.last_hidden_1D, result.ids, options.greedy_tokens, 1.0, false);
  out.json["flow"] = flow_name(flow);
  out.json["prompt"] = request.prompt.text;
  describe_media(request, result, flow, out.json);
  out.json["n_input_ids"] = input_ids.size();
  out.json["n_llm_input_ids"] = result.ids.size();
  out.json["logits_positions"] = positions;
  out.json["greedy"] = plain.tokens;
  out.json["greedy_margins"] = plain.margins;
  out.json["greedy_text"] = runtime.tokenizer().decode(plain.tokens, /*skip_special_tokens=*/true);
  if (options.repetition_penalty != 1.0) {
    cache.truncate(prompt_rows);
    const Greedy penalised =
        generate(runtime, cache, result.last_hidden_1D, result.ids, options.greedy_tokens,
                 options.repetition_penalty, options.penalise_prompt);
    out.json["repetition_penalty"] = {{"penalty", options.repetition_penalty},
                                      {"prompt_ids_penalised", options.penalise_prompt},
                                      {"tokens", penalised.tokens},
                                      {"margins", penalised.margins}};
  }
  return out;
}

}  // namespace vl3::engine
