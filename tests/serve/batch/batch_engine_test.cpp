// The batching engine on the small model that is shipped: what a request gets does not depend on its company.
#include "serve/batch/batch_engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "support/temp_dir.h"

namespace vl3::serve {
namespace {

const std::string kModel = std::string(VL3_SOURCE_DIR) + "/tests/data/seeded_tiny";
const std::string kImage = std::string(VL3_SOURCE_DIR) + "/examples/media/shapes.png";
const std::string kVideo = std::string(VL3_SOURCE_DIR) + "/examples/media/moving.mp4";

std::shared_ptr<const engine::Runtime> runtime() {
  static const auto loaded =
      engine::Runtime::load({.model = kModel, .dtype = "float32", .device = "cpu", .flow = {}});
  return loaded;
}

struct Result {
  std::vector<std::vector<int64_t>> ids;
  std::vector<std::vector<float>> logprobs;
  std::vector<std::string> texts, reasons;
  JobResult job;
};

class Client {
 public:
  explicit Client(BatchEngine& engine) : engine_(engine) {}

  std::future<Result> submit(Job job, const std::function<void(const Delta&)>& on_delta = nullptr) {
    struct State {
      Result result;
      std::promise<Result> promise;
    };
    auto state = std::make_shared<State>();
    const auto n = static_cast<size_t>(job.n);
    state->result.ids.resize(n);
    state->result.logprobs.resize(n);
    state->result.texts.resize(n);
    state->result.reasons.resize(n);
    JobEvents events;
    events.prefilled = [](int64_t) {};
    events.progress = [](const std::string&, int64_t, int64_t, int64_t) {};
    events.delta = [state, on_delta](const Delta& delta) {
      const auto i = static_cast<size_t>(delta.choice);
      for (const TokenEvent& token : delta.tokens) {
        state->result.ids[i].push_back(token.id);
        state->result.logprobs[i].push_back(token.logprob);
      }
      state->result.texts[i] += delta.text;
      state->result.reasons[i] = delta.finish_reason;
      if (on_delta) on_delta(delta);
    };
    events.finished = [state](JobResult job_result) {
      state->result.job = std::move(job_result);
      state->promise.set_value(std::move(state->result));
    };
    static std::atomic<int> number{0};
    if (job.id.empty()) job.id = "job-" + std::to_string(number++);
    auto future = state->promise.get_future();
    engine_.submit(std::make_shared<Job>(std::move(job)), std::move(events));
    return future;
  }
  Result run(Job job) { return submit(std::move(job)).get(); }

 private:
  BatchEngine& engine_;
};

Job ask(std::vector<ContentPart> parts, int64_t max_tokens = 24) {
  Job job;
  job.conversation = {user_message(std::move(parts))};
  job.options.generation.max_tokens = max_tokens;
  job.options.generation.temperature = 0;
  job.options.generation.ignore_eos = true;
  job.top_logprobs = 0;
  return job;
}

std::string long_text(int words) {
  std::string text;
  for (int i = 0; i < words; ++i) text += "word" + std::to_string(i % 17) + " ";
  return text;
}

std::vector<Job> mixed_jobs() {
  std::vector<Job> jobs;
  jobs.push_back(ask({text_part("What is it?")}));
  jobs.push_back(ask({text_part(long_text(120))}));
  jobs.push_back(ask({image_part(kImage), text_part("What does this picture show?")}));
  jobs.push_back(ask({video_part(kVideo), text_part("What happens?")}));
  jobs.push_back(
      ask({text_part("Tell a story."), image_part(kImage), text_part("And?"), video_part(kVideo)}));
  jobs.push_back(ask({text_part(long_text(40))}, 60));
  return jobs;
}

void expect_same(const Result& a, const Result& b, const std::string& what) {
  ASSERT_FALSE(a.job.error) << a.job.error->what();
  ASSERT_FALSE(b.job.error) << b.job.error->what();
  EXPECT_EQ(a.ids, b.ids) << what;
  EXPECT_EQ(a.logprobs, b.logprobs) << what;  // bit by bit
  EXPECT_EQ(a.texts, b.texts) << what;
}

// The last answer is told before the figures are written.
void expect_empty(const BatchEngine& engine) {
  for (int i = 0; i < 400 && engine.stats().pages_used > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(engine.stats().pages_used, 0);
  EXPECT_EQ(engine.stats().running, 0);
}

std::vector<Result> alone(const BatchOptions& options = {}) {
  std::vector<Result> results;
  for (Job& job : mixed_jobs()) {
    BatchEngine engine(runtime(), options);
    results.push_back(Client(engine).run(std::move(job)));
  }
  return results;
}

TEST(BatchEngine, SameAnswerWhateverElseIsInTheBatch) {
  const std::vector<Result> expected = alone();
  BatchEngine engine(runtime(), {});
  Client client(engine);
  std::vector<std::future<Result>> futures;
  for (int round = 0; round < 3; ++round) {
    for (Job& job : mixed_jobs()) futures.push_back(client.submit(std::move(job)));
  }
  for (size_t i = 0; i < futures.size(); ++i)
    expect_same(futures[i].get(), expected[i % expected.size()], "job " + std::to_string(i));
  expect_empty(engine);
}

TEST(BatchEngine, SameAnswerHoweverPromptsAreCut) {
  const std::vector<Result> expected = alone();
  BatchOptions small;
  small.step_rows = 64;
  const std::vector<Result> pieces = alone(small);
  for (size_t i = 0; i < expected.size(); ++i)
    expect_same(pieces[i], expected[i], "job " + std::to_string(i));
}

TEST(BatchEngine, AnswersLikeAsk) {
  Engine engine = Engine::load({.model = kModel, .dtype = "float32"});
  BatchEngine batch(runtime(), {});
  for (Job& job : mixed_jobs()) {
    const Answer answer = engine.ask(job.conversation, job.options);
    const Result result = Client(batch).run(std::move(job));
    ASSERT_FALSE(result.job.error);
    EXPECT_EQ(result.ids.front(), answer.token_ids);
    EXPECT_EQ(result.job.receipt.prompt_tokens, answer.receipt.prompt_tokens);
    EXPECT_EQ(result.job.receipt.visual_tokens_kept, answer.receipt.visual_tokens_kept);
  }
}

TEST(BatchEngine, SetsBackInsteadOfFailingAndAnswersTheSame) {
  const std::vector<Result> expected = alone();
  BatchOptions options;
  options.kv_bytes =
      14 * static_cast<uint64_t>(lm::PagedDecoder::page_bytes(runtime()->config.text, at::kFloat, 64));
  BatchEngine engine(runtime(), options);
  Client client(engine);
  std::vector<std::future<Result>> futures;
  for (int round = 0; round < 2; ++round) {
    for (Job& job : mixed_jobs()) futures.push_back(client.submit(std::move(job)));
  }
  for (size_t i = 0; i < futures.size(); ++i) {
    const Result result = futures[i].get();
    if (result.job.error) {  // what would not fit an empty cache is told so
      EXPECT_EQ(result.job.error->code(), ErrorCode::kResourceExhausted);
      continue;
    }
    expect_same(result, expected[i % expected.size()], "job " + std::to_string(i));
  }
  EXPECT_GT(engine.stats().preemptions, 0u);
  expect_empty(engine);
}

TEST(BatchEngine, RemembersPrefixesAndMedia) {
  BatchEngine engine(runtime(), {});
  Client client(engine);
  const Result first = client.run(ask({video_part(kVideo), text_part(long_text(60) + "first?")}));
  const Result again = client.run(ask({video_part(kVideo), text_part(long_text(60) + "first?")}));
  expect_same(again, first, "the same question");
  EXPECT_EQ(first.job.receipt.cached_tokens, 0);
  EXPECT_GT(again.job.receipt.cached_tokens, first.job.receipt.prompt_tokens - 2 * 64);
  EXPECT_LT(again.job.receipt.cached_tokens, again.job.receipt.prompt_tokens);
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.media_hits, 1u);
  EXPECT_EQ(stats.frames_encoded, 4u);
}

// Matching ended where the first piece of a prompt did, after two steps' rows.
TEST(BatchEngine, RemembersPrefixesLongerThanTheRowsOfAStep) {
  BatchOptions options;
  options.step_rows = 64;
  BatchEngine engine(runtime(), options);
  Client client(engine);
  const std::vector<ContentPart> beginning = {text_part(long_text(60)), video_part(kVideo),
                                              text_part(long_text(120))};
  const auto with = [&](const std::string& question) {
    std::vector<ContentPart> parts = beginning;
    parts.push_back(text_part(question));
    return ask(parts);
  };
  const Result first = client.run(with("first?"));
  ASSERT_GT(first.job.receipt.prompt_tokens, 6 * options.step_rows);
  const Result second = client.run(with("and second?"));
  EXPECT_GT(second.job.receipt.cached_tokens, first.job.receipt.prompt_tokens - 3 * options.page_rows);
  BatchEngine empty(runtime(), options);
  expect_same(second, Client(empty).run(with("and second?")), "with and without a cached prefix");
}

TEST(BatchEngine, PrefixesAreNotSharedAcrossSalts) {
  BatchEngine engine(runtime(), {});
  Client client(engine);
  Job job = ask({text_part(long_text(200))});
  job.cache_salt = "a";
  client.run(job);
  job.cache_salt = "b";
  EXPECT_EQ(client.run(job).job.receipt.cached_tokens, 0);
  EXPECT_GT(client.run(job).job.receipt.cached_tokens, 0);
}

TEST(BatchEngine, FurtherAnswersShareThePromptAndDifferBySeed) {
  BatchEngine engine(runtime(), {});
  Client client(engine);
  Job job = ask({text_part(long_text(200))});
  job.n = 3;
  job.options.generation.temperature = 1.5;
  job.options.generation.seed = 5;
  const Result result = client.run(job);
  EXPECT_NE(result.ids[0], result.ids[1]);
  EXPECT_NE(result.ids[1], result.ids[2]);
  EXPECT_EQ(result.job.receipt.completion_tokens, 72);
  EXPECT_GT(engine.stats().prefix_hits, 0u);
  Job second = ask({text_part(long_text(200))});
  second.options.generation.temperature = 1.5;
  second.options.generation.seed = 6;
  EXPECT_EQ(client.run(second).ids[0], result.ids[1]);
}

TEST(BatchEngine, CancelEndsAJobAtItsNextStep) {
  BatchEngine engine(runtime(), {});
  Client client(engine);
  Job job = ask({text_part("Go on.")}, 20'000);
  job.id = "endless";
  std::promise<void> began;
  std::atomic<int> tokens{0};
  auto future = client.submit(job, [&](const Delta&) {
    if (++tokens == 3) began.set_value();
  });
  began.get_future().wait();
  engine.cancel("endless");
  const Result result = future.get();
  EXPECT_TRUE(result.job.cancelled);
  EXPECT_EQ(result.reasons.front(), "cancelled");
  engine.cancel("endless");
  expect_empty(engine);
}

TEST(BatchEngine, RefusesWhatCannotRun) {
  BatchOptions options;
  options.max_queue = 1;
  BatchEngine engine(runtime(), options);
  Client client(engine);
  Job bad = ask({text_part("x")});
  bad.options.generation.ignore_eos = false;
  bad.options.generation.json_schema = "{\"type\":\"nonsense\"}";
  EXPECT_THROW(client.submit(bad), Error);
  EXPECT_THROW(client.submit(ask({image_part("/nowhere.png")})), Error);
  Job job = ask({text_part("x")}, 20'000);
  job.id = "one";
  auto future = client.submit(job);
  EXPECT_THROW(client.submit(ask({text_part("y")})), QueueFull);
  engine.cancel("one");
  future.get();
  EXPECT_FALSE(client.run(ask({text_part("z")})).job.error);
}

TEST(BatchEngine, ConstrainedAnswersFollowTheirSchema) {
  BatchEngine engine(runtime(), {});
  Job job = ask({text_part("x")}, 200);
  job.options.generation.ignore_eos = false;
  job.options.generation.regex = "(yes|no)";
  const Result result = Client(engine).run(job);
  EXPECT_TRUE(result.texts[0] == "yes" || result.texts[0] == "no") << result.texts[0];
  EXPECT_EQ(result.reasons[0], "stop");
}

TEST(BatchEngine, StopStringsAndMinTokens) {
  BatchEngine engine(runtime(), {});
  Client client(engine);
  const std::string whole = client.run(ask({text_part("Tell me.")}, 40)).texts[0];
  Job job = ask({text_part("Tell me.")}, 40);
  job.options.generation.stop = {whole.substr(whole.size() / 2, 4)};
  const Result result = client.run(job);
  EXPECT_EQ(result.reasons[0], "stop");
  EXPECT_EQ(result.texts[0], whole.substr(0, whole.find(job.options.generation.stop[0])));
}

TEST(BatchEngine, EndsRunningJobsWhenItGoes) {
  std::future<Result> future;
  {
    BatchEngine engine(runtime(), {});
    future = Client(engine).submit(ask({text_part("Go on.")}, 20'000));
  }
  EXPECT_TRUE(future.get().job.cancelled);
}

}  // namespace
}  // namespace vl3::serve
