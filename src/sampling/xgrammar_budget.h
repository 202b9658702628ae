// Put before xgrammar's grammar_compiler.cc and grammar_matcher.cc by `-include` (cmake/XGrammar.cmake), and
// nowhere else: gives both of its users of the Earley parser one with a budget of time and memory. xgrammar
// has neither, and a grammar from outside can be made to need hours and all memory. Its sources stay as they
// are.
#pragma once

#include "earley_parser.h"

namespace vl3::sampling {

/// Called before the parser does something.
/// @param num_states  all states it holds; what one byte costs grows with num_active, those of the last byte.
/// @throws Error(kInvalidArgument) once the running call's budget is spent. Defined in constraint.cpp.
void spend_grammar_budget(int64_t num_states, int64_t num_active);

}  // namespace vl3::sampling

namespace xgrammar {

class BudgetedEarleyParser : public EarleyParser {
 public:
  using EarleyParser::EarleyParser;

  bool Advance(const uint8_t ch, bool debug_print = false) {
    spend();
    return EarleyParser::Advance(ch, debug_print);
  }

 private:
  bool spend() {
    ::vl3::sampling::spend_grammar_budget(
        num_entries(scanable_state_history_) + num_entries(rule_id_to_completable_states_),
        num_in_last_row(scanable_state_history_) + num_in_last_row(rule_id_to_completable_states_));
    return true;
  }
  template <typename Rows>
  static int64_t num_entries(const Rows& rows) {
    return rows.size() == 0 ? 0 : rows[rows.size() - 1].end() - rows[0].begin();
  }
  template <typename Rows>
  static int64_t num_in_last_row(const Rows& rows) {
    return rows.size() == 0 ? 0 : rows[rows.size() - 1].size();
  }

  bool spent_on_construction_ = spend();  // the compiler makes a parser a state of the grammar
};

}  // namespace xgrammar

#define EarleyParser BudgetedEarleyParser
