#include "data/record_list.h"

#include <glob.h>

#include <algorithm>

#include "core/check.h"
#include "data/annotation_file.h"
#include "data/random.h"
#include "data/synth_list.h"
#include "data/webdataset_list.h"

namespace vl3::data {
namespace {

namespace fs = std::filesystem;

/// The files of .json and .jsonl annotations, one after the other; every pass is one shuffle over all of
/// them.
class AnnotationList final : public RecordList {
 public:
  AnnotationList(const std::vector<fs::path>& paths, const DataSource& source, int64_t list,
                 RecordFormat format)
      : list_(list), format_(format) {
    for (const fs::path& path : paths) {
      auto file = std::make_shared<const AnnotationFile>(path);
      roots_.push_back(source.data_folder.empty() ? path.parent_path() : fs::path(source.data_folder));
      size_ += file->size();
      ends_.push_back(size_);
      fingerprint_ += file_fingerprint(path, file->size(), file->bytes(), file->digest());
      files_.push_back(std::move(file));
    }
    VL3_CHECK(size_ > 0, kInvalidArgument, "{}: holds no annotation", paths.front().string());
  }

  int64_t size() const override { return size_; }

  Record record(int64_t index) const override {
    const auto at = static_cast<size_t>(std::ranges::upper_bound(ends_, index) - ends_.begin());
    const int64_t inner = index - (at == 0 ? 0 : ends_[at - 1]);
    Record record;
    record.origin = {files_[at]->path().string(), files_[at]->line(inner), list_};
    record.load = [file = files_[at], root = roots_[at], format = format_, inner] {
      RecordContent content;
      content.json = file->text(inner);
      content.format = format;
      content.media_root = root;
      return content;
    };
    return record;
  }

  int64_t order(uint64_t seed, int64_t pass, int64_t k) const override {
    return Permutation(size_, mix({seed, static_cast<uint64_t>(list_), static_cast<uint64_t>(pass)}))(k);
  }

  std::string fingerprint() const override { return fingerprint_; }

 private:
  std::vector<std::shared_ptr<const AnnotationFile>> files_;
  std::vector<fs::path> roots_;
  std::vector<int64_t> ends_;  // of each file, in records
  int64_t size_ = 0;
  int64_t list_;
  RecordFormat format_;
  std::string fingerprint_;
};

std::vector<fs::path> expand(const std::vector<std::string>& patterns) {
  std::vector<fs::path> paths;
  for (const std::string& pattern : patterns) {
    const std::vector<fs::path> files = matching_files(pattern);
    VL3_CHECK(!files.empty(), kNotFound, "{}: no file matches", pattern);
    paths.insert(paths.end(), files.begin(), files.end());
  }
  return paths;
}

}  // namespace

std::string file_fingerprint(const fs::path& path, int64_t records, uint64_t bytes,
                             const std::string& digest) {
  return fmt::format("{}: {} records, {} bytes, {:.16}; ", path.filename().string(), records, bytes, digest);
}

std::vector<fs::path> matching_files(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == pattern.npos || fs::exists(pattern)) return {pattern};
  std::vector<fs::path> paths;
  glob_t found{};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &found);  // sorted by the library
  for (size_t i = 0; status == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  return paths;
}

std::shared_ptr<const RecordList> open_record_list(const DataSource& source, int64_t list,
                                                   int64_t shuffle_window) {
  if (!source.synth.empty()) {
    VL3_CHECK(source.data_path.empty(), kInvalidArgument,
              "data source {}: both synth and data_path; make them two", list);
    return std::make_shared<const SynthList>(source, list);
  }
  VL3_CHECK(!source.data_path.empty(), kInvalidArgument, "data source {}: data_path names no file", list);
  const bool known = source.format == "auto" || source.format == "official" || source.format == "messages" ||
                     source.format == "webdataset";
  VL3_CHECK(
      known, kInvalidArgument,
      "data source {}: format \"{}\"; it must be \"auto\", \"official\", \"messages\" or \"webdataset\"",
      list, source.format);
  const std::vector<fs::path> paths = expand(source.data_path);
  const auto tars =
      std::ranges::count_if(paths, [](const fs::path& path) { return path.extension() == ".tar"; });
  VL3_CHECK(tars == 0 || tars == static_cast<int64_t>(paths.size()), kInvalidArgument,
            "data source {}: .tar and annotation files in one list; make them two", list);
  if (tars > 0 || source.format == "webdataset") {
    VL3_CHECK(source.format == "auto" || source.format == "webdataset", kInvalidArgument,
              "{}: a tar is of format \"webdataset\" (or \"auto\"), not \"{}\"", paths.front().string(),
              source.format);
    return std::make_shared<const WebDatasetList>(paths, list, shuffle_window);
  }
  const RecordFormat format = source.format == "official"   ? RecordFormat::kOfficial
                              : source.format == "messages" ? RecordFormat::kMessages
                                                            : RecordFormat::kAuto;
  return std::make_shared<const AnnotationList>(paths, source, list, format);
}

}  // namespace vl3::data
