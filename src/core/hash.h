// A hash that is the same on every machine and in every release, for choices that depend on a name.
#pragma once

#include <cstdint>
#include <string_view>

namespace vl3 {

/// FNV-1a, 64 bits. Not for input that somebody may choose to collide.
constexpr uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace vl3
