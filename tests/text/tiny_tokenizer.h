// A small byte-level tokenizer written to disk, so that the text tests need no golden data.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "support/temp_dir.h"
#include "text/byte_alphabet.h"
#include "text/pretokenize.h"
#include "text/tokenizer.h"

namespace vl3::text::test {

/// The tokenizer.json of a tokenizer with the 256 bytes as ids 0..255, the given merges after them, then
/// <|endoftext|> <|im_start|> <|im_end|> <tool_call>(ordinary) <image> <|image_pad|> <|video_pad|>.
inline Json tiny_tokenizer_json(const std::vector<std::pair<std::string, std::string>>& merges = {
                                    {"h", "e"}, {"l", "l"}, {"he", "ll"}}) {
  Json vocab = Json::object();
  for (int b = 0; b < 256; ++b) vocab[to_byte_alphabet(std::string(1, static_cast<char>(b)))] = b;
  Json list = Json::array();
  int64_t id = 256;
  for (const auto& [a, b] : merges) {
    list.push_back({to_byte_alphabet(a), to_byte_alphabet(b)});
    if (!vocab.contains(to_byte_alphabet(a + b))) vocab[to_byte_alphabet(a + b)] = id++;
  }
  Json added = Json::array();
  for (const char* content : {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "<image>",
                              "<|image_pad|>", "<|video_pad|>"}) {
    added.push_back({{"id", id++},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", std::string(content) != "<tool_call>"}});
  }
  return {
      {"added_tokens", added},
      {"normalizer", {{"type", "NFC"}}},
      {"pre_tokenizer",
       {{"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"},
           {"pattern", {{"Regex", kQwen2Pattern}}},
           {"behavior", "Isolated"},
           {"invert", false}},
          {{"type", "ByteLevel"},
           {"add_prefix_space", false},
           {"trim_offsets", false},
           {"use_regex", false}}}}}},
      {"post_processor", {{"type", "ByteLevel"}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}}},
  };
}

inline Tokenizer load_json(const Json& json) {
  const vl3::test::TempDir dir;
  dir.write("tokenizer.json", json.dump());
  return Tokenizer::load(dir.path());
}

inline Tokenizer tiny_tokenizer() { return load_json(tiny_tokenizer_json()); }

}  // namespace vl3::text::test
