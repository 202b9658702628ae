// WebDataset tars. A sample is glanced at for its texts and for which member is the medium; that member's
// bytes are read again when they are wanted.
#include "core/ascii.h"
#include "core/check.h"
#include "curate/annotation.h"
#include "curate/file_source.h"
#include "curate/media_path.h"
#include "data/bad_sample.h"
#include "data/tar_reader.h"
#include "media/sniff.h"

namespace vl3::curate {
namespace {

constexpr uint64_t kHeadBytes = 4096;  // tells a medium

bool is_text(const std::string& extension) {
  return extension == "json" || extension == "txt" || extension == "caption";
}

bool is_medium(const data::TarMember& member) {
  return media::sniff_still(member.bytes) != media::StillFormat::kNone || media::sniff_video(member.bytes) ||
         is_media_name(member.name);
}

// The bytes of one member of a sample.
CarriedBytes member_of(const std::shared_ptr<const data::TarReader>& tar, int64_t sample,
                       const data::TarMember& member) {
  return {member.size, [tar, sample, name = member.name](uint64_t most) {
            std::vector<data::TarMember> members = tar->read(
                sample, [&](const data::TarMember& other) { return other.name == name ? most : 0; });
            for (data::TarMember& one : members) {
              if (one.name == name) return std::move(one.bytes);
            }
            VL3_FAIL(kCorrupt, "{}: has changed since it was opened", tar->path().string());
          }};
}

class TarSource : public IndexedSource {
 public:
  TarSource(const InputFile& file, const InputConfig& input, std::string* fault)
      : IndexedSource(file, input) {
    try {
      tar_ = std::make_shared<const data::TarReader>(file.path);
      count_ = tar_->size();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCorrupt) throw;
      fault_ = *fault = error.what();
      count_ = 1;
    }
  }

  bool carries_media() const override { return true; }

 private:
  Item item_of(int64_t index) const override {
    Item item = start(index, index + 1);
    if (!fault_.empty()) {
      item.reason = "broken_tar_sample";
      item.detail = fault_;
      return item;
    }
    try {
      take(tar_->read(index,
                      [](const data::TarMember& member) {
                        return is_text(ascii_lower(member.extension)) ? kMaxAnnotation + 1 : kHeadBytes;
                      }),
           &item);
    } catch (const data::BadSample& error) {
      item.reason = "broken_tar_sample";
      item.detail = error.what();
    }
    return item;
  }

  void take(const std::vector<data::TarMember>& members, Item* item) const {
    const data::TarMember *caption = nullptr, *medium = nullptr;
    for (const data::TarMember& member : members) {
      const std::string extension = ascii_lower(member.extension);
      if (extension == "json") {
        read_annotation(member.bytes, input_, item, MediumIs::kBeside);
      } else if (extension == "txt" || (extension == "caption" && caption == nullptr)) {
        caption = &member;
      } else if (medium == nullptr && is_medium(member)) {
        medium = &member;
      }
    }
    if (caption != nullptr) {
      item->text_bytes += caption->bytes.size();
      read_caption_text(caption->bytes, caption->name, item);
    }
    if (medium != nullptr) {
      item->media = printable(medium->name);
      item->bytes = member_of(tar_, item->position, *medium);
    } else if (item->reason.empty()) {
      item->reason = "no_media";
      add_detail("no member is a picture or a video", item);
    }
  }

  std::shared_ptr<const data::TarReader> tar_;
  std::string fault_;
};

}  // namespace

std::unique_ptr<ItemSource> tar_source(const InputFile& file, const InputConfig& input, std::string* fault) {
  return std::make_unique<TarSource>(file, input, fault);
}

}  // namespace vl3::curate
