// WebDataset tars, written by libarchive under a temporary name. One thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

struct archive;

namespace vl3::curate {

class TarWriter {
 public:
  /// @throws Error(kInvalidArgument), Error(kResourceExhausted).
  explicit TarWriter(const std::filesystem::path& path);
  ~TarWriter();  ///< without commit(): the file is removed
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  void add(const std::string& name, std::string_view bytes);
  void commit();

 private:
  void check(int status) const;
  std::filesystem::path path_, temporary_;
  struct archive* archive_ = nullptr;
};

}  // namespace vl3::curate
