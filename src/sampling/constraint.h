// Output that follows a JSON schema, a regular expression or a grammar: before each draw the tokens that
// cannot continue it are masked. A wrapper of xgrammar's C++ core that adds limits: grammars come from
// outside.
//
//   Constraint constraint(table);                                   // once a tokenizer, thread-safe
//   Grammar grammar = constraint.compile_json_schema(schema_text);  // once a schema, thread-safe, cheap to
//   copy Matcher matcher(grammar);                                       // once an answer, one thread at a
//   time while (!matcher.is_terminated()) { matcher.apply_mask(logits); id = sampler.sample(logits);
//   matcher.accept(id); }
//
// Fixed limits, beside those of ConstraintLimits: schema 256 KiB and 64 levels deep, regex 8 KiB, EBNF 16
// KiB, brackets 64 deep, counts (maxLength, maxItems, {m,n}, …) 10,000. A passed limit is an
// Error(kInvalidArgument) that names it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vl3::sampling {

/// What a constraint has to know of the tokenizer and the output head.
struct TokenTable {
  std::vector<std::string> bytes;    ///< [id] = the bytes it decodes to; "" where it has none
  std::vector<int64_t> special_ids;  ///< tokens that are no text: never allowed inside the constrained text
  std::vector<int64_t> stop_ids;     ///< allowed exactly where the text may end; at least one
  int64_t vocab_size = 0;  ///< V, rows of the output head; ids from bytes.size() on are always masked
};

/// What one grammar from outside may cost. Seconds are processor time of the calling thread.
struct ConstraintLimits {
  double compile_seconds = 20;
  double step_seconds = 2;         ///< one mask or one accept
  double answer_seconds = 30;      ///< all masks and accepts of a Matcher
  int64_t max_states = 2'000'000;  ///< parser states held at once, about 50 bytes each
};

/// A compiled grammar, bound to the table of its Constraint.
class Grammar {
 public:
  size_t memory_bytes() const;

 private:
  friend class Constraint;
  friend class Matcher;
  struct Impl;
  explicit Grammar(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<const Impl> impl_;
};

class Constraint {
 public:
  /// @throws Error(kInvalidArgument) for more tokens than vocab_size, ids outside it, or no stop id.
  explicit Constraint(const TokenTable& table, const ConstraintLimits& limits = {});

  /// JSON text of the schema, properties in the schema's order, none beyond those it names unless it says
  /// `additionalProperties` ("strict"), free white space of at most 32 characters between parts.
  /// @throws Error(kInvalidArgument) for broken JSON, an invalid or unsatisfiable schema, what cannot be
  /// enforced (not, if, contains, uniqueItems, allOf of several, oneOf that may overlap, remote $ref,
  /// keywords beside $ref, enum or anyOf, …; an unknown `format` only is an annotation and left out), or a
  /// limit above.
  Grammar compile_json_schema(std::string_view schema) const;

  /// Any JSON object.
  Grammar compile_json_object() const;

  /// The whole text matches (anchors are implied). JavaScript's syntax without look-around, back references,
  /// \b and \p; `.` matches every character.
  /// @throws Error(kInvalidArgument) as compile_json_schema().
  Grammar compile_regex(std::string_view regex) const;

  /// GBNF-like rules, starting at `root`.
  /// @throws Error(kInvalidArgument) as compile_json_schema().
  Grammar compile_ebnf(std::string_view ebnf) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

class Matcher {
 public:
  explicit Matcher(const Grammar& grammar);
  Matcher(Matcher&&) noexcept;
  Matcher& operator=(Matcher&&) noexcept;
  ~Matcher();

  /// Sets what cannot come next to -inf; what may come keeps its value.
  /// @param logits [V].
  /// @return whether anything was masked.
  /// @throws Error(kInvalidArgument) for another size, after termination, when no token can continue the text
  /// (an unsatisfiable grammar), or past a limit (the matcher then refuses every further call).
  bool apply_mask(std::span<float> logits);

  /// @return false, with nothing changed, when the token cannot come next. @throws past a limit, as
  /// apply_mask().
  bool accept(int64_t id);

  /// Takes the last `count` accepted tokens back. @throws Error(kInvalidArgument) when there were fewer.
  void rollback(int64_t count);

  bool is_complete() const;    ///< the text so far satisfies the grammar
  bool is_terminated() const;  ///< a stop token was accepted

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vl3::sampling
