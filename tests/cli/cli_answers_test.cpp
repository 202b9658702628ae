// What the program gives when all is well: answers on stdout and nothing else there, exit status 0.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "cli/hostile_world.h"
#include "cli/run_vl3.h"
#include "support/golden_tensors.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;
using W = HostileWorld;
using Words = HostileWorld::Words;

struct Asked {
  const char* name;
  std::vector<std::string> kinds;  ///< of the media in the receipt, in the order they were given
  Words (*make)(W&);
};

std::string base64(const std::string& bytes) {
  const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : digits[group >> (18 - 6 * k) & 63];
  }
  return text;
}

const std::vector<Asked> kAsked{
    {"Text", {}, [](W&) { return Words{"hi"}; }},
    {"Image",
     {"image"},
     [](W&) {
       return Words{W::data("picture.png"), "hi"};
     }},
    {"Video",
     {"video"},
     [](W&) {
       return Words{W::data("clip.mp4"), "hi"};
     }},
    {"ImageThenVideo",
     {"image", "video"},
     [](W&) {
       return Words{W::data("picture.jpg"), W::data("clip.mp4"), "hi"};
     }},
    {"VideoImageVideo",
     {"video", "image", "video"},
     [](W&) {
       return Words{"--video", W::data("clip.mp4"), W::data("picture.webp"),
                    "--video", W::data("clip.mp4"), "hi"};
     }},
    {"ImageFromStdin",
     {"image"},
     [](W& w) {
       w.stdin_bytes = W::bytes_of(W::data("picture.tiff"));
       return Words{"-", "hi"};
     }},
    {"VideoFromStdin",
     {"video"},
     [](W& w) {
       w.stdin_bytes = W::bytes_of(W::data("clip.mp4"));
       return Words{"--video", "-", "hi"};
     }},
    {"Messages",
     {"image"},
     [](W& w) {
       const Json messages = {
           {{"role", "system"}, {"content", "Be brief."}},
           {{"role", "user"},
            {"content",
             {{{"type", "image"}, {"image", "picture.png"}}, {{"type", "text"}, {"text", "hi"}}}}}};
       return Words{"--messages", w.file("m.json", messages.dump()), "--media-root", W::data("")};
     }},
    {"FrameFolder",
     {"video"},
     [](W& w) {
       for (const char* name : {"f/1.png", "f/2.png", "f/3.png"})
         w.file(name, W::bytes_of(W::data("picture.png")));
       return Words{w.out("f"), "hi"};
     }},
    {"DataUrl",
     {"image"},
     [](W&) {
       return Words{"data:image/png;base64," + base64(W::bytes_of(W::data("picture.png"))), "hi"};
     }},
    {"FileUrl",
     {"image"},
     [](W&) {
       return Words{"file://" + W::data("picture.gif"), "hi"};
     }},
    {"WrongExtension",
     {"image"},
     [](W& w) {
       return Words{w.file("clip.mp4", W::bytes_of(W::data("picture.png"))), "hi"};
     }},
};

TEST(CliTrain, PlansWithoutRunning) {
  W world;
  try {
    const std::string recipe =
        world.file("r.toml", "model = \"" + W::model() +
                                 "\"\n[lr]\nmm_projector_lr = 1e-3\n[[data.sources]]\ndata_path = \"" +
                                 world.file("data.jsonl", "{}\n{}\n{}\n") + "\"\nweight = 2\n");
    const RunResult json =
        run_vl3({"train", recipe, "--plan", "--json", "--flops", "1e12", "--set", "global_batch_size=2"});
    EXPECT_EQ(json.status, 0) << json.err;
    const Json plan = Json::parse(json.out);
    EXPECT_EQ(plan.at("name"), "r");
    EXPECT_EQ(plan.at("samples"), 6);
    EXPECT_EQ(plan.at("steps"), 3);
    EXPECT_GT(plan.at("step_seconds"), 0);
    EXPECT_EQ(plan.at("parts").at(1).at("trained"), true);
    EXPECT_EQ(plan.at("parts").at(2).at("trained"), false);
    const RunResult text = run_vl3({"train", recipe, "--plan"});  // speed measured
    EXPECT_EQ(text.status, 0) << text.err;
    EXPECT_NE(text.out.find("FLOP/s"), std::string::npos) << text.out;
    EXPECT_FALSE(fs::exists("runs/r"));
  } catch (const Skipped& skipped) {
    GTEST_SKIP() << skipped.why;
  }
}

// What stderr says of an answer that was cut where the command line said so.
std::string cut_note(const Json& answer, int max_tokens) {
  if (answer.at("finish_reason") != "length") return "";
  return fmt::format("vl3: the answer was cut at --max-tokens {}; raise it\n", max_tokens);
}

class CliAnswers : public testing::TestWithParam<Asked> {};

TEST_P(CliAnswers, InJsonOnStdout) {
  W world;
  Words words;
  try {
    words = W::with_model("ask", {"--temperature", "0", "--max-tokens", "4", "--json"});
  } catch (const Skipped& skipped) {
    GTEST_SKIP() << skipped.why;
  }
  for (const std::string& word : GetParam().make(world)) words.push_back(word);
  const RunResult run = run_vl3(words, {.stdin_bytes = world.stdin_bytes, .environment = world.environment});
  SCOPED_TRACE(command_text(words));
  ASSERT_EQ(run.status, 0) << run.err;
  const Json answer = parse_json(run.out, "stdout");
  EXPECT_EQ(run.err, cut_note(answer, 4));
  EXPECT_TRUE(answer.at("answer").is_string());
  EXPECT_TRUE(answer.at("token_ids").size() >= 1 && answer.at("token_ids").size() <= 4);
  EXPECT_TRUE(answer.at("finish_reason") == "stop" || answer.at("finish_reason") == "length");
  std::vector<std::string> kinds;
  for (const Json& medium : answer.at("receipt").at("media")) kinds.push_back(medium.at("kind"));
  EXPECT_EQ(kinds, GetParam().kinds);
}

INSTANTIATE_TEST_SUITE_P(Media, CliAnswers, testing::ValuesIn(kAsked),
                         [](const auto& test) { return std::string(test.param.name); });

// Skips the test where the golden set has no checkpoint for it.
class CliRuns : public testing::Test {
 protected:
  void SetUp() override {
    try {
      W::model();
    } catch (const Skipped& skipped) {
      GTEST_SKIP() << skipped.why;
    }
  }
};

TEST_F(CliRuns, TheAnswerAloneIsOnStdout) {
  const Words flags{"--json", W::data("picture.png"), "hi"};
  const RunResult json = run_vl3(W::ask(flags));
  const RunResult plain = run_vl3(W::ask({flags.begin() + 1, flags.end()}));
  const RunResult receipt = run_vl3(W::ask({"--receipt", flags[1], flags[2]}));
  EXPECT_EQ(plain.status, 0);
  EXPECT_EQ(plain.err, cut_note(parse_json(json.out, "stdout"), 2));
  EXPECT_EQ(plain.out, parse_json(json.out, "stdout").at("answer").get<std::string>() + "\n");
  EXPECT_EQ(receipt.out, plain.out);
  EXPECT_NE(receipt.err.find("tokens: "), std::string::npos) << receipt.err;
}

TEST_F(CliRuns, FlagsOfVideosWithoutOneAreNoted) {
  const std::string note = "vl3: note: there is no video, --fps, --prune-to changed nothing\n";
  const Words flags{"--prune-to", "4000", "--fps", "2"};
  const auto err = [&](const char* command, const char* medium) {
    Words words{W::data(medium)};
    if (std::string(command) == "ask") words.insert(words.end(), {"hi", "--max-tokens", "2"});
    words.insert(words.end(), flags.begin(), flags.end());
    const RunResult run = run_vl3(W::with_model(command, words));
    EXPECT_EQ(run.status, 0) << run.err;
    return run.err;
  };
  for (const char* command : {"ask", "plan"}) {
    EXPECT_NE(err(command, "picture.png").find(note), std::string::npos);
    EXPECT_EQ(err(command, "clip.mp4").find("changed nothing"), std::string::npos);
  }
}

TEST_F(CliRuns, PlanSaysByItsStatusWhetherItFits) {
  const Words words{W::data("clip.mp4"), "--json", "--max-ram"};
  const auto plan = [&](const std::string& size) {
    Words all = words;
    all.push_back(size);
    return run_vl3(W::with_model("plan", all));
  };
  const RunResult fits = plan("100GiB"), too_small = plan("1MiB");
  EXPECT_EQ(fits.status, 0) << fits.err;
  EXPECT_EQ(fits.err, "");
  EXPECT_EQ(parse_json(fits.out, "plan").at("fits"), true);
  EXPECT_EQ(too_small.status, 1);
  EXPECT_EQ(parse_json(too_small.out, "plan").at("fits"), false);
  EXPECT_EQ(lines_of(too_small.err).size(), 1u) << too_small.err;
  EXPECT_NE(too_small.err.find("--max-ram allows 1 MiB"), std::string::npos) << too_small.err;
}

TEST_F(CliRuns, AStdoutThatTakesNothingIsAFailure) {
  const std::vector<Words> commands{W::ask({"hi"}),
                                    W::ask({"hi", "--json"}),
                                    W::with_model("plan", {W::data("picture.png")}),
                                    W::with_model("inspect", {W::data("picture.png")}),
                                    {"--help"},
                                    {"ask", "--help"},
                                    {"--version"}};
  for (const Words& words : commands) {
    for (const char* out : {"/dev/full", "closed", "pipe"}) {
      SCOPED_TRACE(command_text(words) + " to " + out);
      const RunResult run = run_vl3(words, {.stdout_to = out});
      EXPECT_EQ(run.status, 1);
      const std::vector<std::string> lines = lines_of(run.err);
      ASSERT_EQ(lines.size(), 1u) << run.err;
      EXPECT_TRUE(lines[0].starts_with("vl3: stdout: cannot be written: ")) << run.err;
    }
  }
}

TEST_F(CliRuns, AnAnswerCutInsideItsConstraintIsAFailure) {
  const RunResult run = run_vl3(
      W::with_model("ask", {"--temperature", "0", "--max-tokens", "3", "--regex", "[0-9]{40}", "hi"}));
  EXPECT_EQ(run.status, 1);
  EXPECT_FALSE(run.out.empty());
  EXPECT_NE(run.err.find("does not satisfy its constraint: it was cut at --max-tokens 3; raise it"),
            std::string::npos)
      << run.err;
  const RunResult whole =
      run_vl3(W::with_model("ask", {"--temperature", "0", "--max-tokens", "9", "--regex", "[0-9]", "hi"}));
  EXPECT_EQ(whole.status, 0) << whole.err;
}

TEST_F(CliRuns, AnAnswerCutByTheDefaultLimitIsAFailure) {
  const RunResult run =
      run_vl3(W::with_model("ask", {"--temperature", "0", "--json", "hi"}), {.timeout_s = 120});
  const bool cut = parse_json(run.out, "stdout").at("finish_reason") == "length";
  EXPECT_EQ(run.status, cut ? 1 : 0) << run.err;
}

TEST_F(CliRuns, CtrlCEndsTheReadingOfStdin) {
  const auto start = std::chrono::steady_clock::now();
  const RunResult run = run_vl3(W::ask({"-", "hi"}), {.stdin_waits = true, .interrupt_when = [start] {
                                                        return std::chrono::steady_clock::now() - start >
                                                               std::chrono::seconds(2);
                                                      }});
  EXPECT_FALSE(run.timed_out);
  EXPECT_TRUE(run.signal == SIGINT || run.status == 1 || run.status == 130) << run.status;
}

TEST_F(CliRuns, CtrlCLeavesNothingOfAConversion) {
  const W world;
  const std::string source =
      world.bent_config([](Json& config) { config["text_config"]["num_hidden_layers"] = 900; });
  const auto staged = [&] {
    for (const auto& entry : fs::directory_iterator(world.dir.path())) {
      if (entry.path().filename().string().starts_with("out.tmp-") && !fs::is_empty(entry.path()))
        return true;
    }
    return false;
  };
  const RunResult run = run_vl3({"convert", "--random", source, world.out()}, {.interrupt_when = staged});
  EXPECT_EQ(run.status, 130) << run.err;
  EXPECT_NE(run.err.find("cancelled: stopped; nothing was written"), std::string::npos) << run.err;
  EXPECT_FALSE(staged());
  EXPECT_FALSE(fs::exists(world.out()));
}

TEST_F(CliRuns, ChatSavesAllItLoaded) {
  const W world;
  const Json messages = {
      {{"role", "system"}, {"content", "Be brief."}},
      {{"role", "user"},
       {"content",
        {{{"type", "video"}, {"video", {"a.png", "b.png"}}, {"timestamps", {0.5, 2.0}}, {"source", "c.mp4"}},
         {{"type", "video"},
          {"video", "c.mp4"},
          {"fps", 2.0},
          {"max_frames", 7},
          {"start", 1.0},
          {"end", 9.0}},
         {{"type", "image"}, {"image", "a.png"}, {"timestamp", 3.0}},
         {{"type", "text"}, {"text", "hi"}}}}},
      {{"role", "assistant"}, {"content", "ho"}}};
  const std::string in = world.file("in.json", messages.dump());
  const RunResult run = run_vl3(W::with_model("chat", {}), {.stdin_bytes = "/load " + in + "\n/save \"" +
                                                                           world.out("o u t.json") + "\"\n"});
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(read_json_file(world.out("o u t.json")), messages);
}

TEST_F(CliRuns, ChatTellsAWindowFromAName) {
  const W world;
  const std::string bytes = W::bytes_of(W::data("clip.mp4"));
  for (const char* name : {"my clip-1.mp4", "holiday 2024-05.mp4", "x 1-2"}) world.file(name, bytes);
  std::string lines;
  for (const char* name : {"my clip-1.mp4", "holiday 2024-05.mp4", "x 1-2", "my clip-1.mp4 0-1"})
    lines += "/video " + world.out(name) + "\n";
  lines += "/video \"" + world.out("x 1-2") + "\" 0:00-0:01\n/show\n";
  const RunResult run = run_vl3(W::with_model("chat", {}), {.stdin_bytes = lines});
  EXPECT_EQ(run.err, "");
  EXPECT_NE(run.out.find("media waiting 5\n"), std::string::npos) << run.out;
}

TEST_F(CliRuns, ChatRefusesSettingsThatAreNone) {
  const RunResult run =
      run_vl3(W::with_model("chat", {}),
              {.stdin_bytes = "/set top_k 2.7\n/set seed -3\n/set max_tokens 1.5\n/show\n"});
  const std::vector<std::string> lines = lines_of(run.err);
  ASSERT_EQ(lines.size(), 3u) << run.err;
  EXPECT_NE(lines[0].find("/set top_k 2.7: expected a whole number"), std::string::npos);
  EXPECT_NE(lines[1].find("/set seed -3: expected 0 or more"), std::string::npos);
  EXPECT_NE(run.out.find("min_p (checkpoint's)"), std::string::npos) << run.out;
}

// A name or text that is no UTF-8 used to end the whole chat at /save.
TEST_F(CliRuns, ChatOutlivesBytesThatAreNoUtf8) {
  const W world;
  const std::string picture = world.file("\xff.png", W::bytes_of(W::data("picture.png")));
  const RunResult run = run_vl3(W::with_model("chat", {"--temperature", "0", "--max-tokens", "2"}),
                                {.stdin_bytes = "/system caf\xe9\ncaf\xe9\n/image " + picture +
                                                "\nhi\n/save " + world.out("c.json") + "\n/show\n"});
  const std::vector<std::string> lines = lines_of(run.err);
  ASSERT_GE(lines.size(), 3u) << run.err;
  EXPECT_NE(run.err.find("/system: byte 3 is not UTF-8"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("the question: byte 3 is not UTF-8"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("/save: a file's name: byte "), std::string::npos) << run.err;
  EXPECT_FALSE(std::filesystem::exists(world.out("c.json")));
  EXPECT_NE(run.out.find("messages 2\n"), std::string::npos) << run.out;  // /show still ran
  EXPECT_EQ(run.status, 1);
}

TEST_F(CliRuns, ChatSaysWhatASavedConversationLacks) {
  const W world;
  const RunResult run = run_vl3(W::with_model("chat", {"--max-frames", "3"}),
                                {.stdin_bytes = "/system\r\n/video " + W::data("clip.mp4") + "\r\n/save " +
                                                world.out("c.json") + "\r\n"});
  EXPECT_NE(run.err.find("media that wait for a question are not saved"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("that there is no system prompt is not saved"), std::string::npos) << run.err;
  EXPECT_EQ(run.status, 0);
}

// Or `ask --messages` would see other frames than the chat.
TEST_F(CliRuns, ChatSavesTheSamplingThatWasSet) {
  const W world;
  const Json messages = {
      {{"role", "user"},
       {"content", {{{"type", "video"}, {"video", "c.mp4"}}, {{"type", "text"}, {"text", "hi"}}}}}};
  const std::string in = world.file("in.json", messages.dump());
  run_vl3(W::with_model("chat", {"--max-frames", "3"}),
          {.stdin_bytes = "/load " + in + "\n/set fps 2\n/save " + world.out("c.json") + "\n"});
  const Json video = read_json_file(world.out("c.json"))[0]["content"][0];
  EXPECT_EQ(video["fps"], 2.0);
  EXPECT_EQ(video["max_frames"], 3);
}

TEST_F(CliRuns, ChatLoadsNoMediaIntoTheSystemPrompt) {
  const W world;
  const std::string in =
      world.file("in.json", R"([{"role": "system", "content": [{"type": "image", "image": "a.png"}]}])");
  const RunResult run = run_vl3(W::with_model("chat", {}), {.stdin_bytes = "/load " + in + "\n"});
  EXPECT_NE(run.err.find("media in the system message"), std::string::npos) << run.err;
  EXPECT_EQ(run.status, 1);
}

TEST_F(CliRuns, StdinIsReadOnceUnderAMemoryLimit) {
  const RunResult run = run_vl3(W::ask({"-", "hi", "--max-ram", "64GiB"}),
                                {.stdin_bytes = W::bytes_of(W::data("picture.png"))});
  EXPECT_EQ(run.status, 0) << run.err;
}

// A script that pipes questions in could not see that one of them had no answer.
TEST_F(CliRuns, ChatGoesOnAfterAMistakeAndFailsAtItsEnd) {
  const RunResult run = run_vl3(W::with_model("chat", {"--temperature", "0", "--max-tokens", "2"}),
                                {.stdin_bytes = "/image no-such.png\n/dance\n/set fps nan\nhi\n/bye\n"});
  EXPECT_EQ(run.status, 1);
  EXPECT_EQ(run.signal, 0);
  EXPECT_FALSE(run.out.empty());
  const std::vector<std::string> lines = lines_of(run.err);
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const std::string& line) { return line.starts_with("vl3: "); }),
            3)
      << run.err;
}

TEST_F(CliRuns, ChatSucceedsOnlyWithWholeAnswers) {
  const W world;
  const std::string broken =
      world.file("m.json", R"([{"role": "user", "content": [{"type": "image", "image": "/no/such.png"}]}])");
  const auto status = [](const Words& flags, const std::string& lines) {
    Words words = W::with_model("chat", {"--temperature", "0"});
    words.insert(words.end(), flags.begin(), flags.end());
    return run_vl3(words, {.stdin_bytes = lines}).status;
  };
  EXPECT_EQ(status({"--max-tokens", "2"}, "hi\nhi\n"), 0);  // cut where it was asked for
  EXPECT_EQ(status({}, "/set max_tokens 2\nhi\n"), 0);
  EXPECT_EQ(status({"--max-tokens", "3", "--regex", "[0-9]{40}"}, "hi\n"), 1);
  EXPECT_EQ(status({"--max-tokens", "2"}, "/load " + broken + "\nhi\n/clear\nhi\n/bye\n"), 1);
}

TEST_F(CliRuns, ChatSaysWhatCutAnAnswer) {
  const W world;
  const std::string small =
      world.bent_config([](Json& config) { config["text_config"]["max_position_embeddings"] = 32; });
  const auto said = [&](const std::string& model, const std::string& max_tokens) {
    return run_vl3(
               {"chat", "--model", model, "--temperature", "0", "--ignore-eos", "--max-tokens", max_tokens},
               {.stdin_bytes = "hi\n"})
        .err;
  };
  EXPECT_EQ(said(small, "200"), "(cut at the end of the model's context; /clear begins anew)\n");
  EXPECT_EQ(said(small, "2"), "(cut at 2 tokens; /set max_tokens raises it)\n");
}

// The official flow has a system prompt of its own, which used to come back.
TEST_F(CliRuns, ChatTakesAnEmptySystemPromptAtItsWord) {
  const auto shown = [](const std::string& lines) {
    return run_vl3(W::with_model("chat", {"--flow", "remote", "--temperature", "0", "--max-tokens", "2"}),
                   {.stdin_bytes = lines + "hi\n/show\n"})
        .out;
  };
  const auto tokens = [](const std::string& out) { return std::stoi(out.substr(out.rfind("tokens ") + 7)); };
  const std::string habit = shown(""), none = shown("/system be brief\n/system\n");
  EXPECT_NE(habit.find("system (checkpoint's)\n"), std::string::npos) << habit;
  EXPECT_NE(none.find("system (none)\n"), std::string::npos) << none;
  EXPECT_LT(tokens(none) + 20, tokens(habit));
}

// However often it is opened: for the estimate, for each step of --fit, for the search of a threshold.
TEST_F(CliRuns, ADamagedVideoIsToldOnce) {
  const W world;
  const std::string clip = world.cut("clip.mp4", 0.9);
  const auto told = [](const std::string& text, const std::string& part) {
    size_t count = 0;
    for (const std::string& line : lines_of(text)) count += line.find(part) != std::string::npos ? 1 : 0;
    return count;
  };
  const std::string index = "broken or cut off after 2 frames", read = "1 of 2 chosen frames could be read";
  const RunResult run =
      run_vl3(W::ask({clip, "hi", "--max-ram", "64GiB", "--fit", "--prune-to", "1000", "--json"}));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(told(run.err, index), 1u) << run.err;
  EXPECT_EQ(told(run.err, read), 1u) << run.err;
  EXPECT_EQ(told(run.out, index), 1u) << run.out;
  const RunResult plan = run_vl3(W::with_model("plan", {clip, "--max-ram", "64GiB", "--fit", "--json"}));
  EXPECT_EQ(told(plan.err, index), 1u) << plan.err;
  EXPECT_EQ(told(plan.out, index), 1u) << plan.out;
}

TEST_F(CliRuns, AModelOfTheHubIsNamedWithItsRevision) {
  W world;
  const std::string commit(40, 'c'), repo = "hub/models--org--name/";
  world.file(repo + "refs/v1", commit);
  fs::create_directories(world.out(repo + "snapshots"));
  fs::create_directory_symlink(fs::absolute(W::model()), world.out(repo + "snapshots/" + commit));
  world.environment["HF_HUB_CACHE"] = world.out("hub");
  for (const std::string& model : {std::string("org/name@v1"), "org/name@" + commit}) {
    const RunResult run = run_vl3(W::ask({"hi"}, model), {.environment = world.environment});
    EXPECT_EQ(run.status, 0) << model << ": " << run.err;
  }
  const RunResult plain = run_vl3(W::ask({"hi"}, "org/name"), {.environment = world.environment});
  EXPECT_EQ(plain.status, 1);
  EXPECT_NE(plain.err.find("take org/name@v1 (there are: v1), or get it with: vl3 pull org/name"),
            std::string::npos)
      << plain.err;
}

// The media files that a case's conversation names, wherever in it.
void collect_media(const Json& json, std::vector<std::string>& names) {
  if (json.is_string() && json.get_ref<const std::string&>().starts_with("media/")) names.push_back(json);
  if (json.is_structured()) {
    for (const Json& item : json) collect_media(item, names);
  }
}

TEST(CliTrace, WritesTheGoldenTensors) {
  for (const GoldenCase& one : golden_cases()) {
    std::vector<std::string> media;
    collect_media(one.json.at("conversation"), media);
    const bool whole = std::all_of(media.begin(), media.end(),
                                   [](const std::string& name) { return fs::exists(golden_dir() / name); });
    if (media.empty() || !whole || !fs::exists(one.model_dir / "config.json")) continue;
    const TempDir dir;
    const RunResult run =
        run_vl3({"trace", "--model", one.model_dir.string(), "--case",
                 (golden_dir() / (one.name + ".json")).string(), "--media-root", golden_dir().string(),
                 "--greedy-tokens", "2", "--dtype", "float32", "--out", (dir / "t.safetensors").string()});
    ASSERT_EQ(run.status, 0) << one.name << ": " << run.err;
    EXPECT_EQ(run.out, "");
    EXPECT_EQ(run.err, "");
    EXPECT_TRUE(read_json_file(dir / "t.json").contains("prompt"));
    const GoldenTensors golden(one.tensors), traced(dir / "t.safetensors");
    for (const auto& [name, tensor] : golden.all()) {
      ASSERT_TRUE(traced.has(name)) << one.name << ": " << name;
      EXPECT_EQ(traced.at(name).shape, tensor.shape) << one.name << ": " << name;
    }
    return;  // every case is compared in value elsewhere
  }
  GTEST_SKIP() << "the golden set has no case with all its media";
}

// A bare list, as `ask --messages` and `chat /save` have it, and the same prompt as ask.
TEST_F(CliRuns, TraceTakesTheMessagesThatAskTakes) {
  W world;
  const std::string path = world.file("m.json", R"([{"role": "user", "content": "hi"}])");
  const RunResult traced = run_vl3(W::with_model(
      "trace", {"--messages", path, "--out", world.out("t.safetensors"), "--greedy-tokens", "1"}));
  ASSERT_EQ(traced.status, 0) << traced.err;
  const RunResult asked =
      run_vl3(W::with_model("ask", {"--messages", path, "--max-tokens", "1", "--ignore-eos", "--json"}));
  ASSERT_EQ(asked.status, 0) << asked.err;
  const Json trace = read_json_file(world.out("t.json")),
             receipt = parse_json(asked.out, "stdout").at("receipt");
  EXPECT_EQ(trace.at("n_llm_input_ids"), receipt.at("prompt_tokens")) << receipt.dump();
}

}  // namespace
}  // namespace vl3::test
