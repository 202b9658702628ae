// Carrying a folder's tokenizer files from one layout to the other. Internal to weights/; text/ reads the
// result.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/flow.h"

namespace vl3::weights {

struct PlaceholderIds {
  int64_t image = -1;  ///< <image> (remote) or <|image_pad|> (native); -1 without a tokenizer
  int64_t video = -1;  ///< <|video_pad|> (native); the image's (remote)
};

/// Copies tokenizer.json, vocab.json, merges.txt, added_tokens.json, tokenizer_config.json and
/// special_tokens_map.json, those that exist. The remote layout has three tokens more (<image>,
/// <|stream_start|>, <|stream_end|>): where absent they get the next free ids; towards native they stay, as
/// transformers does not mind them.
/// @param embedding_rows  vocab_size of the model: every placeholder must have a row.
/// @throws Error(kNotFound) without a tokenizer where the layout changes; Error(kUnsupported) when the
/// embedding has too few rows; Error(kCorrupt) for malformed files or a token with two ids.
PlaceholderIds convert_tokenizer(const std::filesystem::path& source, const std::filesystem::path& out,
                                 Flow from, Flow to, int64_t embedding_rows);

/// The tokenizer of a bare language model for a VideoLLaMA3 model of layout `to`: as convert_tokenizer(), but
/// the three tokens are added for either layout (streams are rendered with them in both).
PlaceholderIds extend_tokenizer(const std::filesystem::path& source, const std::filesystem::path& out,
                                Flow to, int64_t embedding_rows);

}  // namespace vl3::weights
