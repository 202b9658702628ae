#include "weights/checkpoint.h"

#include <array>
#include <set>

#include "core/check.h"
#include "core/log.h"
#include "weights/shard_index.h"

namespace vl3::weights {
namespace {

// Names of one kind of fault, the first few of which are shown.
class Faults {
 public:
  explicit Faults(const char* kind) : kind_(kind) {}
  void add(std::string name) {
    if (++count_ <= kShown) shown_.push_back(std::move(name));
  }
  size_t count() const { return count_; }
  std::string text() const {
    return fmt::format("{} {}: {}{}", count_, kind_, fmt::join(shown_, ", "), count_ > kShown ? ", …" : "");
  }

 private:
  static constexpr size_t kShown = 3;
  const char* kind_;
  size_t count_ = 0;
  std::vector<std::string> shown_;
};

void throw_faults(const std::filesystem::path& dir, std::initializer_list<const Faults*> all) {
  std::vector<std::string> texts;
  for (const Faults* faults : all) {
    if (faults->count() > 0) texts.push_back(faults->text());
  }
  VL3_CHECK(texts.empty(), kCorrupt, "{}: the weights do not fit config.json: {}", dir.string(),
            fmt::join(texts, "; "));
}

// The index and the shards must tell the same story.
void check_index(const std::filesystem::path& dir, const ShardIndex& index,
                 const std::vector<SafetensorsFile>& files) {
  if (index.weight_map.empty()) return;
  Faults absent("tensors of the index that are not in their shard");
  Faults unlisted("tensors of the shards that the index does not list");
  for (const auto& [name, file] : index.weight_map) {
    if (files[file].tensors().count(name) == 0)
      absent.add(fmt::format("{:.100} ({})", name, index.files[file]));
  }
  for (size_t file = 0; file < files.size(); ++file) {
    for (const auto& [name, view] : files[file].tensors()) {
      const auto it = index.weight_map.find(name);
      if (it == index.weight_map.end() || it->second != file) {
        unlisted.add(fmt::format("{:.100} ({})", name, index.files[file]));
      }
    }
  }
  throw_faults(dir, {&absent, &unlisted});
}

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& dir, const ModelConfig& config) {
  Checkpoint checkpoint;
  checkpoint.config_ = config;
  checkpoint.config_.dir = dir;
  checkpoint.expected_ = expected_tensors(config);
  const ShardIndex index = find_shards(dir);
  for (const std::string& name : index.files) checkpoint.files_.emplace_back(dir / name);
  check_index(dir, index, checkpoint.files_);

  std::map<std::string, const ExpectedTensor*> wanted;
  for (const ExpectedTensor& tensor : checkpoint.expected_) wanted.emplace(tensor.name, &tensor);
  const ExpectedTensor tied_head{"lm_head.weight", {config.text.vocab_size, config.text.hidden_size}};
  if (config.text.tie_word_embeddings) wanted.emplace(tied_head.name, &tied_head);

  Faults missing("missing"), surplus("surplus"), doubled("given twice"), misshapen("of wrong shape"),
      odd("not float");
  std::set<std::string> seen;
  QuantisedParts parts;
  for (const SafetensorsFile& file : checkpoint.files_) {
    for (const auto& [file_name, view] : file.tensors()) {
      const std::string name = canonical_name(file_name).value_or("");
      if (config.quantised && parts.take(name, view)) continue;
      const auto it = wanted.find(name);
      seen.insert(name);
      if (it == wanted.end()) {
        surplus.add(fmt::format("{:.100}", file_name));
      } else if (view.shape != it->second->shape) {
        misshapen.add(fmt::format("{:.100} {}, expected {}", file_name, shape_text(view.shape),
                                  shape_text(it->second->shape)));
      } else if (!is_weight_dtype(view.dtype)) {
        odd.add(fmt::format("{:.100} ({}), expected F32, BF16 or F16", file_name, dtype_name(view.dtype)));
      } else if (!checkpoint.tensors_.emplace(name, view).second) {
        doubled.add(fmt::format("{:.100}", file_name));
      }
    }
  }
  for (const std::string& name : parts.weights()) {
    const auto it = wanted.find(name);
    if (it == wanted.end()) {
      surplus.add(fmt::format("parts of {:.100}", name));
    } else if (checkpoint.tensors_.contains(name)) {
      doubled.add(fmt::format("{:.100}, quantised and not", name));
    } else if (config.text.tie_word_embeddings && name == tied_head.name) {
      continue;  // the embedding's own numbers, or their scale alone: both are ignored
    } else {
      try {
        checkpoint.quantised_.emplace(name, parts.assemble(name, it->second->shape));
      } catch (const Error& error) {
        throw error.with_context(fmt::format("{}: {:.100}", dir.string(), name));
      }
      seen.insert(name);
    }
  }
  for (const ExpectedTensor& tensor : checkpoint.expected_) {
    if (seen.count(tensor.name) == 0) missing.add(layout_name(tensor.name, config.layout));
  }
  throw_faults(dir, {&missing, &surplus, &doubled, &misshapen, &odd});

  if (config.text.tie_word_embeddings && checkpoint.tensors_.erase(tied_head.name) > 0) {
    logger().debug("{}: lm_head.weight is ignored, the config ties it to the embedding", dir.string());
  }
  std::array<uint64_t, 32> bytes_of_dtype{};
  for (const auto& [name, view] : checkpoint.tensors_) {
    bytes_of_dtype.at(static_cast<size_t>(view.dtype)) += view.size_bytes;
    checkpoint.size_bytes_ += view.size_bytes;
  }
  for (const auto& [name, view] : checkpoint.quantised_) {
    bytes_of_dtype.at(static_cast<size_t>(view.scale.dtype)) += view.scale.size_bytes;
    checkpoint.size_bytes_ += view.size_bytes();
  }
  for (size_t i = 0; i < bytes_of_dtype.size(); ++i) {
    if (bytes_of_dtype[i] > bytes_of_dtype[static_cast<size_t>(checkpoint.dtype_)]) {
      checkpoint.dtype_ = static_cast<DType>(i);
    }
  }
  return checkpoint;
}

const TensorView& Checkpoint::view(const std::string& canonical_name) const {
  const auto it = tensors_.find(canonical_name);
  VL3_CHECK(it != tensors_.end(), kNotFound, "{}: the model has no tensor \"{}\"", dir().string(),
            canonical_name);
  return it->second;
}

const QuantisedView* Checkpoint::quantised(const std::string& canonical_name) const {
  const auto it = quantised_.find(canonical_name);
  return it == quantised_.end() ? nullptr : &it->second;
}

void Checkpoint::advise_dont_need(const std::string& canonical_name) const {
  if (const QuantisedView* stored = quantised(canonical_name)) {
    weights::advise_dont_need(stored->values.bytes());
    return weights::advise_dont_need(stored->scale.bytes());
  }
  weights::advise_dont_need(view(canonical_name).bytes());
}

void Checkpoint::advise_will_need(const std::string& canonical_name) const {
  if (const QuantisedView* stored = quantised(canonical_name)) {
    weights::advise_will_need(stored->values.bytes());
    return weights::advise_will_need(stored->scale.bytes());
  }
  weights::advise_will_need(view(canonical_name).bytes());
}

}  // namespace vl3::weights
