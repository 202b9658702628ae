#include "hub/digest.h"

#include <fstream>
#include <vector>

#include "core/check.h"
#include "core/digest.h"

namespace vl3::hub {

std::string digest_like(const std::string& etag, const std::filesystem::path& path) {
  const bool hex = etag.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex || (etag.size() != 64 && etag.size() != 40)) return "";

  Digest digest(etag.size() == 64 ? DigestKind::kSha256 : DigestKind::kSha1);
  if (etag.size() == 40) {
    const std::string head = fmt::format("blob {}", std::filesystem::file_size(path));
    digest.add(head.c_str(), head.size() + 1);  // with the NUL
  }
  std::ifstream file(path, std::ios::binary);
  VL3_CHECK(file.is_open(), kCorrupt, "{}: cannot be read", path.string());
  std::vector<char> piece(1 << 20);
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())), file.gcount() > 0)
    digest.add(piece.data(), static_cast<size_t>(file.gcount()));
  VL3_CHECK(!file.bad(), kCorrupt, "{}: reading failed", path.string());
  return digest.hex();
}

}  // namespace vl3::hub
