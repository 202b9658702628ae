#include "curate/candidates.h"

#include <algorithm>
#include <vector>

#include "core/check.h"

namespace vl3::curate {

constexpr size_t kBlock = 1024;

CandidateFile::CandidateFile(const std::filesystem::path& path)
    : path_(path), file_(std::fopen(path.c_str(), "w+b")) {
  VL3_CHECK(file_ != nullptr, kInvalidArgument, "{}: cannot be written", path.string());
}

void CandidateFile::add(const Candidate& candidate) {
  VL3_CHECK(std::fwrite(&candidate, sizeof candidate, 1, file_.get()) == 1, kResourceExhausted,
            "{}: disk full", path_.string());
  ++count_;
}

void CandidateFile::each_kept(const VerdictFile& verdicts,
                              const std::function<void(const Candidate&)>& take) const {
  VL3_CHECK(std::fflush(file_.get()) == 0, kResourceExhausted, "{}: disk full", path_.string());
  std::rewind(file_.get());
  std::vector<Candidate> block(kBlock);
  while (true) {
    block.resize(kBlock);
    block.resize(std::fread(static_cast<void*>(block.data()), sizeof(Candidate), kBlock, file_.get()));
    VL3_CHECK(std::ferror(file_.get()) == 0, kCorrupt, "{}: cannot be read", path_.string());
    if (block.empty()) break;
    // In the order of the input: their verdicts stand together, apart from those of items dropped before.
    const int64_t begin = block.front().rank.position;
    const std::vector<Verdict> found = verdicts.get(begin, block.back().rank.position - begin + 1);
    for (const Candidate& candidate : block) {
      if (found[static_cast<size_t>(candidate.rank.position - begin)].reason == Reason::kKept)
        take(candidate);
    }
  }
  std::fseek(file_.get(), 0, SEEK_END);
}

}  // namespace vl3::curate
