#include "serve/scripted_backend.h"

#include <chrono>

namespace vl3::test {

ScriptedBackend::~ScriptedBackend() {
  for (std::thread& thread : threads_) thread.join();
}

void ScriptedBackend::submit(std::shared_ptr<serve::Job> job, serve::JobEvents events) {
  ++submitted;
  if (refuses) throw *refuses;
  if (job->describe) {
    for (Message& message : job->conversation) {
      for (ContentPart& part : message.parts) {
        if (part.kind != PartKind::kText) job->describe(part);
      }
    }
  }
  if (preparing) preparing(*job);
  const std::lock_guard lock(mutex);
  last = *job;
  threads_.emplace_back([this, job, events = std::move(events)] { answer(job, events); });
}

void ScriptedBackend::answer(const std::shared_ptr<serve::Job>& job, const serve::JobEvents& events) {
  events.prefilled(5);
  serve::JobResult result;
  result.receipt.prompt_tokens = 5;
  for (int choice = 0; choice < job->n && !result.cancelled; ++choice) {
    for (size_t i = 0; i < words.size() || endless; ++i) {
      {
        const std::lock_guard lock(mutex);
        if (gone_.contains(job->id)) result.cancelled = true;
      }
      if (result.cancelled) break;
      const size_t at = i % words.size();
      serve::Delta delta;
      delta.choice = choice;
      delta.text = words[at];
      serve::TokenEvent token;
      token.id = static_cast<int64_t>(at);
      token.logprob = -0.5F;
      token.top = {{static_cast<int64_t>(at), -0.5F}};
      delta.tokens.push_back(token);
      if (i + 1 == words.size() && !endless) delta.finish_reason = "stop";
      ++result.receipt.completion_tokens;
      events.delta(delta);
      if (fails_after) {
        result.error = fails_after;
        return events.finished(result);
      }
      if (seconds_a_word > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds_a_word));
    }
  }
  events.finished(result);
}

void ScriptedBackend::cancel(const std::string& id) {
  const std::lock_guard lock(mutex);
  ++cancelled;
  gone_.insert(id);
}

Plan ScriptedBackend::plan(serve::Job&, bool) {
  Plan plan;
  plan.prompt_tokens = 7;
  return plan;
}

std::vector<int64_t> ScriptedBackend::tokenize(const serve::Job& job) {
  return std::vector<int64_t>(job.prompt ? job.prompt->size() : 3, 1);
}
std::string ScriptedBackend::detokenize(const std::vector<int64_t>& ids) {
  return std::string(ids.size(), 'x');
}
std::string ScriptedBackend::token_text(int64_t id) { return words[static_cast<size_t>(id)]; }

}  // namespace vl3::test
