#!/usr/bin/env bash
# Asks the built vl3 one question about each picture and clip of examples/media.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
vl3=build/release/bin/vl3
[ -x "$vl3" ] || { echo "demo: $vl3 is not there; run make build" >&2; exit 1; }
shopt -s nullglob
media=(examples/media/*.{png,jpg,jpeg,webp,gif,mp4,mkv,webm})
[ ${#media[@]} -gt 0 ] || { echo "demo: examples/media holds no picture and no clip" >&2; exit 1; }
for file in "${media[@]}"; do
  question="What does this picture show?"
  case $file in *.gif | *.mp4 | *.mkv | *.webm) question="What happens in this video?" ;; esac
  printf '$ vl3 ask %s "%s"\n' "$file" "$question"
  "$vl3" ask "$file" "$question"
done
