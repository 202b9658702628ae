#include "core/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>

#include "core/check.h"

namespace vl3 {

struct Digest::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Digest::Digest(DigestKind kind) : context_(std::make_unique<Context>()) {
  const EVP_MD* algorithm = kind == DigestKind::kSha256 ? EVP_sha256() : EVP_sha1();
  VL3_CHECK(context_->evp != nullptr && EVP_DigestInit_ex(context_->evp, algorithm, nullptr) == 1, kInternal,
            "OpenSSL cannot hash");
}

Digest::~Digest() = default;

void Digest::add(const void* data, size_t size) {
  VL3_CHECK(EVP_DigestUpdate(context_->evp, data, size) == 1, kInternal, "OpenSSL cannot hash");
}

std::string Digest::bytes() {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  VL3_CHECK(EVP_DigestFinal_ex(context_->evp, reinterpret_cast<unsigned char*>(digest.data()), &size) == 1,
            kInternal, "OpenSSL cannot hash");
  digest.resize(size);
  return digest;
}

std::string Digest::hex() {
  std::string text;
  for (const char byte : bytes()) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

Sha256Bytes sha256(std::string_view bytes) {
  Digest digest;
  digest.add(bytes);
  Sha256Bytes result{};
  std::ranges::copy(digest.bytes(), result.begin());
  return result;
}

std::string sha256_hex(std::string_view bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.hex();
}

}  // namespace vl3
