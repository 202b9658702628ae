#include "data/bad_sample.h"

#include "core/check.h"

namespace vl3::data {
namespace {

ErrorCode code_of(BadKind kind) {
  switch (kind) {
    case BadKind::kMissingFile:
      return ErrorCode::kNotFound;
    case BadKind::kDecode:
    case BadKind::kJson:
      return ErrorCode::kCorrupt;
    case BadKind::kOverLength:
    case BadKind::kLimit:
    case BadKind::kTimeout:
      return ErrorCode::kResourceExhausted;
    default:
      return ErrorCode::kInvalidArgument;
  }
}

}  // namespace

const char* bad_kind_name(BadKind kind) {
  switch (kind) {
    case BadKind::kMissingFile:
      return "missing_file";
    case BadKind::kDecode:
      return "decode";
    case BadKind::kTagCount:
      return "tag_count";
    case BadKind::kNoAssistant:
      return "no_assistant";
    case BadKind::kTooFewTurns:
      return "too_few_turns";
    case BadKind::kVideoField:
      return "video_field";
    case BadKind::kSchema:
      return "schema";
    case BadKind::kJson:
      return "json";
    case BadKind::kOverLength:
      return "over_length";
    case BadKind::kLimit:
      return "limit";
    case BadKind::kTimeout:
      return "timeout";
  }
  return "schema";
}

BadSample::BadSample(BadKind kind, const std::string& reason, std::string id)
    : Error(code_of(kind), reason), kind_(kind), id_(std::move(id)) {}

BadSample as_bad_sample(const Error& error) {
  if (const auto* bad = dynamic_cast<const BadSample*>(&error)) return *bad;
  switch (error.code()) {
    case ErrorCode::kNotFound:
      return {BadKind::kMissingFile, error.what()};
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
      return {BadKind::kDecode, error.what()};
    case ErrorCode::kResourceExhausted:
      return {BadKind::kLimit, error.what()};
    case ErrorCode::kInvalidArgument:
      return {BadKind::kSchema, error.what()};
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      break;
  }
  throw error;
}

OrderedJson to_json(const BadSampleEntry& entry) {
  return {{"id", entry.id},
          {"source", entry.source},
          {"line", entry.line},
          {"kind", bad_kind_name(entry.kind)},
          {"reason", entry.reason}};
}

void check_bad_share(int64_t seen, int64_t bad, double max_bad_share, const std::string& last_reason,
                     const std::string& log) {
  const double share = seen == 0 ? 0 : static_cast<double>(bad) / static_cast<double>(seen);
  VL3_CHECK(
      seen < kLeastSeen || share <= max_bad_share, kCorrupt,
      "{} of {} samples are bad, a share of {:.3f} above data.max_bad_share = {}; the last one: {}. Look "
      "into {}, mend the data or allow more",
      bad, seen, share, max_bad_share, last_reason, log);
}

}  // namespace vl3::data
