#!/usr/bin/env bash
# Formats every C++ source of the project in place; --check names the ones that would change and fails on any.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mapfile -t files < <(find src include tests bench examples -name '*.h' -o -name '*.cpp' -o -name '*.cu' | sort)
if [ "${1:-}" != --check ]; then
  exec clang-format -i "${files[@]}"
fi
report=$(clang-format --dry-run --Werror --ferror-limit=1 "${files[@]}" 2>&1) && exit 0
sed -n 's/:[0-9]*:[0-9]*: error: .*/: not formatted; run `make fmt`/p' <<<"$report" | sort -u >&2
exit 1
