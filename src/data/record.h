// One annotation before it becomes a sample: where it stands and how to get at it. Streams hand these out in
// order and cheaply; loading and building happen in worker threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "preprocess/media_set.h"

namespace vl3::data {

/// Where an annotation stands.
struct Origin {
  std::string file;  ///< annotation file or tar; for generated data a name
  int64_t line = 0;  ///< from 1; in a tar, or of generated data, the ordinal of the sample
  int64_t list = 0;  ///< index into DataConfig::sources

  /// "data/a.jsonl:17".
  std::string where() const { return file + ":" + std::to_string(line); }
};

enum class RecordFormat {
  kAuto,      ///< "messages" where that key is there, else official
  kOfficial,  ///< the official annotation (spec/data.md 1)
  kMessages,  ///< {"messages": [...]} as OpenAI's API takes it
};

struct RecordContent {
  std::string json;  ///< one annotation object
  RecordFormat format = RecordFormat::kAuto;
  std::filesystem::path media_root;  ///< put before relative paths
  /// Media that come with the record, by every name its text may use for them. Looked up first; a generated
  /// record holds its decoded pictures here, without a file or an encoding.
  std::map<std::string, preprocess::MediaContent> media;
  /// Of generated records: the kind of question that each assistant turn answers ("scene.colour@one").
  std::vector<std::string> answer_kinds;
  bool carried_only = false;  ///< a reference to anything else is an error (tars)
};

struct Record {
  Origin origin;
  int64_t position = 0;  ///< in the whole run's order, from 0
  uint64_t seed = 0;     ///< for random choices within the sample
  /// Reads or generates the content. Any thread may call it, at any time, more than once.
  /// @throws BadSample, Error.
  std::function<RecordContent()> load;
  /// The same with carried media perhaps cut off behind their headers, where that spares reading them: enough
  /// to estimate the length. Unset: load() it is.
  std::function<RecordContent()> glance = nullptr;
};

/// The run's records in their order, the same in every process; who trains on which is decided later. Not
/// thread-safe.
class RecordStream {
 public:
  virtual ~RecordStream() = default;

  /// The next record; nothing after the last one.
  virtual std::optional<Record> next() = 0;

  /// Where next() stands. restore() with it, on a stream of the same data and options, goes on with the same
  /// record, whatever the number of processes.
  virtual Json state() const = 0;
  /// @throws Error(kInvalidArgument) for a state of other data.
  virtual void restore(const Json& state) = 0;

  /// Records of all epochs together; 0 where it never ends.
  virtual int64_t total_records() const = 0;
};

}  // namespace vl3::data
