// A byte-level BPE tokenizer made from counted text: Qwen2's files with merges of its own. For small models;
// quick for some megabytes of different words. Stateless.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vl3::text {

/// Counts the words of texts as the Qwen2 split cuts them.
class WordCounts {
 public:
  void add(std::string_view utf8);
  const std::map<std::string, int64_t>& words() const { return words_; }

 private:
  std::map<std::string, int64_t> words_;
};

/// The merges of the most frequent pairs, most frequent first (ties: the pair that sorts first), as bytes.
/// Capital letters stay tokens of their own, as digits do: what is printed in capitals is then read letter by
/// letter.
/// @param merges  at most; fewer where no pair is left that occurs twice.
std::vector<std::pair<std::string, std::string>> train_bpe(const WordCounts& counts, int64_t merges);

/// Writes tokenizer.json, tokenizer_config.json, vocab.json, merges.txt and added_tokens.json: the 256 bytes,
/// the merges' results, then the special tokens of Qwen2.5 and VideoLLaMA3 under their names.
/// @return how many tokens there are.
/// @throws as write_file_atomically().
int64_t write_tokenizer(const std::vector<std::pair<std::string, std::string>>& merges,
                        const std::filesystem::path& dir);

}  // namespace vl3::text
