#include "eval/text/edit_distance.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/check.h"
#include "eval/text/python_text.h"

namespace vl3::eval {

size_t edit_distance(std::string_view a, std::string_view b) {
  const std::u32string from = code_points(a), to = code_points(b);
  VL3_CHECK(from.empty() || to.size() <= 100'000'000 / from.size(), kResourceExhausted,
            "edit distance of texts of {} and {} characters: too long", from.size(), to.size());
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < to.size(); ++j) {
      const size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace vl3::eval
