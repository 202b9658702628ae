// The other commands: convert, trace, pull, synth, plan, inspect, bench.
#include "cli/hostile_world.h"

namespace vl3::test {
namespace {

using W = HostileWorld;
using Words = HostileWorld::Words;

Words convert(const W& w, const Words& more) {
  Words words{"convert", W::model(), w.out()};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words trace(const W& w, const std::string& json) {
  return W::with_model("trace", {"--case", w.file("case.json", json), "--out", w.out("t.safetensors")});
}

Words pull(const Words& words, const std::string& endpoint) {
  Words all{"pull", "--endpoint", endpoint};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

constexpr const char* kHi =
    R"({"conversation": [{"role": "user", "content": "hi"}], "logits_positions": [0]})";

std::vector<HostileRow> convert_rows() {
  return {
      {"ConvertOutNotEmpty", 2, "/out: is not empty; name a new folder",
       [](W& w) {
         w.file("out/precious.txt", "keep me");
         return convert(w, {"--to", "remote"});
       }},
      {"ConvertOutIsAFile", 2, "/out: exists and is not a folder",
       [](W& w) {
         w.file("out", "keep me");
         return convert(w, {"--to", "remote"});
       }},
      {"ConvertOutWithoutParent", 2, "/no/such/place: cannot be made: No such file or directory",
       [](W& w) -> Words {
         return {"convert", W::model(), w.out("no/such/place"), "--to", "remote"};
       }},
      {"ConvertOntoItself", 2, "/model: is not empty; name a new folder",
       [](W& w) -> Words {
         const std::string model = w.model_copy().string();
         return {"convert", model, model, "--to", "remote"};
       }},
      {"ConvertSourceMissing", 1, "/nothing: no such model folder",
       [](W& w) -> Words {
         return {"convert", w.out("nothing"), w.out(), "--to", "remote"};
       }},
      {"ConvertSourceBroken", 1, "in a file of 1000; the file may be cut short",
       [](W& w) -> Words {
         const std::filesystem::path folder = w.model_copy();
         std::filesystem::resize_file(folder / "model.safetensors", 1000);
         return {"convert", folder.string(), w.out(), "--to", "remote"};
       }},
      {"ConvertWithoutLayout", 2, "invalid argument: give the layout to write: --to native or --to remote",
       [](W& w) { return convert(w, {}); }},
      {"ConvertShardSizeZero", 2, "invalid argument: max_shard_size 0: give the bytes a shard may have",
       [](W& w) {
         return convert(w, {"--to", "remote", "--max-shard-size", "0"});
       }},
      {"ConvertShardSizeWord", 2, "\"big\": expected a size like 8GiB",
       [](W& w) {
         return convert(w, {"--to", "remote", "--max-shard-size", "big"});
       }},
      {"ConvertVisionWithoutLm", 2, "--vision and --lm go together",
       [](W& w) -> Words {
         return {"convert", w.out(), "--vision", W::model()};
       }},
      {"ConvertComposeWithSource", 2, "with --vision and --lm give only OUT",
       [](W& w) -> Words {
         return {"convert", W::model(), w.out(), "--vision", W::model(), "--lm", W::model()};
       }},
      {"ConvertLmIsNoQwen2", 1, "is not supported, only \"qwen2\" (Qwen2 and Qwen2.5)",
       [](W& w) -> Words { return {"convert", w.out(), "--vision", W::model(), "--lm", W::model()}; }},
      {"ConvertRandomToALayout", 2, "--random keeps SRC's layout",
       [](W& w) {
         return convert(w, {"--random", "--to", "remote"});
       }},
      {"ConvertSeedOfNothing", 2, "--seed goes with --random",
       [](W& w) {
         return convert(w, {"--to", "remote", "--seed", "3"});
       }},
      {"ConvertScaleOfNothing", 2, "--scale-residual goes with --random",
       [](W& w) {
         return convert(w, {"--to", "remote", "--scale-residual"});
       }},
      {"ConvertWithoutOut", 2, "give the folder to read and the folder to write: SRC OUT",
       [](W&) -> Words {
         return {"convert", W::model(), "--to", "remote"};
       }},
  };
}

// vl3 train RECIPE … for a recipe whose model and data are there.
Words train(const W& w, const std::string& recipe, const Words& more) {
  w.file("data.jsonl", "{\"id\": 1}\n{\"id\": 2}\n");
  Words words{"train", w.file("r.toml", recipe)};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string good_recipe(const W& w) {
  return "model = \"" + W::model() + "\"\noutput = \"" + w.out("run") +
         "\"\n[lr]\nllm_lr = 1e-5\n[[data.sources]]\ndata_path = \"" + w.out("data.jsonl") + "\"\n";
}

std::vector<HostileRow> train_rows() {
  return {
      {"TrainWithoutRecipe", 2, "RECIPE is required", [](W&) -> Words { return {"train"}; }},
      {"TrainMissingRecipe", 1, "/no.toml: cannot be opened: No such file or directory",
       [](W& w) -> Words {
         return {"train", w.out("no.toml")};
       }},
      {"TrainUnknownKey", 2, "/r.toml:1: unknown key \"save_step\"; did you mean save_steps?",
       [](W& w) { return train(w, "save_step = 5\n" + good_recipe(w), {"--plan"}); }},
      {"TrainBinaryRecipe", 2, "/r.toml:1: not valid TOML",
       [](W& w) { return train(w, W::bytes_of(W::data("picture.png")), {"--plan"}); }},
      {"TrainSetWithoutValue", 2, "--set seed: expected KEY=VALUE",
       [](W& w) {
         return train(w, good_recipe(w), {"--set", "seed"});
       }},
      {"TrainSetOutOfRange", 2, "--set lr.llm_lr=11: lr.llm_lr is 11; expected a number above 0, at most 10",
       [](W& w) {
         return train(w, good_recipe(w), {"--set", "lr.llm_lr=11", "--plan"});
       }},
      {"TrainMaxStepsZero", 2, "--max-steps",
       [](W& w) {
         return train(w, good_recipe(w), {"--max-steps", "0"});
       }},
      {"TrainPlanWithoutModel", 1, "model \"nowhere\": no such model folder, no run",
       [](W& w) {
         return train(w, good_recipe(w), {"--set", "model=nowhere", "--plan"});
       }},
  };
}

std::vector<HostileRow> trace_rows() {
  return {
      {"TraceWithoutCase", 2, "invalid argument: give one of --messages F and --case F",
       [](W& w) {
         return W::with_model("trace", {"--out", w.out()});
       }},
      {"TraceWithoutOut", 2, "--out is required",
       [](W& w) {
         return W::with_model("trace", {"--case", w.file("case.json", kHi)});
       }},
      {"TraceMissingCase", 1, "/no.json: cannot be opened: No such file or directory",
       [](W& w) {
         return W::with_model("trace", {"--case", w.out("no.json"), "--out", w.out("t.safetensors")});
       }},
      {"TraceCaseWithoutConversation", 1, "/case.json: key \"conversation\" is missing",
       [](W& w) { return trace(w, R"({"logits_positions": [0]})"); }},
      {"TracePositionOutOfRange", 2, "logits position 123456 is outside the fused sequence",
       [](W& w) {
         return trace(
             w, R"({"conversation": [{"role": "user", "content": "hi"}], "logits_positions": [123456]})");
       }},
      {"TracePositionNoNumber", 2, "--logits-positions \"0,x\": expected rows, as in 0,17,40, or all",
       [](W& w) {
         return W::with_model("trace", {"--case", w.file("case.json", kHi), "--out", w.out("t.safetensors"),
                                        "--logits-positions", "0,x"});
       }},
      {"TraceOutWithoutParent", 2, "/no/such/t.safetensors: cannot be written: No such file or directory",
       [](W& w) {
         return W::with_model("trace",
                              {"--case", w.file("case.json", kHi), "--out", w.out("no/such/t.safetensors")});
       }},
      {"TraceOutIsAFolder", 2, "/t.safetensors is a folder",
       [](W& w) {
         std::filesystem::create_directory(w.out("t.safetensors"));
         return W::with_model("trace", {"--case", w.file("case.json", kHi), "--out", w.out("t.safetensors")});
       }},
      {"TraceJsonIsAFolder", 2, "/t.json is a folder",
       [](W& w) {
         std::filesystem::create_directory(w.out("t.json"));
         return W::with_model("trace", {"--case", w.file("case.json", kHi), "--out", w.out("t.safetensors")});
       }},
      {"TraceOutIsTheMessages", 2, "/q.json: that is the input",
       [](W& w) {
         const std::string messages = w.file("q.json", R"([{"role": "user", "content": "hi"}])");
         return W::with_model("trace", {"--messages", messages, "--out", w.out("q.safetensors")});
       }},
      {"TraceOutIsTheJson", 2, "/t.json: that name is for the JSON beside the tensors",
       [](W& w) {
         return W::with_model("trace", {"--case", w.file("case.json", kHi), "--out", w.out("t.json")});
       }},
  };
}

std::vector<HostileRow> pull_rows() {
  return {
      {"PullNameWithoutOrg", 2, "\"model\" is not the name of a repository",
       [](W& w) { return pull({"model"}, w.closed_port()); }},
      {"PullNameClimbs", 2, "\"../etc\" is not the name of a repository",
       [](W& w) { return pull({"../etc"}, w.closed_port()); }},
      {"PullRevisionClimbs", 2, "revision \"../../x\": not the name of a branch",
       [](W& w) {
         return pull({"a/b", "--revision", "../../x"}, w.closed_port());
       }},
      {"PullWithoutEndpoint", 2, "no hub is named: set HF_ENDPOINT",
       [](W&) -> Words {
         return {"pull", "a/b"};
       }},
      {"PullEndpointNoUrl", 2, "URL with the character 0x20", [](W&) { return pull({"a/b"}, "not a url"); }},
      {"PullClosedPort", 1, "Connection refused", [](W& w) { return pull({"a/b"}, w.closed_port()); }, true},
      {"PullOfflineNotCached", 1, "not found: pulling a/b: a/b (revision main) is not in the cache",
       [](W& w) {
         return pull({"a/b", "--offline"}, w.closed_port());
       }},
  };
}

std::vector<HostileRow> synth_rows() {
  return {
      {"SynthNothingToDo", 2,
       "say one of --out DIR, --sheet F, --score F, --tokenizer DIR, --list and --rate",
       [](W&) -> Words { return {"synth"}; }},
      {"SynthTwoThingsToDo", 2, "--list and --rate; found 2",
       [](W& w) -> Words {
         return {"synth", "--list", "--out", w.out()};
       }},
      {"SynthOutNotEmpty", 2, "/out: is not empty; name a new folder",
       [](W& w) -> Words {
         w.file("out/precious.txt", "keep me");
         return {"synth", "--out", w.out(), "--count", "1"};
       }},
      {"SynthUnknownKind", 2, "no such kind; scene has colour",
       [](W& w) -> Words {
         return {"synth", "--out", w.out(), "--kinds", "scene.smell"};
       }},
      {"SynthUnknownLevel", 2, "\"huge\": no such level; scene has one",
       [](W& w) -> Words {
         return {"synth", "--out", w.out(), "--kinds", "scene@huge"};
       }},
      {"SynthUnknownSplit", 2, "split: \"test\" is none of train, heldout, all",
       [](W& w) -> Words {
         return {"synth", "--out", w.out(), "--split", "test"};
       }},
      {"SynthUnknownCodec", 2, "\"vp9\" is neither h264 nor png",
       [](W& w) -> Words {
         return {"synth", "--out", w.out(), "--video-codec", "vp9"};
       }},
      {"SynthSeedNegative", 2, "--seed: \"-1\": expected a whole number from 0",
       [](W& w) -> Words {
         return {"synth", "--out", w.out(), "--seed", "-1"};
       }},
      {"SynthCountZero", 2, "--count: Value 0 not in range",
       [](W& w) -> Words {
         return {"synth", "--out", w.out(), "--count", "0"};
       }},
      {"SynthUnknownOption", 2, "unknown key \"sede\"",
       [](W& w) -> Words {
         return {"synth", "--out", w.out(), "--options", w.file("o.json", R"({"sede": 1})")};
       }},
      {"SynthScoreWithoutSet", 2, "--score: name the test set with --benchmark-dir DIR",
       [](W& w) -> Words {
         return {"synth", "--score", w.file("p.jsonl", "")};
       }},
      {"SynthScoreBrokenLine", 1, "line 1: not valid JSON",
       [](W& w) -> Words {
         w.file("set/benchmark.jsonl", "{");
         return {"synth", "--score", w.file("p.jsonl", ""), "--benchmark-dir", w.out("set")};
       }},
  };
}

std::vector<HostileRow> other_rows() {
  return {
      {"PlanWithoutMedia", 2, "no media: name files, URLs or frame folders",
       [](W&) { return W::with_model("plan", {}); }},
      {"InspectWithoutMedia", 2, "no media: name files, URLs or frame folders",
       [](W&) { return W::with_model("inspect", {}); }},
      {"InspectBroken", 1, "/picture.png: broken PNG: the file ends early",
       [](W& w) {
         return W::with_model("inspect", {w.cut("picture.png", 0.6), "--out", w.out("sheet.png")});
       }},
      {"InspectOutIsItsInput", 2, "/p.png: that is the input",
       [](W& w) {
         const std::string picture = w.file("p.png", W::bytes_of(W::data("picture.png")));
         return W::with_model("inspect", {picture, "--out", w.out("p.png")});
       }},
      {"InspectOutWithoutParent", 2, "/no/such/sheet.png: cannot be written: No such file or directory",
       [](W& w) {
         return W::with_model("inspect", {W::data("picture.png"), "--out", w.out("no/such/sheet.png")});
       }},
      {"InspectTooLarge", 1, "megapixels, the limit is 64",
       [](W& w) {
         // Their headers are enough to know it: none is decoded.
         const std::string picture = w.file("large.png", W::png_header(1400, 1400));
         Json parts = Json::array();
         for (int i = 0; i < 1500; ++i) parts.push_back({{"type", "image"}, {"image", picture}});
         const Json messages = {{{"role", "user"}, {"content", parts}}};
         return W::with_model("inspect",
                              {"--messages", w.file("m.json", messages.dump()), "--out", w.out("sheet.png")});
       }},
      {"InspectTooLargeForOneLargePicture", 1, "megapixels, the limit is 64",
       [](W& w) {
         // Every cell of the sheet is as large as the largest picture.
         const std::string large = w.file("large.png", W::png_header(1400, 1400));
         const std::string small = w.file("small.png", W::png_header(28, 28));
         Json parts = Json::array();
         for (int i = 0; i < 1401; ++i)
           parts.push_back({{"type", "image"}, {"image", i == 0 ? large : small}});
         const Json messages = {{{"role", "user"}, {"content", parts}}};
         return W::with_model("inspect", {"--messages", w.file("m.json", messages.dump())});
       }},
      {"BenchUnknownKey", 2, "--only teleport: expected one of",
       [](W&) {
         return W::with_model("bench", {"--only", "teleport"});
       }},
  };
}

}  // namespace

std::vector<HostileRow> hostile_commands() {
  std::vector<HostileRow> rows = convert_rows();
  for (const auto& more : {train_rows(), trace_rows(), pull_rows(), synth_rows(), other_rows()})
    rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace vl3::test
