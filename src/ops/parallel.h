// The one way to run a loop of our own on libtorch's threads.
//
// at::parallel_for is a template: compiled without OpenMP it runs on one thread and says nothing. This one is
// compiled once, against the OpenMP runtime that libtorch itself has loaded, so that both share one pool and
// at::set_num_threads() holds for both.
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace vl3::ops {

/// Calls body(first, last) for pieces that cover [begin, end), at most one a thread, in any order and at the
/// same time. Inside another parallel loop, or where end - begin <= grain, it is one call on this thread.
/// @param grain  indices that are worth a thread: there are at most ceil((end - begin) / grain) pieces; >= 1.
/// @param body   uses raw data only: libtorch's thread-local state (modes, streams) is not copied to the
/// others.
/// @throws what `body` throws: the first exception, after all pieces have ended.
void parallel_for(int64_t begin, int64_t end, int64_t grain, c10::function_ref<void(int64_t, int64_t)> body);

/// Calls body(item) for each item of [0, items); threads take the next one as they get free, in order. For
/// items of some size, of unequal cost, or on cores that others use, too.
void parallel_items(int64_t items, c10::function_ref<void(int64_t)> body);

}  // namespace vl3::ops
