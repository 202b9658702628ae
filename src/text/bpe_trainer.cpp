#include "text/bpe_trainer.h"

#include <algorithm>
#include <set>

#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "text/byte_alphabet.h"
#include "text/pretokenize.h"

namespace vl3::text {
namespace {

// In the order of Qwen2.5, then VideoLLaMA3's three; those from <tool_call> to <|file_sep|> are no special
// tokens there either.
constexpr std::string_view kAdded[] = {
    "<|endoftext|>",  "<|im_start|>",   "<|im_end|>",     "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>",  "<|box_end|>",    "<|quad_start|>", "<|quad_end|>",         "<|vision_start|>",
    "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",  "<|video_pad|>",        "<tool_call>",
    "</tool_call>",   "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",       "<|fim_pad|>",
    "<|repo_name|>",  "<|file_sep|>",   "<image>",        "<|stream_start|>",     "<|stream_end|>"};

bool is_special(std::string_view token) {
  return token != "<tool_call>" && token != "</tool_call>" && !token.starts_with("<|fim_") &&
         token != "<|repo_name|>" && token != "<|file_sep|>";
}

using Pair = std::pair<std::string, std::string>;

struct Word {
  std::vector<std::string> pieces;
  int64_t count = 0;
};

bool has_capital(const std::string& piece) {
  return std::any_of(piece.begin(), piece.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// Words of bytes, and how often each pair of neighbours occurs in them.
struct State {
  std::vector<Word> words;
  std::map<Pair, int64_t> counts;
  std::map<Pair, std::set<size_t>> where;

  void count(size_t word, int64_t sign) {
    const Word& w = words[word];
    for (size_t i = 0; i + 1 < w.pieces.size(); ++i) {
      if (has_capital(w.pieces[i]) || has_capital(w.pieces[i + 1])) continue;
      const Pair pair{w.pieces[i], w.pieces[i + 1]};
      counts[pair] += sign * w.count;
      if (sign > 0) where[pair].insert(word);
    }
  }
};

void merge_in(Word& word, const Pair& pair) {
  std::vector<std::string> merged;
  for (size_t i = 0; i < word.pieces.size(); ++i) {
    const bool both =
        i + 1 < word.pieces.size() && word.pieces[i] == pair.first && word.pieces[i + 1] == pair.second;
    merged.push_back(both ? pair.first + pair.second : word.pieces[i]);
    if (both) ++i;
  }
  word.pieces = std::move(merged);
}

OrderedJson added_token(std::string_view content) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},    {"normalized", false},  {"special", is_special(content)}};
}

OrderedJson tokenizer_json(const OrderedJson& vocab, const OrderedJson& merges, int64_t first_added) {
  OrderedJson added = OrderedJson::array();
  for (const std::string_view content : kAdded) {
    added.push_back({{"id", first_added++}});
    added.back().update(added_token(content));
  }
  const OrderedJson split = {{"type", "Split"},
                             {"pattern", {{"Regex", kQwen2Pattern}}},
                             {"behavior", "Isolated"},
                             {"invert", false}};
  const OrderedJson bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", OrderedJson::array({split, bytes})}}},
          {"post_processor", bytes},
          {"decoder",
           {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", merges}}}};
}

}  // namespace

void WordCounts::add(std::string_view utf8) {
  static const PreTokenizer cut;
  const std::string text = to_nfc(utf8);
  for (const std::string_view word : cut.split(text)) ++words_[std::string(word)];
}

std::vector<std::pair<std::string, std::string>> train_bpe(const WordCounts& counts, int64_t merges) {
  State state;
  for (const auto& [text, count] : counts.words()) {
    Word word{.pieces = {}, .count = count};
    for (const char c : text) word.pieces.emplace_back(1, c);
    state.words.push_back(std::move(word));
    state.count(state.words.size() - 1, 1);
  }
  std::vector<Pair> result;
  while (static_cast<int64_t>(result.size()) < merges) {
    const auto best =
        std::max_element(state.counts.begin(), state.counts.end(), [](const auto& a, const auto& b) {
          return a.second < b.second;  // of equal ones the first
        });
    if (best == state.counts.end() || best->second < 2) break;
    const Pair pair = best->first;
    const std::set<size_t> words = std::move(state.where[pair]);
    for (const size_t word : words) {
      state.count(word, -1);
      merge_in(state.words[word], pair);
      state.count(word, 1);
    }
    state.counts.erase(pair);
    state.where.erase(pair);
    result.push_back(pair);
  }
  return result;
}

int64_t write_tokenizer(const std::vector<std::pair<std::string, std::string>>& merges,
                        const std::filesystem::path& dir) {
  OrderedJson vocab = OrderedJson::object(), list = OrderedJson::array(), decoder = OrderedJson::object(),
              added = OrderedJson::object();
  std::string lines = "#version: 0.2\n";
  int64_t id = 0;
  for (int byte = 0; byte < 256; ++byte)
    vocab[to_byte_alphabet(std::string(1, static_cast<char>(byte)))] = id++;
  for (const auto& [left, right] : merges) {
    const std::string a = to_byte_alphabet(left), b = to_byte_alphabet(right);
    if (!vocab.contains(a + b)) vocab[a + b] = id++;
    list.push_back({a, b});
    lines += a + " " + b + "\n";
  }
  const OrderedJson whole = tokenizer_json(vocab, list, id);
  for (const std::string_view content : kAdded) {
    decoder[std::to_string(id)] = added_token(content);
    added[std::string(content)] = id++;
  }
  const OrderedJson config = {{"add_bos_token", false},
                              {"add_prefix_space", false},
                              {"added_tokens_decoder", decoder},
                              {"bos_token", nullptr},
                              {"clean_up_tokenization_spaces", false},
                              {"eos_token", "<|im_end|>"},
                              {"errors", "replace"},
                              {"model_max_length", 16384},
                              {"pad_token", "<|endoftext|>"},
                              {"split_special_tokens", false},
                              {"tokenizer_class", "Qwen2Tokenizer"},
                              {"unk_token", nullptr}};
  std::filesystem::create_directories(dir);
  write_file_atomically(dir / "tokenizer.json", whole.dump(1) + "\n");
  write_file_atomically(dir / "tokenizer_config.json", config.dump(1) + "\n");
  write_file_atomically(dir / "vocab.json", vocab.dump() + "\n");
  write_file_atomically(dir / "merges.txt", lines);
  write_file_atomically(dir / "added_tokens.json", added.dump(1) + "\n");
  return id;
}

}  // namespace vl3::text
