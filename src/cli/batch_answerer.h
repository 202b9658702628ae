// The batching engine as answerer of benchmarks: several questions at once, whose tokens are made together.
#pragma once

#include <functional>
#include <memory>

#include "eval/run/answerer.h"
#include "vl3/engine.h"

namespace vl3::engine {
class Runtime;
}

namespace vl3::cli {

/// @param identity  of the model and its options
/// @param ask  of each question
/// @param at_once  media whose questions are answered at the same time; their caches share the memory that
///   `vl3 serve` has by default, or that of one whole context where it is more
/// @param cancelled  polled while answering
/// @throws Error(kInvalidArgument) for a runtime that is not on the CPU.
std::unique_ptr<eval::Answerer> batch_answerer(std::shared_ptr<const engine::Runtime> runtime,
                                               OrderedJson identity, const AskOptions& ask, int at_once,
                                               std::function<bool()> cancelled);

}  // namespace vl3::cli
