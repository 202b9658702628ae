#include "ops/parallel.h"

#include <ATen/Parallel.h>
#include <c10/util/ParallelGuard.h>

#include <algorithm>
#include <atomic>
#include <exception>

// What `#pragma omp parallel` becomes. Called by name, so that no file needs -fopenmp (whose runtime is the
// compiler's, not libtorch's) and every compiler gives the same. LLVM's runtime exports these names, too.
extern "C" {
void GOMP_parallel(void (*run)(void*), void* data, unsigned num_threads, unsigned flags);
int omp_get_num_threads();
int omp_get_thread_num();
}

namespace vl3::ops {
namespace {

static_assert(AT_PARALLEL_OPENMP, "this libtorch does not run its loops on OpenMP");

struct Loop {
  int64_t begin, end, grain;
  c10::function_ref<void(int64_t, int64_t)> body;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  std::exception_ptr error = nullptr;
};

void run_piece(void* data) {
  Loop& loop = *static_cast<Loop*>(data);
  const int64_t n = loop.end - loop.begin, thread = omp_get_thread_num();
  const int64_t pieces = std::min<int64_t>(omp_get_num_threads(), (n + loop.grain - 1) / loop.grain);
  const int64_t size = (n + pieces - 1) / pieces;
  const int64_t first = loop.begin + thread * size;
  if (first >= loop.end) return;
  try {
    const at::internal::ThreadIdGuard number(static_cast<int>(thread));
    const c10::ParallelGuard inside(true);
    loop.body(first, std::min(loop.end, first + size));
  } catch (...) {
    if (!loop.failed.test_and_set()) loop.error = std::current_exception();
  }
}

}  // namespace

void parallel_for(int64_t begin, int64_t end, int64_t grain, c10::function_ref<void(int64_t, int64_t)> body) {
  if (begin >= end) return;
  at::internal::lazy_init_num_threads();
  if (end - begin <= grain || at::in_parallel_region() || at::get_num_threads() == 1) {
    const at::internal::ThreadIdGuard number(0);
    const c10::ParallelGuard inside(true);
    body(begin, end);
    return;
  }
  Loop loop{begin, end, grain, body};
  GOMP_parallel(run_piece, &loop, /*num_threads=*/0, /*flags=*/0);
  if (loop.error) std::rethrow_exception(loop.error);
}

void parallel_items(int64_t items, c10::function_ref<void(int64_t)> body) {
  std::atomic<int64_t> next = 0;
  parallel_for(0, std::min<int64_t>(items, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    for (int64_t item = next++; item < items; item = next++) body(item);
  });
}

}  // namespace vl3::ops
