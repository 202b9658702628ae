#include "weights/weight_files.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "core/check.h"
#include "core/digest.h"

namespace vl3::weights {
namespace {

namespace fs = std::filesystem;

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_weights_file(const std::string& name) {
  if (name == "model.safetensors" || name == "model.safetensors.index.json") return true;
  // model-00001-of-00002.safetensors
  constexpr std::string_view begin = "model-", middle = "-of-", end = ".safetensors";
  if (!name.starts_with(begin) || !name.ends_with(end) || name.size() < begin.size() + end.size())
    return false;
  const std::string shard = name.substr(begin.size(), name.size() - begin.size() - end.size());
  const size_t of = shard.find(middle);
  return of != std::string::npos && is_number(shard.substr(0, of)) &&
         is_number(shard.substr(of + middle.size()));
}

std::string weights_fingerprint(const fs::path& folder) {
  constexpr uint64_t kPieces = 256, kPieceBytes = 4096;
  std::set<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (is_weights_file(entry.path().filename().string())) files.insert(entry.path());
  }
  Digest digest;
  std::string piece(kPieceBytes, '\0');
  for (const fs::path& path : files) {
    const uint64_t bytes = fs::file_size(path);
    digest.add(fmt::format("{} {}\n", path.filename().string(), bytes));
    std::ifstream file(path, std::ios::binary);
    for (uint64_t i = 0; i < kPieces; ++i) {
      file.seekg(static_cast<std::streamoff>(bytes / kPieces * i));
      file.read(piece.data(),
                static_cast<std::streamsize>(std::min(kPieceBytes, bytes - bytes / kPieces * i)));
      VL3_CHECK(file.good(), kCorrupt, "{}: cannot be read", path.string());
      digest.add(piece.data(), static_cast<size_t>(file.gcount()));
    }
  }
  return digest.hex();
}

}  // namespace vl3::weights
