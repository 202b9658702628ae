#include <ATen/Parallel.h>

#include "cli/flags.h"
#include "engine/out_of_memory.h"
#include "engine/runtime.h"

namespace vl3::cli {

std::shared_ptr<const engine::Runtime> ModelFlags::load_runtime() const {
  engine::LoadOptions load;
  load.model = folder();
  load.dtype = options.dtype;
  load.kv_cache_dtype = options.kv_cache_dtype;
  load.device = options.device;
  if (!options.flow.empty()) load.flow = options.flow == "remote" ? Flow::kRemote : Flow::kNative;
  if (options.threads > 0) at::set_num_threads(options.threads);
  return engine::naming_out_of_memory([&] { return engine::Runtime::load(load); }, engine::kLoadLess);
}

}  // namespace vl3::cli
