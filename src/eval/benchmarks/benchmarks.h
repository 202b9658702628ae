// The rows of the table, each made in the file named after it.
#pragma once

#include "eval/benchmark.h"

namespace vl3::eval {

Benchmark mvbench();  // choice_video.cpp
Benchmark mlvu();     // choice_video.cpp
Benchmark nextqa();   // choice_video.cpp
Benchmark videomme();
Benchmark mmvu();
Benchmark egoschema();
Benchmark perception_test();
Benchmark activitynet_qa();
Benchmark longvideobench();
Benchmark lvbench();
Benchmark tempcompass();
Benchmark charades_sta();
Benchmark ai2d();
Benchmark chartqa();
Benchmark docvqa();   // docvqa.cpp
Benchmark infovqa();  // docvqa.cpp
Benchmark mathvista();
Benchmark mathvision();
Benchmark mathverse();
Benchmark mmmu();      // mmmu.cpp
Benchmark mmmu_pro();  // mmmu.cpp
Benchmark ocrbench();
Benchmark gqa();
Benchmark realworldqa();
Benchmark blink();
Benchmark mme();

// What most of them need.

/// The media in order, then the text.
std::vector<Piece> media_then(size_t media, std::string text);

/// A verdict on an answer that only a judge could decide on, without one.
Verdict unjudged(const std::string& response);

/// The reply from its first "{" to its last "}"; nullopt without.
std::optional<std::string> outer_braces(const std::string& reply);

Medium image_file(std::filesystem::path path);
Medium video_file(std::filesystem::path path);

}  // namespace vl3::eval
