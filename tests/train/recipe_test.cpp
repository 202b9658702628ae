#include "train/recipe.h"

#include <gtest/gtest.h>

#include "core/recipe_rules.h"
#include "support/temp_dir.h"

namespace vl3::train {
namespace {

using test::error_of;
using test::TempDir;
namespace fs = std::filesystem;

const std::string kSmall = R"(name = "small"
model = "base"
[lr]
llm_lr = 1e-5
[[data.sources]]
data_path = ["a.jsonl", "b.jsonl"]
[[data.sources]]
data_path = "c.json"
weight = 0.5
)";

TrainConfig parse(const std::string& toml, const std::vector<std::string>& set = {}) {
  return parse_recipe(toml, "r.toml", set);
}
std::string error(const std::string& toml, const std::vector<std::string>& set = {}) {
  return error_of([&] { parse(toml, set); });
}
// kSmall with a line put in front of its first section.
std::string with(const std::string& line) { return line + "\n" + kSmall; }

TEST(Recipe, ReadsKeysAndLeavesDefaults) {
  const TrainConfig config = parse(kSmall);
  EXPECT_EQ(config.name, "small");
  EXPECT_EQ(config.output, "runs/small");
  EXPECT_EQ(config.lr.llm_lr, 1e-5);
  EXPECT_FALSE(config.lr.mm_projector_lr.has_value());
  ASSERT_EQ(config.data.sources.size(), 2u);
  EXPECT_EQ(config.data.sources[0].data_path, (std::vector<std::string>{"a.jsonl", "b.jsonl"}));
  EXPECT_EQ(config.data.sources[1].data_path, std::vector<std::string>{"c.json"});
  EXPECT_EQ(config.data.sources[1].weight, 0.5);
  EXPECT_EQ(config.global_batch_size, 128);
  EXPECT_FALSE(config.lora.has_value());
}

TEST(Recipe, TakesItsNameFromTheFile) {
  const TempDir dir;
  const fs::path file = dir.write("my-run.toml", kSmall.substr(kSmall.find('\n') + 1));
  EXPECT_EQ(load_recipe(file).name, "my-run");
  EXPECT_EQ(load_recipe(file).output, "runs/my-run");
  EXPECT_EQ(error_of([&] { load_recipe(dir / "none.toml"); }).substr(0, 10), "not found:");
}

TEST(Recipe, SetOverridesAndAdds) {
  const TrainConfig config =
      parse(kSmall, {"lr.llm_lr=2e-5", "data.sources.1.weight=2", "lora.r=8", "lr.mm_projector_lr=1e-3",
                     "lr.llm_lr=none", "model=runs/other", "name=7", "tensorboard=false", "max_steps=10",
                     "data.sources.2.data_path=d.jsonl", "data.sources.2.weight=0.25",
                     "lora.target_modules=[\"q_proj\"]", "data.sources.0.data_path.1=e.jsonl"});
  EXPECT_EQ(config.data.sources[1].weight, 2);
  EXPECT_FALSE(config.lr.llm_lr.has_value());
  ASSERT_TRUE(config.lora.has_value());
  EXPECT_EQ(config.lora->r, 8);
  EXPECT_EQ(config.lora->target_modules, std::vector<std::string>{"q_proj"});
  EXPECT_EQ(config.model, "runs/other");
  EXPECT_EQ(config.name, "7");
  EXPECT_FALSE(config.tensorboard);
  EXPECT_EQ(config.max_steps, 10);
  ASSERT_EQ(config.data.sources.size(), 3u);
  EXPECT_EQ(config.data.sources[2].data_path, std::vector<std::string>{"d.jsonl"});
  EXPECT_EQ(config.data.sources[2].weight, 0.25);
  EXPECT_EQ(config.data.sources[0].data_path, (std::vector<std::string>{"a.jsonl", "e.jsonl"}));
}

TEST(Recipe, SetOfASectionTurnsItOff) {
  const std::string adapters =
      "name = \"a\"\nmodel = \"b\"\n[lr]\nllm_lr = 1e-4\n[lora]\nr = 4\n[[data.sources]]\ndata_path = "
      "\"c.json\"\n";
  EXPECT_EQ(parse(adapters).lora->r, 4);
  EXPECT_FALSE(parse(adapters, {"lora=none"}).lora.has_value());
}

TEST(Recipe, UnknownKeysNameTheNearestKnownOneAndTheLine) {
  EXPECT_EQ(error(with("gradient_checkpoint = true")),
            "invalid argument: r.toml:1: unknown key \"gradient_checkpoint\"; did you mean "
            "gradient_checkpointing?");
  EXPECT_EQ(error(with("llm_lr = 1e-5")),
            "invalid argument: r.toml:1: unknown key \"llm_lr\"; did you mean lr.llm_lr?");
  EXPECT_EQ(error(with(""), {"data.source.0.weight=2"}),
            "invalid argument: --set data.source.0.weight=2: unknown key \"data.source\"; did you mean "
            "data.sources?");
  EXPECT_EQ(error(with("global_batch = 2")),
            "invalid argument: r.toml:1: unknown key \"global_batch\"; did you mean global_batch_size?");
  EXPECT_EQ(error(kSmall + "wieght = 1\n"),
            "invalid argument: r.toml:10: unknown key \"data.sources.1.wieght\"; did you mean "
            "data.sources.0.weight?");
  EXPECT_EQ(error(kSmall, {"data.frames=3"}).substr(0, 54),
            "invalid argument: --set data.frames=3: unknown key \"da");
  EXPECT_EQ(error(with("zzzzzzzzzzzzzzz = 1")),
            "invalid argument: r.toml:1: unknown key \"zzzzzzzzzzzzzzz\"; see docs/guides/training.md for "
            "the keys there "
            "are");
  EXPECT_NE(error(kSmall + "[optimizer]\nx = 1\n"), "");
}

TEST(Recipe, WrongTypesAndRangesNameKeyValueAndWhatIsAllowed) {
  EXPECT_EQ(error(with("save_steps = 0")),
            "invalid argument: r.toml:1: save_steps is 0; expected a whole number from 1 to 1000000000000");
  EXPECT_EQ(error(with("save_steps = 1.5")),
            "invalid argument: r.toml:1: save_steps is 1.5; expected a whole number from 1 to 1000000000000");
  EXPECT_EQ(error(with("tensorboard = 1")),
            "invalid argument: r.toml:1: tensorboard is 1; expected true or false");
  EXPECT_EQ(error(with("dtype = \"fp16\"")),
            "invalid argument: r.toml:1: dtype is 'fp16'; expected one of \"bfloat16\", \"float32\"");
  EXPECT_EQ(
      error(with("num_train_epochs = nan")),
      "invalid argument: r.toml:1: num_train_epochs is nan; expected a number above 0, at most 1000000");
  EXPECT_EQ(
      error(with("num_train_epochs = inf")),
      "invalid argument: r.toml:1: num_train_epochs is inf; expected a number above 0, at most 1000000");
  EXPECT_EQ(error(with("lr = 1")),
            "invalid argument: r.toml:4: not valid TOML: Error while parsing table header: "
            "cannot redefine existing integer 'lr' as table");
  EXPECT_EQ(error(kSmall, {"lr.llm_lr=0"}),
            "invalid argument: --set lr.llm_lr=0: lr.llm_lr is 0; expected a number above 0, at most 10");
  EXPECT_EQ(error(kSmall, {"max_steps=many"}),
            "invalid argument: --set max_steps=many: max_steps is 'many'; expected a whole number from 1 to "
            "1000000000000");
  EXPECT_EQ(error(with("seed = -1")).substr(0, 41), "invalid argument: r.toml:1: seed is -1; e");
  EXPECT_EQ(error("model = \"a\"\ndata = 3\n"),
            "invalid argument: r.toml:2: data is 3; expected a section [data]");
  EXPECT_EQ(error("model = \"a\"\n[data]\nsources = 3\n"),
            "invalid argument: r.toml:3: data.sources is 3; expected entries that each begin with "
            "[[data.sources]]");
  EXPECT_EQ(error("model = \"a\"\n[data]\nsources = [1]\n"),
            "invalid argument: r.toml:3: data.sources is [ 1 ]; expected entries that each begin with "
            "[[data.sources]]");
  EXPECT_NE(error(with("output = 7")).find("r.toml:1: output is 7; expected a string"), std::string::npos);
}

TEST(Recipe, SetArgumentsThatNameNothingAreRefused) {
  EXPECT_EQ(error(kSmall, {"max_steps"}), "invalid argument: --set max_steps: expected KEY=VALUE");
  EXPECT_EQ(error(kSmall, {"=1"}),
            "invalid argument: --set =1: expected KEY=VALUE with a key like section.key");
  EXPECT_EQ(error(kSmall, {"lr..llm_lr=1"}).substr(0, 47), "invalid argument: --set lr..llm_lr=1: expected ");
  EXPECT_EQ(error(kSmall, {"data.sources.5.weight=1"}),
            "invalid argument: --set data.sources.5.weight=1: \"5\" is no entry of a list of 2");
  EXPECT_NE(error(kSmall, {"data.sources.x=1"}), "");
  EXPECT_NE(error(kSmall, {"lr.llm_lr.deep=1"}), "");
  EXPECT_NE(error(kSmall, {"model.0=1"}), "");
  EXPECT_EQ(error(kSmall, {"lora.target_modules=[q"}).substr(0, 58),
            "invalid argument: --set lora.target_modules=[q: not a TOML");
  EXPECT_NE(error(kSmall, {"model=\"a\"\nseed=3"}).find("control characters"), std::string::npos);
}

TEST(Recipe, ContradictionsAreErrors) {
  EXPECT_NE(error(kSmall, {"lr.llm_lr=none"}).find("nothing would be trained"), std::string::npos);
  EXPECT_NE(error(kSmall, {"lora.r=8", "lr.llm_lr=none"})
                .find("[lora] takes the learning rate of the part it adapts"),
            std::string::npos);
  EXPECT_EQ(error(kSmall, {"lora.r=8"}), "");
  EXPECT_NE(error(kSmall, {"data.row_tokens=1000"}).find("data.row_tokens is 1000, but a sample may have"),
            std::string::npos);
  EXPECT_EQ(error(kSmall, {"data.row_tokens=1000", "data.packing=samples"}), "");
  EXPECT_NE(error(kSmall, {"data.mm_max_length=20000"}).find("do not fit into data.model_max_length 16384"),
            std::string::npos);
  EXPECT_NE(
      error(kSmall, {"optim.lr_scheduler_type=wsd", "optim.decay_ratio=1"}).find("more than the whole run"),
      std::string::npos);
  EXPECT_NE(error(with("global_batch_size = 8\nglobal_batch_tokens = 100000")).find("both given"),
            std::string::npos);
  EXPECT_EQ(parse(with("global_batch_size = 8"), {"global_batch_tokens=100000"}).global_batch_tokens, 100000);
  EXPECT_FALSE(
      parse(with("global_batch_tokens = 100000"), {"global_batch_size=4"}).global_batch_tokens.has_value());
  EXPECT_NE(error(kSmall, {"global_batch_tokens=100"}).find("less than one row"), std::string::npos);
  EXPECT_NE(error(kSmall, {"data.row_tokens=1000000000"}).find("from 2 to 4194304"), std::string::npos);
  EXPECT_NE(error(kSmall, {"data.packing=samples", "data.row_samples=1000"}).find("has more than 4194304"),
            std::string::npos);
  EXPECT_NE(error(kSmall, {"data.packing=samples", "global_batch_size=1"}).find("less than one row"),
            std::string::npos);
  EXPECT_NE(error(kSmall, {"device=gpu"}).find("expected auto, cpu, cuda or cuda:N"), std::string::npos);
  EXPECT_NE(error(kSmall, {"name=a/b"}).find("plain name"), std::string::npos);
  EXPECT_NE(error("name = \"a\"\nmodel = \"b\"\n[lr]\nllm_lr = 1e-5\n").find("no data"), std::string::npos);
  for (const char* entry : {"weight = 1\n", "data_path = \"a.jsonl\"\nsynth = \"b.json\"\n"}) {
    EXPECT_NE(error(kSmall + "[[data.sources]]\n" + entry).find("needs data_path or synth, one of them"),
              std::string::npos);
  }
}

TEST(Recipe, TheResolvedRecipeReadsBackTheSame) {
  TrainConfig config = parse(
      kSmall, {"lora.lora_alpha=3e-4", "lr.llm_lr=none", "lr.mm_projector_lr=1e-3", "optim.max_grad_norm=1",
               "seed=9007199254740993", "data.sources.0.data_folder=\"quo\\\"ted\\\\ \u00e9\""});
  const std::string toml = recipe_toml(config);
  const TrainConfig again = parse(toml);
  EXPECT_EQ(recipe_toml(again), toml);
  EXPECT_EQ(again.seed, 9007199254740993u);
  EXPECT_EQ(again.data.sources[0].data_folder, "quo\"ted\\ \u00e9");
  EXPECT_EQ(again.lora->lora_alpha, 3e-4);
  EXPECT_TRUE(changed_keys(config, again).empty());
}

TEST(Recipe, ChangedKeysLeaveHandlingOut) {
  const TrainConfig before = parse(kSmall);
  EXPECT_TRUE(changed_keys(before, parse(kSmall, {"save_steps=5", "output=elsewhere",
                                                  "data.dataloader_num_workers=9"}))
                  .empty());
  EXPECT_EQ(changed_keys(before, parse(kSmall, {"lr.llm_lr=2e-5", "max_steps=7"})),
            (std::vector<std::string>{"lr.llm_lr: 1e-05 -> 2e-05", "max_steps: none -> 7"}));
}

TEST(HostileRecipe, BrokenTextIsOneError) {
  const auto starts = [](const std::string& text) { return error(text).substr(0, 18 + 7); };
  EXPECT_EQ(starts("name = \"\xff\xfe\"\n"), "invalid argument: r.toml:");
  EXPECT_EQ(starts(std::string("name = \"a\0b\"\n", 13)), "invalid argument: r.toml:");
  EXPECT_EQ(starts(std::string("\0\0\0\0", 4)), "invalid argument: r.toml:");
  EXPECT_EQ(starts("name = \"a\"\nname = \"b\"\n"), "invalid argument: r.toml:");
  EXPECT_EQ(starts("name = \n"), "invalid argument: r.toml:");
  EXPECT_EQ(starts("[lr\n"), "invalid argument: r.toml:");
  EXPECT_EQ(starts("name = 'never closed\n"), "invalid argument: r.toml:");
  EXPECT_EQ(starts("name = \"\"\"never closed\n"), "invalid argument: r.toml:");
  EXPECT_EQ(starts("seed = 99999999999999999999999\n"), "invalid argument: r.toml:");
  EXPECT_EQ(starts("\x7f"
                   "ELF\x02\x01\x01"),
            "invalid argument: r.toml:");
  EXPECT_NE(error(""), "");
  EXPECT_NE(error("# nothing\n"), "");
  EXPECT_EQ(error("# ............................................ don't\n" + kSmall), "");
  EXPECT_EQ(error("\xef\xbb\xbf" + kSmall), "");  // a byte order mark
  std::string crlf;
  for (const char c : kSmall) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(error(crlf), "");
}

TEST(HostileRecipe, DepthAndSizeAreBounded) {
  EXPECT_NE(error("x = " + std::string(100'000, '[')), "");
  EXPECT_NE(error("x = " + std::string(50'000, '[') + std::string(50'000, ']')), "");
  std::string inline_tables = "x = ";
  for (int i = 0; i < 50'000; ++i) inline_tables += "{a=";
  EXPECT_NE(error(inline_tables), "");
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) dotted += ".a";
  EXPECT_NE(error(dotted + " = 1\n").find("parts"), std::string::npos);
  EXPECT_NE(error("[" + dotted + "]\n").find("parts"), std::string::npos);
  EXPECT_NE(error("x = [{" + dotted + " = 1}]\n").find("parts"), std::string::npos);
  std::string quoted = "\"=\"";
  for (int i = 0; i < 100'000; ++i) quoted += ".\"#\"";
  EXPECT_NE(error(quoted + " = 1\n").find("parts"), std::string::npos);
  EXPECT_NE(error(kSmall, {dotted + "=1"}), "");
  EXPECT_NE(error(kSmall, {"seed={" + dotted + "=1}"}), "");
  EXPECT_NE(error(std::string(recipe::kMaxRecipeBytes + 1, '#')).find("at most"), std::string::npos);
  EXPECT_NE(error(std::string(500'000, 'k') + " = 1\n").size(), 500'000u);
  EXPECT_LT(error(std::string(500'000, 'k') + " = 1\n").size(), 400u);
}

TEST(HostileRecipe, TruncatedAndFlippedRecipesNeverCrash) {
  const std::string toml = recipe_toml(parse(kSmall, {"lora.r=8", "max_steps=3"}));
  for (size_t i = 0; i < toml.size(); i += 3) {
    (void)error(toml.substr(0, i));
    std::string flipped = toml;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    (void)error(flipped);
  }
}

TEST(ShippedRecipes, AreReadAndHaveThePapersSettings) {
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(VL3_SOURCE_DIR) / "recipes")) {
    if (entry.path().extension() != ".toml" || entry.path().parent_path().filename() == "curate") continue;
    const std::string file = entry.path().string();
    SCOPED_TRACE(file);
    const TrainConfig config = load_recipe(entry.path());
    EXPECT_EQ(recipe_toml(parse_recipe(recipe_toml(config), "again")), recipe_toml(config));
    ++seen;
    if (file.find("/videollama3-") == std::string::npos) continue;
    const std::string family = entry.path().parent_path().filename().string();
    EXPECT_EQ(config.name, fmt::format("{}-stage{}", family, config.stage));
    EXPECT_EQ(entry.path().stem(), fmt::format("stage{}", config.stage));
    EXPECT_EQ(config.model, config.stage > 1 ? fmt::format("{}-stage{}", family, config.stage - 1)
                                             : "models/" + family + "-init");
    const bool first = config.stage == 1;
    EXPECT_EQ(config.lr.llm_lr, first ? std::nullopt : std::optional<double>(1e-5));
    EXPECT_EQ(config.lr.mm_projector_lr, first ? 1e-3 : 1e-5);
    EXPECT_EQ(config.lr.vision_encoder_lr, first ? 1e-5 : 2e-6);
    EXPECT_EQ(config.data.image_merge_size, config.stage == 4 ? 2 : 1);
    EXPECT_EQ(config.data.video_merge_size, 2);
    EXPECT_EQ(config.data.use_token_compression, config.stage >= 3);
    EXPECT_EQ(config.data.mm_max_length, 10240);
    EXPECT_EQ(config.data.model_max_length, 16384);
    EXPECT_EQ(config.data.max_frames, 180);
    EXPECT_EQ(config.global_batch_size, 128);
    EXPECT_EQ(config.optim.weight_decay, 0);
    EXPECT_EQ(config.optim.warmup_ratio, 0.03);
    EXPECT_EQ(config.optim.lr_scheduler_type, "cosine");
    EXPECT_FALSE(config.optim.max_grad_norm.has_value());
    EXPECT_EQ(config.seed, 42u);
  }
  EXPECT_GE(seen, 10);
}

TEST(ResolveModel, FindsFoldersRunsAndSaysWhatIsMissing) {
  const TempDir dir;
  TrainConfig config = parse(kSmall);
  config.output = (dir / "runs/stage2").string();
  dir.write("runs/stage1/config.json", "{}");
  config.model = "stage1";
  EXPECT_EQ(resolve_model(config), dir / "runs/stage1");
  config.model = (dir / "runs/stage1").string();
  EXPECT_EQ(resolve_model(config), dir / "runs/stage1");
  dir.write("runs/unfinished/checkpoint-20/config.json", "{}");
  dir.write("runs/unfinished/checkpoint-100/config.json", "{}");
  config.model = "unfinished";
  EXPECT_NE(error_of([&] { resolve_model(config); }).find("unfinished/checkpoint-100\""), std::string::npos);
  // A finished run that trains on: what lies in its folder is the model it had before.
  dir.write("runs/again/config.json", "{}");
  dir.write("runs/again/recipe.toml", "");
  config.model = "again";
  EXPECT_NE(error_of([&] { resolve_model(config); }).find("has not ended; finish it first"),
            std::string::npos);
  dir.write("runs/again/checkpoint-7/config.json", "{}");
  dir.write("runs/again/checkpoint-7/recipe.toml", "");
  dir.write("runs/again/checkpoint-7/trainer_state.json", "{}");
  EXPECT_NE(error_of([&] { resolve_model(config); }).find("again/checkpoint-7\""), std::string::npos);
  dir.write("runs/again/finished.json", "{}");
  EXPECT_EQ(resolve_model(config), dir / "runs/again");
  config.model = (dir / "runs/again/checkpoint-7").string();
  EXPECT_EQ(resolve_model(config), dir / "runs/again/checkpoint-7");
  dir.write("runs/empty/x", "");
  config.model = "empty";
  EXPECT_NE(error_of([&] { resolve_model(config); }).find("no config.json"), std::string::npos);
  config.model = "nowhere";
  EXPECT_NE(error_of([&] { resolve_model(config); }).find("no run " + (dir / "runs/nowhere").string()),
            std::string::npos);
  config.model = "some/name";
  EXPECT_NE(error_of([&] { resolve_model(config); }).find("vl3 pull some/name"), std::string::npos);
  EXPECT_NE(error_of([&] { resolve_model(config); }).find("`vl3 convert` makes one"), std::string::npos);
}

TEST(Recipe, NamesOfFoldersArePlainText) {
  for (const std::string key : {"name", "output"}) {
    const std::string rest = key == "name" ? kSmall.substr(kSmall.find('\n') + 1) : kSmall;
    for (const char* text : {"a\\nb", "a\\u0000b", "a\\u009Bb"}) {
      const std::string toml = fmt::format("{} = \"{}\"\n{}", key, text, rest);
      EXPECT_NE(error(toml).find("control characters"), std::string::npos) << error(toml);
    }
    EXPECT_NE(error(kSmall, {key + "=\xff\xfe"}).find("bytes that are no UTF-8"), std::string::npos);
    EXPECT_EQ(error(kSmall, {key + "=Größe"}), "");
  }
}

TEST(RecipeOutput, AModelIsNotOverwritten) {
  const TempDir dir;
  TrainConfig config = parse(kSmall);
  dir.write("model/config.json", "{}");
  dir.write("other/config.json", "{}");
  dir.write("runs/one/config.json", "{}");
  dir.write("runs/one/recipe.toml", "");
  const auto error = [&](const std::string& model, const std::string& output) {
    config.model = model;
    config.output = (dir / output).string();
    return error_of([&] { check_output(config); });
  };
  const std::string model = (dir / "model").string();
  EXPECT_EQ(error(model, "runs/new"), "");
  EXPECT_EQ(error(model, "runs/one"), "") << "a run of its own";
  EXPECT_NE(error(model, "model").find("is the folder of the model"), std::string::npos);
  EXPECT_NE(error(model, "runs/../model").find("is the folder of the model"), std::string::npos);
  EXPECT_NE(error("one", "runs/one").find("is the folder of the model"), std::string::npos);
  EXPECT_NE(error(model, "other").find("holds a model that no run has made"), std::string::npos);
}

}  // namespace
}  // namespace vl3::train
