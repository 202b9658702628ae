// Memory that was freed and not yet given back to the system. The programs' allocator keeps all of it
// (docs/adr/0005-jemalloc.md), so that the next layer finds its pages mapped; who knows that a stage of work
// is over says so here.
#pragma once

namespace vl3 {

/// Gives back what is free, where that is 16 MiB or more: in every arena of jemalloc, or as far as glibc can.
/// Costs the faults of those pages when they are wanted again: for the end of a stage, not of a layer.
/// Thread-safe.
void return_freed_memory();

}  // namespace vl3
