#include "curate/engine/engine_model.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <optional>

#include "core/check.h"
#include "engine/prompt_rows.h"
#include "engine/request.h"
#include "text/conversation.h"

namespace vl3::curate {
namespace {

// Letters: S packed rows, D hidden size, V vocabulary rows, C tokens of a caption.

constexpr int64_t kPackRows = 4096;  // of one forward pass: what bounds memory
constexpr int kGreySide = 56;
constexpr size_t kMaxCaptionBytes = 2000;  // what is judged of a long caption
const char kQuestion[] = "Describe the image.";

std::shared_ptr<const preprocess::Pictures> pictures_of(const media::Frame& frame) {
  auto pictures = std::make_shared<preprocess::Pictures>();
  pictures->frames.push_back(frame);
  return pictures;
}

text::Conversation conversation_of(const std::optional<std::string>& answer) {
  text::Conversation conversation{user_message({image_part("picture"), text_part(kQuestion)})};
  if (answer) {
    Message message;
    message.role = Role::kAssistant;
    message.parts.push_back(text_part(*answer));
    conversation.push_back(std::move(message));
  }
  return conversation;
}

std::string judged_part(const std::string& caption) {
  if (caption.size() <= kMaxCaptionBytes) return caption;
  size_t end = kMaxCaptionBytes;
  while (end > 0 && (static_cast<unsigned char>(caption[end]) & 0xc0) == 0x80) --end;  // whole characters
  return caption.substr(0, end);
}

// A prompt's embeddings with the ids of its caption, which stand before the last `behind` rows.
struct Prompt {
  at::Tensor embeddings_SD;
  std::vector<int64_t> caption_ids;
  int64_t behind = 0;
  at::Tensor features_D;  // of the picture, where wanted
};

class EngineModel : public PictureModel {
 public:
  EngineModel(std::shared_ptr<const engine::Runtime> runtime, const CurateConfig& config)
      : runtime_(std::move(runtime)), with_features_(config.features == "encoder") {
    grey_.height = grey_.width = kGreySide;
    grey_.rgb.assign(static_cast<size_t>(kGreySide) * kGreySide * 3, 128);
    if (with_features_) feature_size_ = look({{&grey_, ""}})[0].features.size();
  }

  int64_t feature_size() const override { return static_cast<int64_t>(feature_size_); }

  std::vector<Impression> look(const std::vector<Sighting>& items) override {
    const c10::InferenceMode inference;
    std::vector<Impression> impressions(items.size());
    std::vector<Prompt> prompts;  // pairs: with the picture, with grey
    std::vector<size_t> owners;
    int64_t rows = 0;
    const auto flush = [&] {
      const std::vector<double> means = mean_log_probabilities(prompts);
      for (size_t p = 0; p < owners.size(); ++p)
        impressions[owners[p]].scores["caption_gain"] = means[2 * p] - means[2 * p + 1];
      prompts.clear();
      owners.clear();
      rows = 0;
    };
    for (size_t i = 0; i < items.size(); ++i) {
      const std::string caption = judged_part(items[i].caption);
      if (caption.empty() && !with_features_) continue;
      Prompt seen = prompt_of(*items[i].picture, caption, with_features_);
      if (seen.features_D.defined()) {
        const float* values = seen.features_D.const_data_ptr<float>();
        impressions[i].features.assign(values, values + seen.features_D.numel());
      }
      if (seen.caption_ids.empty()) continue;
      Prompt unseen = prompt_of(grey_, caption, false);
      rows += seen.embeddings_SD.size(0) + unseen.embeddings_SD.size(0);
      prompts.push_back(std::move(seen));
      prompts.push_back(std::move(unseen));
      owners.push_back(i);
      if (rows >= kPackRows) flush();
    }
    flush();
    return impressions;
  }

 private:
  engine::Request request_of(const media::Frame& picture, const std::optional<std::string>& answer) const {
    engine::RequestOptions options;
    options.add_generation_prompt = !answer;
    options.opener = [&picture](const std::string&) {
      return preprocess::MediaContent(pictures_of(picture));
    };
    return engine::prepare_request(*runtime_, conversation_of(answer), options);
  }

  Prompt prompt_of(const media::Frame& picture, const std::string& caption, bool with_features) const {
    Prompt prompt;
    // Where the caption begins: the prompt that asks for it, and what stands behind it: the same with an
    // empty answer.
    engine::Request request = request_of(picture, caption.empty() ? std::nullopt : std::optional(caption));
    if (!caption.empty()) {
      const engine::Request asking = request_of(picture, std::nullopt), empty = request_of(picture, "");
      const size_t begin = asking.items.size(),
                   behind = empty.items.size() - std::min(empty.items.size(), begin);
      VL3_CHECK(request.items.size() >= begin + behind, kInternal,
                "a caption of {} items behind {} and before {}", request.items.size(), begin, behind);
      for (size_t i = begin; i + behind < request.items.size(); ++i)
        prompt.caption_ids.push_back(request.items[i].id);
      prompt.behind = static_cast<int64_t>(behind);
    }
    engine::PromptRowsHooks hooks;
    if (with_features) {
      hooks.visual = [&prompt](const char* name, size_t, int64_t, const at::Tensor& tensor) {
        if (std::string_view(name) != "vision.encoder_out") return;
        const at::Tensor mean = tensor.reshape({-1, tensor.size(-1)}).to(at::kFloat).mean(0);
        prompt.features_D = (mean / mean.norm().clamp_min(1e-12)).to(at::kCPU).contiguous();
      };
    }
    engine::PromptRows rows(*runtime_, request, {}, hooks);
    while (!rows.whole()) rows.advance(request.max_rows(), engine::PromptRows::Wait::kForFrames);
    prompt.embeddings_SD = rows.take(rows.held()).clone();
    return prompt;
  }

  std::vector<double> mean_log_probabilities(const std::vector<Prompt>& prompts) const {
    if (prompts.empty()) return {};
    std::vector<at::Tensor> embeddings;
    std::vector<lm::Segment> segments;
    int64_t rows = 0;
    for (const Prompt& prompt : prompts) {
      embeddings.push_back(prompt.embeddings_SD);
      segments.push_back({rows, rows + prompt.embeddings_SD.size(0), nullptr});
      rows += prompt.embeddings_SD.size(0);
    }
    const at::Tensor hidden_SD = runtime_->model->language_model->forward(at::cat(embeddings), segments);
    std::vector<double> means;
    for (size_t p = 0; p < prompts.size(); ++p) {
      const auto count = static_cast<int64_t>(prompts[p].caption_ids.size());
      // A token is foreseen by the row before it.
      const int64_t begin = segments[p].end - prompts[p].behind - count - 1;
      const at::Tensor log_CV = runtime_->model->logits(hidden_SD.narrow(0, begin, count)).log_softmax(-1);
      const at::Tensor ids_C1 =
          at::tensor(prompts[p].caption_ids, at::kLong).to(log_CV.device()).unsqueeze(1);
      means.push_back(log_CV.gather(1, ids_C1).mean().item<double>());
    }
    return means;
  }

  std::shared_ptr<const engine::Runtime> runtime_;
  bool with_features_;
  size_t feature_size_ = 0;
  media::Frame grey_;
};

}  // namespace

std::unique_ptr<PictureModel> engine_model(std::shared_ptr<const engine::Runtime> runtime,
                                           const CurateConfig& config) {
  return std::make_unique<EngineModel>(std::move(runtime), config);
}

}  // namespace vl3::curate
