#include "sampling/constraint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <limits>
#include <regex>

#include "core/json.h"
#include "sampling/sampler.h"
#include "support/temp_dir.h"

namespace vl3::sampling {
namespace {

using test::error_of;

constexpr int64_t kStop = 256;
constexpr int64_t kSpecial = 257;

/// 256 bytes, a stop and a special token, then random longer tokens; the head has 40 rows more than the
/// table.
TokenTable small_table(uint64_t seed) {
  TokenTable table;
  for (int byte = 0; byte < 256; ++byte) table.bytes.emplace_back(1, static_cast<char>(byte));
  table.bytes.insert(table.bytes.end(), {"</s>", "{"});
  table.stop_ids = {kStop};
  table.special_ids = {kSpecial};
  const std::string letters = "{}[]\":, \nabcxyz019-.e\\utrfn";
  uint64_t n = 0;
  const auto random = [&](uint64_t bound) {
    return static_cast<size_t>(uniform(seed, n++) * static_cast<double>(bound));
  };
  for (int i = 0; i < 600; ++i) {
    std::string token;
    for (size_t size = 2 + random(4); token.size() < size;) token += letters[random(letters.size())];
    table.bytes.push_back(token);
  }
  for (const char* word : {"true", "false", "null", "\":", "\",\"", "name", "\xc3\xa9", "\xe6\x97\xa5"}) {
    table.bytes.emplace_back(word);
  }
  table.vocab_size = static_cast<int64_t>(table.bytes.size()) + 40;
  return table;
}

/// Generates from random logits until the stop token. After `soft_limit` tokens the grammar's shortest way
/// out is made likely, so that open-ended grammars end.
std::string generate(const TokenTable& table, const Grammar& grammar, uint64_t seed, int soft_limit = 60) {
  Matcher matcher(grammar);
  Sampler sampler({.seed = seed});
  std::string text;
  uint64_t n = 0;
  for (int step = 0; step < 4000; ++step) {
    std::vector<float> logits(static_cast<size_t>(table.vocab_size));
    for (float& logit : logits) logit = static_cast<float>(6 * uniform(seed + 1000, n++));
    if (step > soft_limit) {
      for (const char closing : {'"', '}', ']', '0'}) logits[static_cast<unsigned char>(closing)] += 12;
      logits[kStop] += 20;
    }
    matcher.apply_mask(logits);
    EXPECT_EQ(logits[kSpecial], -std::numeric_limits<float>::infinity());
    for (size_t id = table.bytes.size(); id < logits.size(); ++id) {
      EXPECT_EQ(logits[id], -std::numeric_limits<float>::infinity()) << "row without a token";
    }
    const int64_t id = sampler.sample(logits);
    sampler.accept(id);
    EXPECT_TRUE(matcher.accept(id)) << "a token the mask let through";
    if (matcher.is_terminated()) return text;
    text += table.bytes[static_cast<size_t>(id)];
  }
  ADD_FAILURE() << "no end after 4000 tokens: " << text.substr(0, 200);
  return text;
}

TEST(Constraint, JsonSchemaAlwaysGivesWhatItSays) {
  const std::string schema = R"({
    "type": "object",
    "properties": {
      "name": {"type": "string", "maxLength": 12},
      "kind": {"enum": ["cat", "dog", 3, null]},
      "count": {"type": "integer", "minimum": 0, "maximum": 250},
      "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
      "box": {"type": "object", "properties": {"x": {"type": "number"}, "ok": {"type": "boolean"}},
              "required": ["x"]}
    },
    "required": ["name", "kind", "count", "tags"]})";
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const TokenTable table = small_table(seed);
    const std::string text = generate(table, Constraint(table).compile_json_schema(schema), seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + text);
    const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    ASSERT_TRUE(value.is_object());
    for (const auto& [key, child] : value.items()) {
      EXPECT_TRUE(key == "name" || key == "kind" || key == "count" || key == "tags" || key == "box") << key;
    }
    EXPECT_TRUE(value.at("name").is_string());
    const Json& kind = value.at("kind");
    EXPECT_TRUE(kind == "cat" || kind == "dog" || kind == 3 || kind.is_null()) << kind;
    EXPECT_TRUE(value.at("count").is_number_integer());
    EXPECT_GE(value.at("count"), 0);
    EXPECT_LE(value.at("count"), 250);
    EXPECT_TRUE(value.at("tags").is_array());
    EXPECT_GE(value.at("tags").size(), 1u);
    EXPECT_LE(value.at("tags").size(), 3u);
    for (const Json& tag : value.at("tags")) EXPECT_TRUE(tag.is_string());
    if (value.contains("box")) {
      EXPECT_TRUE(value.at("box").at("x").is_number());
    }
  }
}

TEST(Constraint, RecursiveSchemaAndAnyObject) {
  const std::string list = R"({"$defs": {"n": {"type": "object", "required": ["next"], "properties":
      {"next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}]}}}}, "$ref": "#/$defs/n"})";
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const TokenTable table = small_table(seed);
    const Constraint constraint(table);
    for (const Grammar& grammar : {constraint.compile_json_schema(list), constraint.compile_json_object()}) {
      const std::string text = generate(table, grammar, seed, 30);
      EXPECT_TRUE(Json::parse(text, nullptr, false).is_object()) << text;
      EXPECT_GT(grammar.memory_bytes(), 0u);
    }
  }
}

TEST(Constraint, RegexOutputMatchesInFull) {
  const std::vector<std::string> patterns = {R"((yes|no|maybe))",    R"([a-c]{2,5}[0-9]?)",
                                             R"(\d{4}-\d{2}-\d{2})", R"((ab|a)*c)",
                                             R"([^a-z"]{3})",        R"(^x(y+z?)+$)"};
  for (const std::string& pattern : patterns) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const TokenTable table = small_table(seed);
      const std::string text = generate(table, Constraint(table).compile_regex(pattern), seed, 10);
      // std::regex counts bytes: the negated class may hold one character of several.
      if (pattern[1] == '^') continue;
      EXPECT_TRUE(std::regex_match(text, std::regex(pattern))) << pattern << " gave " << text;
    }
  }
}

TEST(Constraint, EbnfFollowsItsRules) {
  const TokenTable table = small_table(1);
  const Grammar grammar =
      Constraint(table).compile_ebnf("root ::= \"a\" mid \"b\"\nmid ::= \"x\" | \"(\" mid \")\"\n");
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const std::string text = generate(table, grammar, seed);
    EXPECT_TRUE(std::regex_match(text, std::regex(R"(a\(*x\)*b)"))) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '('), std::count(text.begin(), text.end(), ')')) << text;
  }
}

TEST(Matcher, RefusesWhatTheMaskRefusesAndRollsBack) {
  const TokenTable table = small_table(2);
  Matcher matcher(Constraint(table).compile_regex("abc"));
  EXPECT_FALSE(matcher.accept('b'));
  EXPECT_FALSE(matcher.accept(kSpecial));
  EXPECT_FALSE(matcher.accept(kStop));
  EXPECT_FALSE(matcher.accept(-1));
  EXPECT_FALSE(matcher.accept(table.vocab_size));
  EXPECT_FALSE(matcher.accept(table.vocab_size - 1));
  for (const char c : {'a', 'b', 'c'}) EXPECT_TRUE(matcher.accept(c));
  EXPECT_TRUE(matcher.is_complete());
  EXPECT_FALSE(matcher.is_terminated());
  EXPECT_TRUE(matcher.accept(kStop));
  EXPECT_TRUE(matcher.is_terminated());
  EXPECT_FALSE(matcher.accept('a'));
  std::vector<float> logits(static_cast<size_t>(table.vocab_size));
  EXPECT_NE(error_of([&] { matcher.apply_mask(logits); }).find("already ended"), std::string::npos);
  matcher.rollback(3);
  EXPECT_TRUE(matcher.apply_mask(logits));
  EXPECT_EQ(logits['b'], 0);
  EXPECT_EQ(logits['a'], -std::numeric_limits<float>::infinity());
  EXPECT_NE(error_of([&] { matcher.rollback(2); }).find("cannot take back 2 tokens of 1"), std::string::npos);
  logits.resize(3);
  EXPECT_NE(error_of([&] { matcher.apply_mask(logits); }).find("3 logits, expected"), std::string::npos);
}

TEST(Matcher, MatchersOfOneGrammarAreIndependent) {
  const TokenTable table = small_table(3);
  const Grammar grammar = Constraint(table).compile_regex("a(b|c)");
  Matcher one(grammar);
  Matcher two(grammar);
  EXPECT_TRUE(one.accept('a'));
  EXPECT_FALSE(two.accept('b'));
  EXPECT_TRUE(one.accept('b'));
  EXPECT_TRUE(two.accept('a'));
}

TEST(Constraint, RefusesBrokenTables) {
  const auto refused = [](TokenTable table) { return error_of([&] { Constraint constraint(table); }); };
  TokenTable table = small_table(0);
  table.vocab_size = 10;
  EXPECT_NE(refused(table).find("the output head has 10 rows"), std::string::npos);
  table = small_table(0);
  table.stop_ids.clear();
  EXPECT_NE(refused(table).find("no stop token"), std::string::npos);
  table.stop_ids = {-1};
  EXPECT_NE(refused(table).find("stop token -1"), std::string::npos);
  table.stop_ids = {kStop};
  table.special_ids = {table.vocab_size};
  EXPECT_NE(refused(table).find("special token"), std::string::npos);
  table.special_ids = {};
  table.stop_ids = {table.vocab_size - 1};  // behind the tokenizer's last id, as an eos may stand
  EXPECT_EQ(refused(table), "");
}

TEST(Constraint, HostileInputIsOneErrorEach) {
  const Constraint constraint(small_table(4));
  const std::vector<std::string> schemas = {
      "",
      "{",
      "[]",
      "3",
      "false",
      "\xff",
      "{} {}",
      std::string(300000, ' ') + "{}",
      std::string(100000, '['),
      R"x({"type": "stringy"})x",
      R"x({"type": 5})x",
      R"x({"type": ["string", 5]})x",
      R"x({"enum": []})x",
      R"x({"enum": 5})x",
      R"x({"$ref": "http://x/y"})x",
      R"x({"$ref": "#/none"})x",
      R"x({"$ref": "#"})x",
      R"x({"$ref": 5})x",
      R"x({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"})x",
      R"x({"type": "string", "pattern": 5})x",
      R"x({"type": "string", "pattern": "("})x",
      R"x({"type": "string", "pattern": "a(?=b)"})x",
      R"x({"type": "string", "format": 5})x",
      R"x({"type": "string", "pattern": "a", "maxLength": 5})x",
      R"x({"type": "string", "minLength": 5, "maxLength": 2})x",
      R"x({"type": "object", "properties": 5})x",
      R"x({"type": "object", "properties": {"a": {}}, "required": [5]})x",
      R"x({"type": "array", "items": false, "minItems": 1})x",
      R"x({"type": "integer", "minimum": 1e40})x",
      R"x({"type": "integer", "minimum": 5, "maximum": 4})x",
      R"x({"type": "number", "multipleOf": 0.1})x",
      R"x({"allOf": [{"type": "string"}, {"type": "string"}]})x",
      R"x({"oneOf": [{"type": "number"}, {"type": "integer"}]})x",
  };
  const std::vector<std::string> regexes = {"(",
                                            ")",
                                            "[a",
                                            "[z-a]",
                                            "[]",
                                            "*a",
                                            "a**",
                                            "a{3,1}",
                                            "a{",
                                            "{",
                                            "a{,5}",
                                            "a{99999999999999999999}",
                                            "\\",
                                            "\\q",
                                            "\\p{L}",
                                            "\\bfoo",
                                            "(?=x)y",
                                            "(?<!x)y",
                                            "(?i)a",
                                            "(a)\\1",
                                            "a^b",
                                            "\xff",
                                            std::string("a\0b", 3),
                                            "[^\\s\\S]",
                                            "\\xZZ",
                                            "\\u{}",
                                            std::string(9000, 'a'),
                                            std::string(100, '(') + std::string(100, ')')};
  const std::vector<std::string> grammars = {"",
                                             "nothing",
                                             "root ::= x",
                                             "root ::= \"a",
                                             "root ::= root",
                                             "root ::= Token(999999999)",
                                             "root ::= \"a\"\nroot ::= \"b\"",
                                             std::string(70000, '#'),
                                             "root ::= [a-z]{1,100000}",
                                             "root ::= " + std::string(10000, '{'),
                                             "root ::= \xff"};
  const auto expect_refused = [](const std::string& input, const std::string& error) {
    EXPECT_EQ(error.find("invalid argument: "), 0u) << input.substr(0, 200) << " gave: " << error;
    EXPECT_EQ(error.find("type()"), std::string::npos) << "C++ in a message: " << error;
  };
  for (const auto& text : schemas)
    expect_refused(text, error_of([&] { constraint.compile_json_schema(text); }));
  for (const auto& text : regexes) expect_refused(text, error_of([&] { constraint.compile_regex(text); }));
  for (const auto& text : grammars) expect_refused(text, error_of([&] { constraint.compile_ebnf(text); }));
}

TEST(Constraint, StringsOfPatternsAndLengthsStayJson) {
  // Raw quotes and control characters would fit the pattern or the length, not JSON.
  for (
      const char* schema : {
          R"x({"type": "string", "minLength": 30, "maxLength": 90})x",
          R"x({"type": "string", "pattern": "^.{20,60}$"})x",
          R"x({"type": "array", "items": {"type": "string", "pattern": "^[^a]{2,9}$"}, "minItems": 5, "maxItems": 9})x",
          R"x({"type": "object", "patternProperties": {"^[^a]{3}$": {"type": "integer"}}, "minProperties": 3,
                "maxProperties": 5, "additionalProperties": false})x",
          R"x({"type": "object", "propertyNames": {"pattern": "^.{3,5}$"}, "minProperties": 3, "maxProperties": 5})x",
      }) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const TokenTable table = small_table(seed);
      const std::string text = generate(table, Constraint(table).compile_json_schema(schema), seed, 200);
      EXPECT_FALSE(Json::parse(text, nullptr, false).is_discarded()) << schema << " gave " << text;
    }
  }
}

TEST(Constraint, ExplosiveGrammarsEndWithinTheirBudget) {
  const TokenTable table = small_table(5);
  const ConstraintLimits limits = {
      .compile_seconds = 0.3, .step_seconds = 0.1, .answer_seconds = 0.3, .max_states = 100'000};
  const Constraint constraint(table, limits);
  const auto repeated = [](const std::string& part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += part;
    return text;
  };
  const std::vector<std::string> regexes = {"(([a-z]{1,100}){1,100}){1,100}",
                                            "([a-z]{0,9999}){0,9999}",
                                            "(([a-z]+|[a-m]+|[n-z]+|[a-f0-9]+)*,)*",
                                            repeated("[a-z]+[0-9]?", 300),
                                            repeated("(a?){0,64}", 100),
                                            repeated("[\\u0100-\\uffff]*", 100),
                                            repeated("(", 60) + "[a-z]" + repeated(")+", 60)};
  const std::vector<std::string> grammars = {"root ::= s\ns ::= s s s | s s | [a-z] | \"\"\n",
                                             "root ::= " + repeated("[^a]*", 2000) + "\n",
                                             "root ::= " + repeated("\"a\"? ", 2000) + "\n",
                                             "root ::= (" + repeated("([a-z]+ \"b\") | ", 700) + "\"c\")*\n"};
  const auto run = [&](const std::function<Grammar()>& compile) {
    const clock_t start = std::clock();
    const std::string error = error_of([&] {
      Matcher matcher(compile());
      std::vector<float> logits(static_cast<size_t>(table.vocab_size));
      for (int i = 0; i < 300; ++i) {
        matcher.apply_mask(logits);
        if (!matcher.accept('a')) break;
      }
    });
    // What comes before the parser (reading, optimising) is bounded by the text's size only.
    EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 10.0);
    return error;
  };
  size_t refused = 0;
  for (const auto& text : regexes) {
    const std::string error = run([&] { return constraint.compile_regex(text); });
    EXPECT_TRUE(error.empty() || error.find(": too ") != std::string::npos)
        << text.substr(0, 60) << ": " << error;
    refused += !error.empty();
  }
  for (const auto& text : grammars) {
    const std::string error = run([&] { return constraint.compile_ebnf(text); });
    EXPECT_TRUE(error.empty() || error.find(": too ") != std::string::npos)
        << text.substr(0, 60) << ": " << error;
    refused += !error.empty();
  }
  EXPECT_GE(refused, 5u) << "the budget was never needed: the inputs are too easy";
}

TEST(Matcher, StaysRefusedOnceALimitWasPassed) {
  const TokenTable table = small_table(6);
  const Constraint constraint(table, {.answer_seconds = 0});
  std::vector<float> logits(static_cast<size_t>(table.vocab_size));
  const std::string grammar = "root ::= s\ns ::= s s | [a-z] | \"\"\n";
  EXPECT_NE(error_of([&] {
              Matcher matcher(constraint.compile_ebnf(grammar));
              for (int i = 0; i < 300; ++i) matcher.accept('a');
            }).find("too complex: it takes longer than 0.0 s"),
            std::string::npos);
  Matcher matcher(Constraint(table, {.answer_seconds = 0.05}).compile_ebnf(grammar));
  EXPECT_NE(error_of([&] {
              for (int i = 0; i < 3000; ++i) matcher.accept('a');
            }).find("too complex"),
            std::string::npos);
  EXPECT_NE(error_of([&] { matcher.accept('a'); }).find("a limit was passed before"), std::string::npos);
  EXPECT_NE(error_of([&] { matcher.apply_mask(logits); }).find("a limit was passed before"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::sampling
