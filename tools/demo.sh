#!/usr/bin/env bash
# Asks the built vl3 about the media in examples/media and shows what each answer took.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
vl3=build/release/bin/vl3
[ -x "$vl3" ] || { echo "demo: $vl3 is not there; run make build" >&2; exit 1; }
ask() {
  printf '\n$ vl3'
  printf ' %q' "$@"
  printf '\n'
  "$vl3" "$@"
}
ask ask examples/media/shapes.png "What does this picture show?" --max-tokens 24 --receipt
ask ask examples/media/moving.mp4 "What happens in this video?" --max-tokens 24 --receipt
ask ask examples/media/shapes.png examples/media/moving.mp4 "Is the square of the picture in the video?" --max-tokens 24 --receipt
ask plan examples/media/moving.mp4 --measure
