// Why an item is kept or dropped. Plain data, and the file that holds one verdict an item: read in order,
// written anywhere, so that memory does not grow with the items.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace vl3::curate {

enum class Reason : uint8_t {
  kKept,
  kUnusable,  ///< the row says why
  kTooSmall,
  kAspectRatio,
  kBlank,
  kDark,
  kBright,
  kBlurred,
  kNotSharp,
  kStatic,
  kLittleMotion,
  kNoClip,
  kNoCaption,
  kCaptionShort,
  kCaptionLong,
  kCaptionRepetition,
  kCaptionSymbols,
  kCaptionControls,
  kCaptionMediaTag,
  kScorer,
  kTextImageSimilarity,
  kExactDuplicate,
  kNearDuplicate,
  kCaptionTemplate,
  kFeatureDuplicate,
  kClusterQuota,
};
inline constexpr int kReasons = static_cast<int>(Reason::kClusterQuota) + 1;

/// As in dropped.jsonl: "aspect_ratio", "near_duplicate", …
std::string_view reason_name(Reason reason);

/// The stage of the funnel that a reason belongs to, in the order they run.
enum class Stage : uint8_t {
  kValidity,
  kAspect,
  kQuality,
  kVideo,
  kText,
  kScores,
  kSimilarity,
  kDuplicates,
  kTemplates,
  kDiversity
};
inline constexpr int kStages = static_cast<int>(Stage::kDiversity) + 1;
Stage stage_of(Reason reason);
std::string_view stage_name(Stage stage);

struct Verdict {
  Reason reason = Reason::kKept;
  uint8_t scorer = 0;  ///< of kScorer: index into the recipe's scorers
  uint16_t unused = 0;
  int32_t cluster = -1;
  int64_t other = -1;  ///< of duplicates: the item that stays
  float value = 0;     ///< of duplicates: hash distance or cosine
  float unused2 = 0;
};
static_assert(sizeof(Verdict) == 24);

class VerdictFile {
 public:
  /// A new file of `items` verdicts, all kept.
  VerdictFile(const std::filesystem::path& path, int64_t items);
  ~VerdictFile();
  VerdictFile(VerdictFile&& other) noexcept;
  VerdictFile(const VerdictFile&) = delete;
  VerdictFile& operator=(const VerdictFile&) = delete;
  /// One that was written before, to be read. @throws Error(kNotFound), Error(kCorrupt) for another size.
  static VerdictFile open(const std::filesystem::path& path, int64_t items);

  Verdict get(int64_t position) const;
  std::vector<Verdict> get(int64_t begin, int64_t count) const;
  void set(int64_t position, const Verdict& verdict);
  void set(int64_t begin, const std::vector<Verdict>& verdicts);
  int64_t items() const { return items_; }

 private:
  VerdictFile(const std::filesystem::path& path, int64_t items, int fd)
      : path_(path), fd_(fd), items_(items) {}
  std::filesystem::path path_;
  int fd_ = -1;
  int64_t items_;
};

}  // namespace vl3::curate
