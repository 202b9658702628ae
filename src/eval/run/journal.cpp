#include "eval/run/journal.h"

#include <algorithm>

#include "core/check.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 2;  // 1 named questions by their ids alone

fs::path journal_path(const fs::path& folder, int64_t rank) {
  return folder / fmt::format("journal-{:04}.jsonl", rank);
}

std::vector<fs::path> journals(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("journal-") && name.ends_with(".jsonl")) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void check_settings(const OrderedJson& wanted, const OrderedJson& found, const fs::path& path) {
  for (const auto& [key, value] : wanted.items()) {
    const OrderedJson other = found.contains(key) ? found[key] : OrderedJson();
    VL3_CHECK(value == other, kInvalidArgument,
              "{}: holds answers with {} = {}, this run has {}; choose another --output", path.string(), key,
              other.dump(), value.dump());
  }
}

Record read_record(const JsonView& line) {
  Record record;
  record.error = line.string_or("error", "");
  record.reply.text = line.string_or("response", "");
  record.reply.finish_reason = line.string_or("finish_reason", "");
  record.reply.prompt_tokens = line.integer_or("prompt_tokens", 0);
  record.reply.completion_tokens = line.integer_or("completion_tokens", 0);
  record.seconds = line.number_or("seconds", 0);
  return record;
}

}  // namespace

Journal::Journal(const fs::path& folder, int64_t rank, const OrderedJson& settings) {
  for (const fs::path& path : journals(folder)) {
    const std::vector<std::string> lines = whole_lines(path);
    if (!lines.empty()) {
      parse_json(lines.front(), path.string());
      const OrderedJson head = OrderedJson::parse(lines.front());
      VL3_CHECK(head.is_object() && head.contains("settings"), kCorrupt, "{}: is no journal of vl3 eval",
                path.string());
      VL3_CHECK(head.contains("journal") && head["journal"] == kFormat, kInvalidArgument,
                "{}: was written by another version of vl3; choose another --output", path.string());
      check_settings(settings, head["settings"], path);
    }
  }
  file_ = std::make_unique<AppendFile>(journal_path(folder, rank));
  if (file_->lines().empty()) file_->append(OrderedJson{{"journal", kFormat}, {"settings", settings}});
}

Records Journal::read(const fs::path& folder) {
  Records records;
  for (const fs::path& path : journals(folder)) {
    const std::vector<std::string> lines = whole_lines(path);
    for (size_t i = 1; i < lines.size(); ++i) {
      const std::string where = fmt::format("{}: line {} (delete it to go on)", path.string(), i + 1);
      const Json json = parse_json(lines[i], where);
      const JsonView line(json, where);
      Record record = read_record(line);
      auto& task = records[line.string("task")];
      const std::string key = line.string("question");
      const auto known = task.find(key);
      if (known == task.end())
        task.emplace(key, std::move(record));
      else if (!known->second.error.empty())
        known->second = std::move(record);
    }
  }
  return records;
}

bool Journal::at_work(const fs::path& folder, int64_t rank) {
  return AppendFile::in_use(journal_path(folder, rank));
}

void Journal::append(const std::string& task, const std::string& key, const Record& record) {
  OrderedJson line{{"task", task}, {"question", key}};
  if (!record.error.empty()) {
    line["error"] = record.error;
  } else {
    line["response"] = record.reply.text;
    line["finish_reason"] = record.reply.finish_reason;
    line["prompt_tokens"] = record.reply.prompt_tokens;
    line["completion_tokens"] = record.reply.completion_tokens;
  }
  line["seconds"] = record.seconds;
  const std::lock_guard lock(mutex_);
  file_->append(line);
}

}  // namespace vl3::eval
