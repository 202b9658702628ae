#!/usr/bin/env bash
# Copies the project's own small part of a full golden set to tests/data/golden (at most 6 MB): golden_subset.sh SET
set -euo pipefail
set_dir=$(realpath "$1")
out=$(dirname "$(realpath "$0")")/../tests/data/golden
cases=(tiny_tied/text_only.native tiny_tied/text_only.remote tiny_tied/image_odd.native tiny_tied/video_moving.remote
       tiny_tied/mixed.native tiny_tied/mixed.remote tiny_a/text_only.remote tiny_a/stream.remote)
rm -rf "$out"
mkdir -p "$out/models/tiny_a" "$out/media"
cp -r "$set_dir/tables" "$set_dir/README.md" "$out/"
cp -r "$set_dir/models/tiny_tied" "$out/models/"
cp -r "$set_dir/models/tiny_a/remote" "$out/models/tiny_a/"
for medium in "$set_dir"/media/*; do
  case $(basename "$medium") in
    vid_cut | vid_static | vid_threshold | vid_one) ;;
    *) cp -r "$medium" "$out/media/" ;;
  esac
done
for name in "${cases[@]}"; do
  mkdir -p "$out/cases/$(dirname "$name")"
  cp "$set_dir/cases/$name.json" "$set_dir/cases/$name.safetensors" "$out/cases/$(dirname "$name")/"
done
chmod -R u+w "$out"
python3 - "$out/manifest.json" "$set_dir/manifest.json" "${cases[@]}" <<'PY'
import json, sys
manifest = json.load(open(sys.argv[2]))
manifest["cases"] = ["cases/" + name for name in sys.argv[3:]]
json.dump(manifest, open(sys.argv[1], "w"), indent=1)
PY
du -sk "$out"
