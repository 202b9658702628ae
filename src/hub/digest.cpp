#include "hub/digest.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>
#include <vector>

#include "core/check.h"

namespace vl3::hub {

std::string digest_like(const std::string& etag, const std::filesystem::path& path) {
  const bool hex = etag.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex || (etag.size() != 64 && etag.size() != 40)) return "";

  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool good = context &&
              EVP_DigestInit_ex(context.get(), etag.size() == 64 ? EVP_sha256() : EVP_sha1(), nullptr) == 1;
  if (etag.size() == 40) {
    const std::string head = fmt::format("blob {}", std::filesystem::file_size(path));
    good = good && EVP_DigestUpdate(context.get(), head.c_str(), head.size() + 1) == 1;  // with the NUL
  }
  std::ifstream file(path, std::ios::binary);
  VL3_CHECK(file.is_open(), kCorrupt, "{}: cannot be read", path.string());
  std::vector<char> piece(1 << 20);
  while (good && (file.read(piece.data(), static_cast<std::streamsize>(piece.size())), file.gcount() > 0)) {
    good = EVP_DigestUpdate(context.get(), piece.data(), static_cast<size_t>(file.gcount())) == 1;
  }
  VL3_CHECK(!file.bad(), kCorrupt, "{}: reading failed", path.string());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  good = good && EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1;
  VL3_CHECK(good, kInternal, "OpenSSL cannot hash {}", path.string());
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace vl3::hub
