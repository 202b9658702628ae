// Checkpoint folders that are incomplete, broken, or lie about what they hold.
#include <cstring>

#include "cli/hostile_world.h"
#include "core/check.h"
#include "core/file.h"

namespace vl3::test {
namespace {

using W = HostileWorld;
using Words = HostileWorld::Words;
namespace fs = std::filesystem;

Words hi(const std::string& model) { return W::ask({"hi"}, model); }

// The first tensor of the file, by name.
Json::iterator some_tensor(Json& header) {
  auto it = header.begin();
  while (it.key() == "__metadata__") ++it;
  return it;
}

Words config(const W& w, const std::string& text) {
  const fs::path folder = w.model_copy();
  write_file_atomically(folder / "config.json", text);
  return hi(folder.string());
}

Words text_config(const W& w, const std::string& key, const Json& value) {
  return hi(w.bent_config([&](Json& json) { json["text_config"][key] = value; }));
}

Words vision_config(const W& w, const std::string& key, const Json& value) {
  return hi(w.bent_config([&](Json& json) { json["vision_config"][key] = value; }));
}

Words tensor_field(const W& w, const std::string& field, const Json& value) {
  return hi(w.bent_weights([&](Json& header, std::string&) { (*some_tensor(header))[field] = value; }));
}

Words weights(const W& w, const std::string& bytes) {
  const fs::path folder = w.model_copy();
  write_file_atomically(folder / "model.safetensors", bytes);
  return hi(folder.string());
}

std::string length_field(uint64_t length) { return {reinterpret_cast<const char*>(&length), sizeof length}; }

std::vector<HostileRow> folder_rows() {
  return {
      {"ModelMissing", 1, "/no/such/model: no such folder, and not a name of the form ORG/NAME",
       [](W& w) { return hi(w.out("no/such/model")); }},
      {"ModelNotCached", 1, "not found: some-org/some-model (revision main) is not in the cache",
       [](W&) { return hi("some-org/some-model"); }},
      {"ModelOfTheEnvironmentMissing", 1,
       "/nowhere/at/all: no such folder, and not a name of the form ORG/NAME",
       [](W& w) -> Words {
         w.environment["VL3_MODEL"] = w.out("nowhere/at/all");
         return {"ask", "hi"};
       }},
      {"ModelEmptyFolder", 1, "/model: no config.json here; is it a model folder?",
       [](W& w) {
         fs::create_directory(w.out("model"));
         return hi(w.out("model"));
       }},
      {"WeightsMissing", 1, "no weights here, neither model.safetensors nor",
       [](W& w) {
         const fs::path folder = w.model_copy();
         fs::remove(folder / "model.safetensors");
         return hi(folder.string());
       }},
      {"WeightsPickledOnly", 1, "only pytorch_model.bin is here",
       [](W& w) {
         const fs::path folder = w.model_copy();
         fs::rename(folder / "model.safetensors", folder / "pytorch_model.bin");
         return hi(folder.string());
       }},
  };
}

std::vector<HostileRow> config_rows() {
  return {
      {"ConfigBroken", 1, "/config.json: not valid JSON",
       [](W& w) { return config(w, "{\"model_type\": \"video_llama_3\","); }},
      {"ConfigArray", 1, "/model/config.json: expected a JSON object, found",
       [](W& w) { return config(w, "[1, 2, 3]"); }},
      {"ConfigNotUtf8", 1, "/config.json: not valid JSON",
       [](W& w) { return config(w, "{\"model_type\": \"\xff\xfe\"}"); }},
      {"ConfigOfAnotherModel", 1, "model_type \"llama\" is not VideoLLaMA3",
       [](W& w) { return config(w, R"({"model_type": "llama", "hidden_size": 64})"); }},
      {"ConfigWithoutVision", 1, "/model/config.json: \"vision_config\" is missing or null",
       [](W& w) { return hi(w.bent_config([](Json& json) { json.erase("vision_config"); })); }},
      {"ConfigWithoutHiddenSize", 1, "/model/config.json: text_config: key \"hidden_size\" is missing",
       [](W& w) { return hi(w.bent_config([](Json& json) { json["text_config"].erase("hidden_size"); })); }},
      {"ConfigTextSizeZero", 1, "/model/config.json: text_config: \"hidden_size\" is 0, outside 1..",
       [](W& w) { return text_config(w, "hidden_size", 0); }},
      {"ConfigTextSizeHuge", 1, "text_config: \"hidden_size\" is 1099511627776, outside",
       [](W& w) { return text_config(w, "hidden_size", int64_t{1} << 40); }},
      {"ConfigTextSizeText", 1, "\"hidden_size\" must be an integer, found \"64\"",
       [](W& w) { return text_config(w, "hidden_size", "64"); }},
      {"ConfigLayersHuge", 1, "\"num_hidden_layers\" is 2000000000, outside",
       [](W& w) { return text_config(w, "num_hidden_layers", 2000000000); }},
      {"ConfigRopeScaling", 1, "rope_scaling is not supported",
       [](W& w) {
         return text_config(w, "rope_scaling", {{"type", "yarn"}, {"factor", 4.0}});
       }},
      {"ConfigPatchZero", 1, "/model/config.json: vision_config: \"patch_size\" is 0, outside 1..",
       [](W& w) { return vision_config(w, "patch_size", 0); }},
      {"ConfigImageTokenOutsideVocabulary", 1, "\"image_token_id\" is 5000000, beyond the vocabulary",
       [](W& w) { return hi(w.bent_config([](Json& json) { json["image_token_id"] = 5000000; })); }},
      {"GenerationConfigWrong", 1, "/generation_config.json: \"temperature\" must be a finite number",
       [](W& w) {
         const fs::path folder = w.model_copy();
         write_file_atomically(folder / "generation_config.json", R"({"temperature": "hot"})");
         return hi(folder.string());
       }},
      {"PreprocessorConfigWrong", 1, "/preprocessor_config.json: \"image_std\" holds 0",
       [](W& w) {
         const fs::path folder = w.model_copy();
         write_file_atomically(folder / "preprocessor_config.json", R"({"image_std": [0, 0, 0]})");
         return hi(folder.string());
       }},
  };
}

std::vector<HostileRow> weight_rows() {
  return {
      {"WeightsEmpty", 1, "/model/model.safetensors: 0 bytes, too short for a safetensors file",
       [](W& w) { return weights(w, ""); }},
      {"WeightsTruncated", 1, "the file may be cut short",
       [](W& w) {
         const fs::path folder = w.model_copy();
         fs::resize_file(folder / "model.safetensors", fs::file_size(folder / "model.safetensors") * 2 / 3);
         return hi(folder.string());
       }},
      {"WeightsHeaderLengthAbsurd", 1, "header of 18446744073709551615 bytes, at most",
       [](W& w) { return weights(w, length_field(~uint64_t{0}) + "{}"); }},
      {"WeightsHeaderLengthTooLarge", 1, "header of 5000 bytes in a file of 10; the file may be cut short",
       [](W& w) { return weights(w, length_field(5000) + "{}"); }},
      {"WeightsHeaderNotUtf8", 1, "/model.safetensors: header is not valid JSON",
       [](W& w) { return weights(w, length_field(9) + "{\"\xff\xfe\":{}}"); }},
      {"WeightsAreAWebPage", 1, "/model.safetensors: header of",
       [](W& w) { return weights(w, "<!DOCTYPE html><html>not found</html>"); }},
      {"TensorsOverlap", 1, "overlaps the one before",
       [](W& w) {
         return hi(w.bent_weights([](Json& header, std::string&) {
           // What begins where another ends begins four bytes earlier.
           const Json end = (*some_tensor(header))["data_offsets"][1];
           for (auto& [name, tensor] : header.items()) {
             if (name == "__metadata__" || tensor["data_offsets"][0] != end) continue;
             for (Json& offset : tensor["data_offsets"]) offset = offset.get<uint64_t>() - 4;
             return;
           }
         }));
       }},
      {"TensorsWithAHole", 1, "11 bytes after the last tensor belong to no tensor",
       [](W& w) { return hi(w.bent_weights([](Json&, std::string& data) { data += "spare bytes"; })); }},
      {"TensorOutOfBounds", 1, "pass the end of the data",
       [](W& w) {
         return tensor_field(w, "data_offsets", {uint64_t{1} << 40, (uint64_t{1} << 40) + 4});
       }},
      {"TensorShapeOverflows", 1, "overflows 64 bits",
       [](W& w) {
         return tensor_field(w, "shape", {uint64_t{1} << 40, uint64_t{1} << 40});
       }},
      {"TensorDtypeOfIntegers", 1, "the weights do not fit config.json: 1 not float",
       [](W& w) { return tensor_field(w, "dtype", "I32"); }},
      {"TensorShapeTransposed", 1, "the weights do not fit config.json: 1 of wrong shape",
       [](W& w) {
         return hi(w.bent_weights([](Json& header, std::string&) {
           for (auto& [name, tensor] : header.items()) {
             if (name == "__metadata__" || tensor["shape"].size() != 2 ||
                 tensor["shape"][0] == tensor["shape"][1])
               continue;
             std::swap(tensor["shape"][0], tensor["shape"][1]);
             return;
           }
         }));
       }},
      {"TensorMissing", 1, "1 surplus: model.surplus.weight",
       [](W& w) {
         return hi(w.bent_weights([](Json& header, std::string&) {
           const Json tensor = *some_tensor(header);
           header.erase(some_tensor(header));
           header["model.surplus.weight"] = tensor;
         }));
       }},
      {"TensorSurplus", 1, "the weights do not fit config.json: 1 surplus",
       [](W& w) {
         return hi(w.bent_weights([](Json& header, std::string& data) {
           header["model.language_model.layers.99.mlp.up_proj.weight"] = {
               {"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {data.size(), data.size() + 8}}};
           data += std::string(8, '\0');
         }));
       }},
      {"IndexPointsOutside", 1, "lies in \"../../etc/passwd\", which is not the name of a",
       [](W& w) {
         const fs::path folder = w.sharded_copy();
         W::bend_json(folder / "model.safetensors.index.json",
                      [](Json& json) { *json["weight_map"].begin() = "../../etc/passwd"; });
         return hi(folder.string());
       }},
      {"IndexWrongShard", 1, "of the index that are not in their shard",
       [](W& w) {
         const fs::path folder = w.sharded_copy();
         W::bend_json(folder / "model.safetensors.index.json", [](Json& json) {
           Json& map = json["weight_map"];
           const Json other = *map.rbegin();
           for (Json& shard : map) {
             if (shard != other) {
               shard = other;
               return;
             }
           }
         });
         return hi(folder.string());
       }},
      {"ShardMissing", 1, ".safetensors of the index is missing",
       [](W& w) {
         const fs::path folder = w.sharded_copy();
         const Json index = read_json_file(folder / "model.safetensors.index.json");
         fs::remove(folder / index["weight_map"].begin()->get<std::string>());
         return hi(folder.string());
       }},
  };
}

// Bends tokenizer.json of a copy.
Words tokenizer(const W& w, void (*bend)(Json&)) {
  const fs::path folder = w.model_copy();
  W::bend_json(folder / "tokenizer.json", bend);
  return hi(folder.string());
}

std::vector<HostileRow> tokenizer_rows() {
  return {
      {"TokenizerMissing", 1, "no tokenizer.json, nor vocab.json with merges.txt",
       [](W& w) {
         const fs::path folder = w.model_copy();
         for (const char* name : {"tokenizer.json", "vocab.json", "merges.txt"}) fs::remove(folder / name);
         return hi(folder.string());
       }},
      {"TokenizerTruncated", 1, "/tokenizer.json: not valid JSON",
       [](W& w) {
         const fs::path folder = w.model_copy();
         fs::resize_file(folder / "tokenizer.json", fs::file_size(folder / "tokenizer.json") / 2);
         return hi(folder.string());
       }},
      {"TokenizerDuplicateIds", 1, "is given to \"!\" and to",
       [](W& w) {
         return tokenizer(w, [](Json& json) { json["model"]["vocab"]["\""] = json["model"]["vocab"]["!"]; });
       }},
      {"TokenizerOfAnotherModel", 1, "the tokenizer has 100001 tokens, the model ",
       [](W& w) { return tokenizer(w, [](Json& json) { json["model"]["vocab"]["another"] = 100000; }); }},
      {"TokenizerAddedTwice", 1, "added token",
       [](W& w) {
         return tokenizer(w,
                          [](Json& json) { json["added_tokens"][1]["id"] = json["added_tokens"][0]["id"]; });
       }},
  };
}

}  // namespace

std::vector<HostileRow> hostile_checkpoints() {
  std::vector<HostileRow> rows = folder_rows();
  for (const auto& more : {config_rows(), weight_rows(), tokenizer_rows()})
    rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace vl3::test
