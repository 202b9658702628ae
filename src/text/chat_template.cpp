#include "text/chat_template.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/check.h"

namespace vl3::text {
namespace {

/// Builds the prompt's two forms side by side: `text` as the template writes it, `pieces` as it is expanded.
class Renderer {
 public:
  Renderer(Flow flow, const RenderOptions& options) : flow_(flow), options_(options) {}

  void literal(std::string_view text) {
    prompt_.text += text;
    expanded(text);
  }

  void said(const std::string& text) {
    if (text.empty()) return;
    if (options_.parse_special_in_text) return literal(text);
    prompt_.plain.push_back({prompt_.text.size(), prompt_.text.size() + text.size()});
    prompt_.text += text;
    piece(text, true);
  }

  void image(const ContentPart& part, size_t message, size_t index) {
    prompt_.media.push_back({PartKind::kImage, message, index, 1});
    if (flow_ == Flow::kRemote && part.timestamp)
      literal("Time " + format_time(*part.timestamp, TimeRounding::kExact) + "s: ");
    prompt_.text += flow_ == Flow::kRemote ? "<image>" : "<|image_pad|>";
    place(0);
    literal("\n");
  }

  // Remote: the template writes every frame. Native: it writes one pad, and the processor later puts the same
  // text in its place; without timestamps the frames' numbers count as seconds.
  void video(const ContentPart& part, size_t message, size_t index) {
    const std::string where = fmt::format("message {} part {}", message, index);
    const int64_t frames = part.prompt_frames().value_or(0);
    VL3_CHECK(frames >= 1, kInvalidArgument,
              "{}: the video's frames are not known yet; sample it before rendering", where);
    VL3_CHECK(part.frames.empty() || static_cast<int64_t>(part.frames.size()) == frames, kInvalidArgument,
              "{}: {} timestamps for {} frames", where, frames, part.frames.size());
    prompt_.media.push_back({PartKind::kVideo, message, index, frames});
    const bool remote = flow_ == Flow::kRemote;
    const TimeRounding rounding = part.numpy_times ? TimeRounding::kNumpy : TimeRounding::kExact;
    if (!remote) prompt_.text += "<|video_pad|>";
    const auto both = [&](std::string_view text) { remote ? literal(text) : expanded(text); };
    for (int64_t frame = 0; frame < frames; ++frame) {
      if (frame > 0) both(",");
      const bool stamped = !part.timestamps.empty();
      if (stamped || !remote) {
        const double seconds =
            stamped ? part.timestamps[static_cast<size_t>(frame)] : static_cast<double>(frame);
        both("Time " + format_time(seconds, rounding) + "s:");
      }
      if (remote) prompt_.text += "<image>";
      place(frame);
    }
    literal("\n");
  }

  RenderedPrompt finish() { return std::move(prompt_); }

 private:
  void expanded(std::string_view text) { piece(text, false); }

  void piece(std::string_view text, bool plain) {
    if (prompt_.pieces.empty() || prompt_.pieces.back().is_place() || prompt_.pieces.back().plain != plain) {
      prompt_.pieces.emplace_back().plain = plain;
    }
    prompt_.pieces.back().text += text;
  }

  void place(int64_t frame) {
    PromptPiece& piece = prompt_.pieces.emplace_back();
    piece.media = static_cast<int64_t>(prompt_.media.size()) - 1;
    piece.frame = frame;
  }

  Flow flow_;
  const RenderOptions& options_;
  RenderedPrompt prompt_;
};

}  // namespace

std::string format_time(double seconds, TimeRounding rounding) {
  VL3_CHECK(std::isfinite(seconds) && std::abs(seconds) <= 1e15, kInvalidArgument, "{} is no time in seconds",
            seconds);
  const double value = rounding == TimeRounding::kNumpy ? std::nearbyint(seconds * 10) / 10 : seconds;
  std::array<char, 32> buffer{};
  const auto result =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, 1);
  return std::string(buffer.data(), result.ptr);
}

int64_t RenderedPrompt::num_places() const {
  return std::count_if(pieces.begin(), pieces.end(),
                       [](const PromptPiece& piece) { return piece.is_place(); });
}

RenderedPrompt render(const Conversation& conversation, Flow flow, const RenderOptions& options) {
  Renderer out(flow, options);
  if (options.add_system_prompt && !conversation.empty() && conversation[0].role != Role::kSystem) {
    out.literal(fmt::format("<|im_start|>system\n{}<|im_end|>\n", kDefaultSystemPrompt));
  }
  for (size_t m = 0; m < conversation.size(); ++m) {
    const Message& message = conversation[m];
    const bool stream = message.role == Role::kStream;
    out.literal(stream ? "<|stream_start|>" : "<|im_start|>");
    out.literal(fmt::format("{}\n", role_name(message.role)));
    for (size_t p = 0; p < message.parts.size(); ++p) {
      const ContentPart& part = message.parts[p];
      switch (part.kind) {
        case PartKind::kText:
          out.said(part.text);
          break;
        case PartKind::kImage:
          out.image(part, m, p);
          break;
        case PartKind::kVideo:
          out.video(part, m, p);
          break;
        case PartKind::kMedia:
          VL3_FAIL(kInvalidArgument, "message {}, part {}: is it an image or a video? open it first", m, p);
      }
    }
    out.literal(stream ? "<|stream_end|>" : "<|im_end|>");
    if (!stream || (flow == Flow::kRemote && message.content_was_string)) out.literal("\n");
  }
  if (options.add_generation_prompt) out.literal("<|im_start|>assistant\n");
  return out.finish();
}

std::vector<int64_t> tokenize(const RenderedPrompt& prompt, const Tokenizer& tokenizer,
                              std::span<const int64_t> tokens_per_place, int64_t image_token_id,
                              int64_t video_token_id) {
  VL3_CHECK(static_cast<int64_t>(tokens_per_place.size()) == prompt.num_places(), kInvalidArgument,
            "{} token counts for {} images and frames", tokens_per_place.size(), prompt.num_places());
  std::vector<int64_t> ids;
  // Placeholders are added tokens, so the text between two places is tokenised by itself in the reference,
  // too.
  std::string text;
  std::vector<ByteRange> plain;
  const auto flush = [&] {
    for (const int64_t id : tokenizer.encode(text, plain)) {
      VL3_CHECK(
          id != image_token_id && id != video_token_id, kInvalidArgument,
          "a message's text holds the placeholder {}; remove it, or do not parse special tokens in text",
          tokenizer.token_bytes(id));
      ids.push_back(id);
    }
    text.clear();
    plain.clear();
  };
  size_t place = 0;
  for (const PromptPiece& piece : prompt.pieces) {
    if (!piece.is_place()) {
      if (piece.plain) plain.push_back({text.size(), text.size() + piece.text.size()});
      text += piece.text;
      continue;
    }
    flush();
    const int64_t count = tokens_per_place[place];
    VL3_CHECK(count >= 1, kInvalidArgument, "image or frame {} has {} tokens, it needs at least 1", place,
              count);
    const bool image = prompt.media[static_cast<size_t>(piece.media)].kind == PartKind::kImage;
    ids.insert(ids.end(), static_cast<size_t>(count), image ? image_token_id : video_token_id);
    ++place;
  }
  flush();
  return ids;
}

}  // namespace vl3::text
