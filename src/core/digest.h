// SHA-256 and SHA-1 by OpenSSL. Not thread-safe; one object, one digest.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace vl3 {

enum class DigestKind { kSha256, kSha1 };

class Digest {
 public:
  explicit Digest(DigestKind kind = DigestKind::kSha256);
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void add(const void* data, size_t size);
  void add(std::string_view bytes) { add(bytes.data(), bytes.size()); }
  /// The digest's bytes, 32 or 20. Once; nothing can be added after.
  std::string bytes();
  /// The same in lower-case hex.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

using Sha256Bytes = std::array<unsigned char, 32>;
Sha256Bytes sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);

}  // namespace vl3
