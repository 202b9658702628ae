#!/usr/bin/env bash
# Trains the embedded model from nothing, stage by stage, into runs/tiny-*. Goes on where it was interrupted.
# usage: train_tiny.sh [--set KEY=VALUE …]     further arguments go to every `vl3 train`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
vl3=build/release/bin/vl3
[ -x "$vl3" ] || { echo "train_tiny: $vl3 is not there; run make build" >&2; exit 1; }
mkdir -p runs
[ -d runs/tiny-init ] || "$vl3" convert --random --scale-residual --seed 1 recipes/tiny/init runs/tiny-init
for stage in stage0-text stage0-vision stage1 stage2 stage2-vision stage2-places stage3 stage4 stage4-reading stage4-decay; do
  "$vl3" train "recipes/tiny/$stage.toml" "$@"
done
