// A sample that cannot be trained on: why, in a stable word and one line, and the share of them that stops a
// run.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"
#include "vl3/error.h"

namespace vl3::data {

enum class BadKind {
  kMissingFile,  ///< a medium that is not there
  kDecode,       ///< a medium that is broken, cut off or of no known kind
  kTagCount,     ///< as many <image> or <video> as media are wanted
  kNoAssistant,  ///< nothing to learn
  kTooFewTurns,
  kVideoField,  ///< "video" is not a list of exactly one
  kSchema,      ///< a key is missing or of another type
  kJson,        ///< no JSON object, not UTF-8, nested too deeply
  kOverLength,  ///< longer than model_max_length, or its whole answer lies beyond
  kLimit,       ///< a medium larger than the limits of media
  kTimeout,     ///< took longer than sample_timeout_s
};

/// "missing_file", "decode", "tag_count", …: as bad_samples.jsonl has it.
const char* bad_kind_name(BadKind kind);

class BadSample : public Error {
 public:
  /// @param reason  one line: what, the value found, what to do.
  /// @param id  of the annotation, where it was read that far.
  BadSample(BadKind kind, const std::string& reason, std::string id = "");
  BadKind kind() const { return kind_; }
  const std::string& id() const { return id_; }

 private:
  BadKind kind_;
  std::string id_;
};

#define VL3_SAMPLE_CHECK(condition, kind, ...)                                                              \
  do {                                                                                                      \
    if (!(condition)) throw ::vl3::data::BadSample(::vl3::data::BadKind::kind, ::fmt::format(__VA_ARGS__)); \
  } while (false)

/// What an error met while building a sample says about it. Defects (kInternal) and cancellation are no fault
/// of the sample: those are thrown on.
BadSample as_bad_sample(const Error& error);

/// One line of bad_samples.jsonl.
struct BadSampleEntry {
  std::string id;
  std::string source;  ///< the annotation file
  int64_t line = 0;    ///< from 1; in a tar the ordinal of the sample
  BadKind kind = BadKind::kSchema;
  std::string reason;
};

/// {"id","source","line","kind","reason"}.
OrderedJson to_json(const BadSampleEntry& entry);

/// Samples seen before the share of bad ones is judged.
inline constexpr int64_t kLeastSeen = 50;

/// @param seen  samples so far, `bad` of them bad. @param max_bad_share  0..1.
/// @param last_reason  of the newest bad one. @param log  where all of them are written.
/// @throws Error(kCorrupt) when more than max_bad_share of at least kLeastSeen samples were bad.
void check_bad_share(int64_t seen, int64_t bad, double max_bad_share, const std::string& last_reason,
                     const std::string& log);

}  // namespace vl3::data
