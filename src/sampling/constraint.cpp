#include "sampling/constraint.h"

#include <xgrammar/xgrammar.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>

#include "core/check.h"
#include "core/json.h"
#include "sampling/schema_check.h"
#include "sampling/xgrammar_log.h"

namespace vl3::sampling {

// Also declared in xgrammar_budget.h, which only xgrammar's sources see.
void spend_grammar_budget(int64_t num_states, int64_t num_active);

namespace {

constexpr size_t kMaxSchemaBytes = 256 << 10;
constexpr size_t kMaxEbnfBytes = 16 << 10;
constexpr int kMaxWhitespace = 32;
// Asking for the time costs as much as a few bytes of an easy grammar.
constexpr int64_t kWorkBetweenChecks = 128;
constexpr int kMaxVocabulary = 1 << 24;

/// Processor time of this thread: a busy machine must not turn a good schema away.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Budget {
  double seconds = std::numeric_limits<double>::infinity();
  double deadline = std::numeric_limits<double>::infinity();  ///< on thread_seconds()
  int64_t max_states = std::numeric_limits<int64_t>::max();
  int64_t work = 0;  ///< since the time was last looked at
};
thread_local Budget budget;

/// Gives xgrammar's parser on this thread a budget until it is destroyed.
class BudgetScope {
 public:
  BudgetScope(double seconds, int64_t max_states) : before_(budget) {
    budget = {seconds, thread_seconds() + seconds, max_states, kWorkBetweenChecks};
  }
  ~BudgetScope() { budget = before_; }
  BudgetScope(const BudgetScope&) = delete;
  BudgetScope& operator=(const BudgetScope&) = delete;

 private:
  Budget before_;
};

/// xgrammar's words without the C++ around them, nor the whole schema it may quote.
std::string readable(std::string message) {
  constexpr std::string_view kCheck = "is false: ";
  if (const size_t at = message.find(kCheck); at != std::string::npos) message.erase(0, at + kCheck.size());
  if (message.find("type mismatch") != std::string::npos) return "the value of a keyword has the wrong type";
  constexpr size_t kLongest = 300;
  if (message.size() > kLongest) {
    size_t end = kLongest;
    while ((static_cast<unsigned char>(message[end]) & 0xc0) == 0x80) --end;  // not inside a character
    message = message.substr(0, end) + "...";
  }
  return message;
}

/// Runs xgrammar and turns what it throws into an Error that begins with `what`.
template <typename Action>
auto guarded(const std::string& what, double seconds, int64_t max_states, const Action& action) {
  const BudgetScope scope(seconds, max_states);
  grammar_warning().clear();
  try {
    return action();
  } catch (const Error& error) {
    throw error.with_context(what);
  } catch (const std::bad_alloc&) {
    VL3_FAIL(kResourceExhausted, "{}: out of memory", what);
  } catch (const std::runtime_error& error) {
    // The base's text: xgrammar's own what() puts the time of day and its source line in front.
    VL3_FAIL(kInvalidArgument, "{}: {}", what, readable(error.std::runtime_error::what()));
  } catch (const std::exception& error) {
    VL3_FAIL(kInvalidArgument, "{}: {}", what, error.what());
  }
}

}  // namespace

void spend_grammar_budget(int64_t num_states, int64_t num_active) {
  VL3_CHECK(num_states <= budget.max_states, kInvalidArgument,
            "too ambiguous: it keeps more than {} possibilities open, simplify it", budget.max_states);
  budget.work += 1 + num_active / 8;
  if (budget.work < kWorkBetweenChecks) return;
  budget.work = 0;
  if (thread_seconds() < budget.deadline) return;
  VL3_FAIL(kInvalidArgument, "too complex: it takes longer than {:.1f} s, simplify it", budget.seconds);
}

struct Grammar::Impl {
  std::vector<xgrammar::CompiledGrammar> compiled;  ///< the text satisfies all of them
  int64_t vocab_size;
  ConstraintLimits limits;
};

struct Constraint::Impl {
  Impl(xgrammar::TokenizerInfo tokens_in, int64_t vocab_size_in, const ConstraintLimits& limits_in)
      : tokens(std::move(tokens_in)), vocab_size(vocab_size_in), limits(limits_in) {}

  xgrammar::TokenizerInfo tokens;
  int64_t vocab_size;
  ConstraintLimits limits;
  std::once_flag json_once;
  std::optional<xgrammar::CompiledGrammar> json;  ///< any JSON text

  /// @param build  gives the rules; `what` names them in errors.
  template <typename Build>
  xgrammar::CompiledGrammar compile(const std::string& what, const Build& build) const {
    return guarded(what, limits.compile_seconds, limits.max_states, [&] {
      const xgrammar::Grammar rules = build();
      VL3_CHECK(grammar_warning().empty(), kInvalidArgument, "{}", grammar_warning());
      // One thread: a server compiles several at once, and the budget is a thread's.
      xgrammar::GrammarCompiler compiler(tokens, /*max_threads=*/1, /*cache_enabled=*/false);
      xgrammar::CompiledGrammar compiled = compiler.CompileGrammar(rules);
      VL3_CHECK(grammar_warning().empty(), kInvalidArgument, "{}", grammar_warning());
      return compiled;
    });
  }

  /// Refuses a grammar that nothing satisfies now rather than after the media were encoded.
  std::shared_ptr<const Grammar::Impl> checked(std::vector<xgrammar::CompiledGrammar> compiled) const;
};

size_t Grammar::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& compiled : impl_->compiled) bytes += compiled.MemorySizeBytes();
  return bytes;
}

Constraint::Constraint(const TokenTable& table, const ConstraintLimits& limits) {
  const auto in_range = [&](int64_t id) { return id >= 0 && id < table.vocab_size; };
  VL3_CHECK(table.vocab_size >= 1 && table.vocab_size <= kMaxVocabulary, kInvalidArgument,
            "constraint: vocab_size must be between 1 and {}, found {}", kMaxVocabulary, table.vocab_size);
  VL3_CHECK(table.bytes.size() <= static_cast<size_t>(table.vocab_size), kInvalidArgument,
            "constraint: {} tokens, but the output head has {} rows", table.bytes.size(), table.vocab_size);
  VL3_CHECK(!table.stop_ids.empty(), kInvalidArgument, "constraint: no stop token id");
  std::vector<std::string> bytes = table.bytes;
  std::vector<int32_t> stop_ids;
  for (const int64_t id : table.stop_ids) {
    VL3_CHECK(in_range(id), kInvalidArgument, "constraint: stop token {} is outside 0 to {}", id,
              table.vocab_size - 1);
    if (static_cast<size_t>(id) >= bytes.size()) bytes.resize(static_cast<size_t>(id) + 1);
    stop_ids.push_back(static_cast<int32_t>(id));
  }
  for (const int64_t id : table.special_ids) {
    VL3_CHECK(in_range(id), kInvalidArgument, "constraint: special token {} is outside 0 to {}", id,
              table.vocab_size - 1);
    // To xgrammar a token without bytes is a special one.
    if (static_cast<size_t>(id) < bytes.size()) bytes[static_cast<size_t>(id)].clear();
  }
  const auto tokens = guarded("constraint", limits.compile_seconds, limits.max_states, [&] {
    return xgrammar::TokenizerInfo(bytes, xgrammar::VocabType::RAW, static_cast<int>(table.vocab_size),
                                   stop_ids);
  });
  impl_ = std::make_shared<Impl>(tokens, table.vocab_size, limits);
}

std::shared_ptr<const Grammar::Impl> Constraint::Impl::checked(
    std::vector<xgrammar::CompiledGrammar> compiled) const {
  auto grammar =
      std::make_shared<const Grammar::Impl>(Grammar::Impl{std::move(compiled), vocab_size, limits});
  std::vector<float> logits(static_cast<size_t>(vocab_size));
  Matcher(Grammar(grammar)).apply_mask(logits);
  return grammar;
}

Grammar Constraint::compile_json_schema(std::string_view schema) const {
  check_size(schema, kMaxSchemaBytes, "JSON schema");
  Json parsed;
  try {
    parsed = parse_json(schema, "JSON schema");
  } catch (const Error& error) {
    VL3_FAIL(kInvalidArgument, "{}", error.what());
  }
  check_schema(parsed);
  const auto from_schema = [](const std::string& text, std::optional<int> max_whitespace) {
    return xgrammar::Grammar::FromJSONSchema(text, /*any_whitespace=*/true, std::nullopt, std::nullopt,
                                             /*strict_mode=*/true, max_whitespace);
  };
  // xgrammar lets raw control characters into strings of bounded length, and raw quotes into those of a
  // pattern, so the text has to satisfy plain JSON too.
  std::call_once(impl_->json_once, [&] {
    impl_->json = impl_->compile("JSON", [&] { return from_schema("true", std::nullopt); });
  });
  const auto compiled =
      impl_->compile("JSON schema", [&] { return from_schema(std::string(schema), kMaxWhitespace); });
  return Grammar(impl_->checked({compiled, *impl_->json}));
}

Grammar Constraint::compile_json_object() const { return compile_json_schema(R"({"type": "object"})"); }

Grammar Constraint::compile_regex(std::string_view regex) const {
  check_size(regex, kMaxRegexBytes, "regex");
  check_brackets_and_repeats(regex, "regex");
  return Grammar(impl_->checked(
      {impl_->compile("regex", [&] { return xgrammar::Grammar::FromRegex(std::string(regex)); })}));
}

Grammar Constraint::compile_ebnf(std::string_view ebnf) const {
  check_size(ebnf, kMaxEbnfBytes, "EBNF");
  check_brackets_and_repeats(ebnf, "EBNF");
  return Grammar(impl_->checked(
      {impl_->compile("EBNF", [&] { return xgrammar::Grammar::FromEBNF(std::string(ebnf)); })}));
}

struct Matcher::Impl {
  std::vector<xgrammar::GrammarMatcher> matchers;  ///< in step with one another
  int64_t vocab_size;
  ConstraintLimits limits;
  std::vector<int32_t> mask;  ///< a bit a token, 1 = may come next
  double seconds_left;
  int64_t num_accepted = 0;
  bool broken = false;  ///< a limit stopped xgrammar half-way: its state cannot be trusted

  template <typename Action>
  auto run(const Action& action) {
    VL3_CHECK(!broken, kInvalidArgument, "constraint: a limit was passed before, start a new answer");
    broken = true;
    const double start = thread_seconds();
    auto result =
        guarded("constraint", std::min(limits.step_seconds, seconds_left), limits.max_states, action);
    seconds_left -= thread_seconds() - start;
    broken = false;
    return result;
  }
};

Matcher::Matcher(const Grammar& grammar) {
  const Grammar::Impl& from = *grammar.impl_;
  impl_ = guarded("constraint", from.limits.step_seconds, from.limits.max_states, [&] {
    const auto num_words = static_cast<size_t>(xgrammar::GetBitmaskSize(static_cast<int>(from.vocab_size)));
    auto impl = std::make_unique<Impl>(
        Impl{{}, from.vocab_size, from.limits, std::vector<int32_t>(num_words), from.limits.answer_seconds});
    for (const auto& compiled : from.compiled) impl->matchers.emplace_back(compiled);
    return impl;
  });
}
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;
Matcher::~Matcher() = default;

bool Matcher::apply_mask(std::span<float> logits) {
  VL3_CHECK(static_cast<int64_t>(logits.size()) == impl_->vocab_size, kInvalidArgument,
            "constraint: {} logits, expected {}", logits.size(), impl_->vocab_size);
  VL3_CHECK(!is_terminated(), kInvalidArgument, "constraint: the text has already ended");
  std::vector<int32_t>& mask = impl_->mask;
  auto num_words = static_cast<int64_t>(mask.size());
  DLTensor tensor{mask.data(), DLDevice{kDLCPU, 0}, 1, xgrammar::GetBitmaskDLType(), &num_words, nullptr, 0};
  bool any_masked = false;
  for (xgrammar::GrammarMatcher& matcher : impl_->matchers) {
    impl_->run([&] { return matcher.FillNextTokenBitmask(&tensor); });
    for (size_t id = 0; id < logits.size(); ++id) {
      if ((static_cast<uint32_t>(mask[id / 32]) >> (id % 32) & 1) != 0) continue;
      logits[id] = -std::numeric_limits<float>::infinity();
      any_masked = true;
    }
  }
  const bool any_left = std::ranges::any_of(
      logits, [](float logit) { return logit != -std::numeric_limits<float>::infinity(); });
  VL3_CHECK(any_left, kInvalidArgument,
            "constraint: no token can continue the text: nothing satisfies the grammar, or what would is "
            "masked already");
  return any_masked;
}

bool Matcher::accept(int64_t id) {
  if (id < 0 || id >= impl_->vocab_size || is_terminated()) return false;
  for (size_t i = 0; i < impl_->matchers.size(); ++i) {
    if (impl_->run([&] { return impl_->matchers[i].AcceptToken(static_cast<int32_t>(id)); })) continue;
    for (size_t j = 0; j < i; ++j) impl_->matchers[j].Rollback(1);
    return false;
  }
  ++impl_->num_accepted;
  return true;
}

void Matcher::rollback(int64_t count) {
  VL3_CHECK(count >= 0 && count <= impl_->num_accepted, kInvalidArgument,
            "constraint: cannot take back {} tokens of {}", count, impl_->num_accepted);
  if (count == 0) return;
  for (xgrammar::GrammarMatcher& matcher : impl_->matchers) {
    impl_->run([&] {
      matcher.Rollback(static_cast<int>(count));
      return true;
    });
  }
  impl_->num_accepted -= count;
}

bool Matcher::is_complete() const {
  return std::ranges::all_of(impl_->matchers, [](const auto& matcher) { return matcher.IsCompleted(); });
}

bool Matcher::is_terminated() const { return impl_->matchers.front().IsTerminated(); }

}  // namespace vl3::sampling
