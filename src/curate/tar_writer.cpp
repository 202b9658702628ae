#include "curate/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <memory>

#include "core/check.h"

namespace vl3::curate {

TarWriter::TarWriter(const std::filesystem::path& path)
    : path_(path),
      temporary_(path.string() + fmt::format(".{}.tmp", ::getpid())),
      archive_(archive_write_new()) {
  archive_write_set_format_ustar(archive_);
  check(archive_write_open_filename(archive_, temporary_.c_str()));
}

TarWriter::~TarWriter() {
  if (archive_ == nullptr) return;
  archive_write_free(archive_);
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void TarWriter::check(int status) const {
  VL3_CHECK(status == ARCHIVE_OK, kResourceExhausted, "{}: cannot be written: {}", path_.string(),
            archive_error_string(archive_) == nullptr ? "?" : archive_error_string(archive_));
}

void TarWriter::add(const std::string& name, std::string_view bytes) {
  struct Free {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
  };
  const std::unique_ptr<archive_entry, Free> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  check(archive_write_header(archive_, entry.get()));
  VL3_CHECK(archive_write_data(archive_, bytes.data(), bytes.size()) == static_cast<la_ssize_t>(bytes.size()),
            kResourceExhausted, "{}: cannot be written", path_.string());
}

void TarWriter::commit() {
  check(archive_write_close(archive_));
  archive_write_free(archive_);
  archive_ = nullptr;
  std::filesystem::rename(temporary_, path_);
}

}  // namespace vl3::curate
