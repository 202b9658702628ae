// docs/openapi.yaml lists what the parser reads: no more, no less. Read by its indentation, for there is no
// YAML reader here.
#include <fmt/format.h>

#include <regex>
#include <set>
#include <sstream>

#include "core/file.h"
#include "serve/openai/parsed.h"

namespace vl3::serve {
namespace {

const std::filesystem::path kRoot = VL3_SOURCE_DIR;

/// Names of the properties of a schema, which stand `indent` deep.
std::set<std::string> documented(const std::string& schema, size_t indent) {
  std::set<std::string> names;
  std::istringstream lines(read_file(kRoot / "docs/openapi.yaml", 1 << 20));
  const std::string head = fmt::format("    {}:", schema);
  const std::regex property(fmt::format("^{}(\\w+):.*", std::string(indent, ' ')));
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 4 && line.find_first_not_of(' ') == 4) inside = line == head;
    std::smatch found;
    if (inside && std::regex_match(line, found, property)) names.insert(found[1]);
  }
  EXPECT_FALSE(names.empty()) << schema;
  return names;
}

std::set<std::string> together(std::initializer_list<std::set<std::string>> sets) {
  std::set<std::string> all;
  for (const auto& names : sets) all.insert(names.begin(), names.end());
  return all;
}

Json nulls(const std::set<std::string>& names, const Json& more) {
  Json body;
  for (const std::string& name : names) body[name] = nullptr;
  body.update(more);
  return body;
}

std::set<std::string> chat_fields() {
  return together({documented("Generation", 8), documented("Template", 8), documented("Chat", 12)});
}
std::set<std::string> completion_fields() {
  return together({documented("Generation", 8), documented("Completion", 12)});
}
std::set<std::string> tokenize_fields() {
  return together({documented("Template", 8), documented("Tokenize", 12)});
}

TEST(OpenApi, EveryFieldIsRead) {
  const Json messages = {{{"role", "user"}, {"content", "hi"}}};
  const std::vector<std::string> none;
  EXPECT_EQ(parse_chat_request(nulls(chat_fields(), {{"messages", messages}}), {}).unknown, none);
  EXPECT_EQ(parse_completion_request(nulls(completion_fields(), {{"prompt", "x"}}), {}).unknown, none);
  EXPECT_EQ(parse_tokenize_request(nulls(tokenize_fields(), {{"messages", messages}})).unknown, none);
}

TEST(OpenApi, EveryFieldThatIsReadIsListed) {
  const std::set<std::string> all = together({chat_fields(), completion_fields(), tokenize_fields()});
  const std::regex read(R"((?:\bfields\.\w+\(|reader\.\w+\(fields, )\"(\w+)\")");
  size_t count = 0;
  for (const char* file : {"chat_request", "generation_fields", "constraint_fields", "media_fields"}) {
    const std::string source = read_file(kRoot / "src/serve/openai" / (std::string(file) + ".cpp"), 1 << 20);
    for (auto it = std::sregex_iterator(source.begin(), source.end(), read); it != std::sregex_iterator();
         ++it, ++count)
      EXPECT_TRUE(all.contains((*it)[1])) << file << ".cpp reads " << (*it)[1];
  }
  EXPECT_GT(count, 40u);
}

}  // namespace
}  // namespace vl3::serve
