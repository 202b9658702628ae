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
media=examples/media
ask ask $media/shapes.png "Describe the image." --receipt
ask ask $media/chart.png "Which bar is the highest?" --receipt
ask ask $media/first.jpg $media/second.png "What colour is the square in the first picture?" --receipt
ask ask $media/clip.mp4 "What colour is the shape that appears first?" --receipt
ask plan $media/moving.mp4 --measure
