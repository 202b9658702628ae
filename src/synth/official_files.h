// A generated test set in the files of published benchmarks, for whatever reads those.
#pragma once

#include <filesystem>
#include <vector>

#include "synth/benchmark.h"

namespace vl3::synth {

/// Writes official/{AI2D,ChartQA,DocVQA,OCRBench,mvbench,charades_sta}/ below the folder of the test set,
/// each with the items that suit it (scenes with options, charts, documents, print, clips with options,
/// spans), as `vl3 eval --data-root` takes them. Media are hard links where the file system has them, else
/// copies. A benchmark that no item suits is left out.
/// @throws Error(kUnsupported) for clips that are folders of frames.
void write_official_files(const std::filesystem::path& folder, const std::vector<BenchmarkItem>& items);

}  // namespace vl3::synth
