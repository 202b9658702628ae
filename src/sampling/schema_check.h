// What a JSON schema from outside must not contain before it may be compiled: anything the compiler would
// leave out in silence, and counts and depths it would need too long for. Internal to sampling/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/json.h"

namespace vl3::sampling {

inline constexpr int kMaxGrammarDepth = 64;
inline constexpr int64_t kMaxGrammarRepeat = 10'000;
inline constexpr size_t kMaxRegexBytes = 8 << 10;

/// @throws Error(kInvalidArgument) naming `what` when text is longer than max_bytes.
void check_size(std::string_view text, size_t max_bytes, const std::string& what);

/// For regular expressions and EBNF: brackets nested deeper than kMaxGrammarDepth, a {m,n} above
/// kMaxGrammarRepeat.
/// @throws Error(kInvalidArgument).
void check_brackets_and_repeats(std::string_view text, const std::string& what);

/// Schemas inside schemas included.
/// @throws Error(kInvalidArgument) for keywords that cannot be enforced, alone or beside others; for counts
/// above kMaxGrammarRepeat; for nesting deeper than kMaxGrammarDepth.
void check_schema(const Json& schema);

}  // namespace vl3::sampling
