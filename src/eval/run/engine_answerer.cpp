#include "eval/run/engine_answerer.h"

#include "core/check.h"

namespace vl3::eval {
namespace {

class EngineSession : public AnswerSession {
 public:
  EngineSession(const Engine& engine, const AskOptions& ask, const std::function<bool()>& cancelled)
      : session_(engine), ask_(ask), cancelled_(cancelled) {}

  Reply ask(const Conversation& conversation) override {
    Callbacks callbacks;
    callbacks.cancelled = cancelled_;
    const Answer answer = session_.ask(conversation, ask_, callbacks);
    if (answer.finish_reason == "cancelled") throw FatalError(Error(ErrorCode::kCancelled, "stopped"));
    return {answer.text, answer.finish_reason, answer.receipt.prompt_tokens,
            answer.receipt.completion_tokens};
  }

 private:
  Session session_;
  const AskOptions& ask_;
  const std::function<bool()>& cancelled_;
};

class EngineAnswerer : public Answerer {
 public:
  EngineAnswerer(Engine engine, OrderedJson identity, const AskOptions& ask, std::function<bool()> cancelled)
      : engine_(std::move(engine)),
        identity_(std::move(identity)),
        ask_(ask),
        cancelled_(std::move(cancelled)) {
    engine_.check(ask_);
  }
  OrderedJson identity() const override { return identity_; }
  std::unique_ptr<AnswerSession> session() override {
    return std::make_unique<EngineSession>(engine_, ask_, cancelled_);
  }
  std::optional<Prediction> predict(const Conversation& conversation) override {
    const Plan plan = engine_.plan(conversation, ask_);
    return Prediction{plan.first_token_seconds, plan.token_seconds};
  }

 private:
  Engine engine_;
  OrderedJson identity_;
  AskOptions ask_;
  std::function<bool()> cancelled_;
};

}  // namespace

std::unique_ptr<Answerer> engine_answerer(Engine engine, OrderedJson identity, const AskOptions& ask,
                                          std::function<bool()> cancelled) {
  return std::make_unique<EngineAnswerer>(std::move(engine), std::move(identity), ask, std::move(cancelled));
}

}  // namespace vl3::eval
