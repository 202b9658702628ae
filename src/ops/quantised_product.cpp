#include "ops/quantised_product.h"

#include "ops/dot_bf16.h"
#include "ops/product_vnni.h"
#include "ops/product_wide.h"

namespace vl3::ops {
namespace {

constexpr char kVnni[] = "VNNI";
bool vnni_allowed = true;

bool takes_vnni() { return vnni_allowed && cpu_has_avx512_vnni(); }

}  // namespace

int64_t product_scratch(const QuantisedPanels& weight, int64_t rows) {
  return takes_vnni() ? product_vnni_scratch(weight, rows) : product_wide_scratch(weight, rows);
}

void product_panel(const QuantisedProduct& product, int64_t panel, int64_t m_begin, int64_t m_end, float* y,
                   int64_t y_stride, std::byte* scratch) {
  const auto run = takes_vnni() ? product_vnni : product_wide;
  run(product, panel, m_begin, m_end, y, y_stride, scratch);
}

bool product_takes_wide() { return !takes_vnni(); }

std::vector<std::string> quantised_paths() {
  std::vector<std::string> paths = instruction_sets();
  if (cpu_has_avx512_vnni()) paths.insert(paths.begin(), kVnni);
  return paths;
}

void force_quantised_path(const std::string& name) {
  vnni_allowed = name.empty() || name == kVnni;
  force_instruction_set(name == kVnni ? "" : name);
}

}  // namespace vl3::ops
