#include "curate/row_reader.h"

#include <fmt/format.h>

#include "core/check.h"
#include "curate/line_reader.h"

namespace vl3::curate {

void each_json(const std::filesystem::path& file, const std::function<void(const Json&)>& take) {
  const data::RandomAccessFile opened(file);
  LineReader reader(opened);
  LineReader::Line line;
  while (reader.next(&line)) take(parse_json(line.text, fmt::format("{}:{}", file.string(), line.number)));
}

void each_row(const std::filesystem::path& file, const std::function<void(ScoreRow)>& take) {
  each_json(file, [&](const Json& json) { take(row_of(json, file.string())); });
}

}  // namespace vl3::curate
