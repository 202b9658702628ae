// The project's own engine as answerer: greedy, a session a medium, so that media are decoded and encoded
// once and the questions' common beginning is computed once.
#pragma once

#include <functional>
#include <memory>

#include "eval/run/answerer.h"
#include "vl3/engine.h"

namespace vl3::eval {

/// @param identity  of the model and its options
/// @param ask  of each question; greedy unless it says otherwise
/// @param cancelled  polled while answering; may be empty
std::unique_ptr<Answerer> engine_answerer(Engine engine, OrderedJson identity, const AskOptions& ask,
                                          std::function<bool()> cancelled);

}  // namespace vl3::eval
