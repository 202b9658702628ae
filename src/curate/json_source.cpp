// Lines of JSON, lists in .json, and folders through the list of their files. Lines are read one by one, from
// a file that is opened for a shard: an input may have more files than a process may hold open.
#include "core/check.h"
#include "curate/annotation.h"
#include "curate/file_source.h"
#include "curate/folder_listing.h"
#include "curate/line_reader.h"
#include "data/annotation_file.h"
#include "data/bad_sample.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

void refuse_long(uint64_t bytes, Item* item) {
  item->reason = "line_too_long";
  item->detail = fmt::format("{} bytes; at most {}", bytes, kMaxAnnotation);
}

class JsonlSource : public FileSource {
 public:
  /// @param lines  the file that is read; where it is not `file` itself: the listing of a folder.
  JsonlSource(const InputFile& file, const InputConfig& input, fs::path lines, std::string digest = "")
      : FileSource(file, input), lines_(std::move(lines)), digest_(std::move(digest)) {
    const data::RandomAccessFile opened(lines_);
    LineReader reader(opened);
    LineReader::Line line;
    for (; reader.next(&line, false); ++count_) {
      if (count_ % input_.shard_items == 0) begins_.emplace_back(line.begin, line.number);
    }
  }

  std::unique_ptr<ItemReader> open(int64_t shard) const override {
    return std::make_unique<Reader>(*this, shard);
  }

  std::string fingerprint() const override {
    return digest_.empty() ? FileSource::fingerprint() : fingerprint_of(digest_);
  }

 private:
  class Reader : public ItemReader {
   public:
    Reader(const JsonlSource& source, int64_t shard)
        : source_(source),
          at_(source.begin_of(shard)),
          end_(at_ + source.size_of(shard)),
          file_(source.lines_),
          reader_(file_, source.begins_[static_cast<size_t>(shard)].first,
                  source.begins_[static_cast<size_t>(shard)].second) {}

    std::optional<Item> next() override {
      if (at_ == end_) return std::nullopt;
      VL3_CHECK(reader_.next(&line_), kCorrupt, "{}: has changed since it was opened",
                source_.lines_.string());
      return source_.item_of(at_++, line_);
    }

   private:
    const JsonlSource& source_;
    int64_t at_, end_;
    data::RandomAccessFile file_;
    LineReader reader_;
    LineReader::Line line_;
  };

  Item item_of(int64_t position, const LineReader::Line& line) const {
    Item item = start(position, line.number);
    if (line.length > kMaxAnnotation) {
      refuse_long(line.length, &item);
    } else {
      read_annotation(line.text, input_, &item);
    }
    if (!digest_.empty()) complete(&item);
    return item;
  }

  // A line of the listing names a file; all that is known about that lies beside it.
  void complete(Item* item) const {
    if (item->source.is_object() && item->source.value("not_utf8", false)) item->reason = "name_not_utf8";
    item->where = printable(item->prefix + item->media);
    item->source = nullptr;
    if (item->reason.empty()) read_sidecars(input_, item);
  }

  fs::path lines_;
  std::string digest_;                                // of a folder; "" for a file of lines
  std::vector<std::pair<uint64_t, int64_t>> begins_;  // a shard's first line: offset, number
};

class JsonSource : public IndexedSource {
 public:
  JsonSource(const InputFile& file, const InputConfig& input) : IndexedSource(file, input), list_(file.path) {
    count_ = list_.size();
  }

 private:
  Item item_of(int64_t index) const override {
    Item item = start(index, list_.line(index));
    std::string text;
    try {
      text = list_.text(index);
    } catch (const data::BadSample& error) {  // longer than may be read at all
      item.reason = "line_too_long";
      item.detail = error.what();
      return item;
    }
    read_annotation(text, input_, &item);
    return item;
  }

  data::AnnotationFile list_;
};

}  // namespace

std::unique_ptr<ItemSource> jsonl_source(const InputFile& file, const InputConfig& input) {
  return std::make_unique<JsonlSource>(file, input, file.path);
}

std::unique_ptr<ItemSource> json_source(const InputFile& file, const InputConfig& input) {
  return std::make_unique<JsonSource>(file, input);
}

std::unique_ptr<ItemSource> folder_source(const InputFile& file, const InputConfig& input,
                                          const fs::path& listing, const std::string& digest) {
  return std::make_unique<JsonlSource>(file, input, listing, digest);
}

}  // namespace vl3::curate
